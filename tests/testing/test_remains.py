from __future__ import annotations

import shutil
from contextlib import suppress

from drystone.l00_kernel.home import Home
from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.networks.kernel import let_go
from drystone.l10_engines.networks.rules import Rules
from drystone.testing.command_line import kill_what_remains, remains, short_home
from drystone.testing.networks import require_networks


async def test_a_network_that_was_left_behind_is_told_and_can_be_taken_away() -> None:
    home = short_home("rem")
    try:
        await require_networks(home / "trial")
        networks = Networks(Home(home).networks)
        left = await networks.ensure("orders.dev", Rules(open=frozenset(), catcher=1))
        assert [one for one in remains(home) if str(left.path) in one]
        kill_what_remains(home)
        assert remains(home) == []
        assert networks.names() == frozenset()
    finally:
        for file in Home(home).networks.glob("*"):
            with suppress(OSError):
                let_go(file)
        shutil.rmtree(home)
