"""``drystone down``."""

from __future__ import annotations

import time
from typing import Annotated

from drystone.l85_surfaces.cli.errors import NoAnswer
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import answers, command_line, is_kept
from drystone.l85_surfaces.cli.stopping import stop_platform
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.times import taken


async def down(
    *,
    drain: Annotated[
        bool,
        Parameter(help="Let each service answer first what it has, within its `stop.drain`."),
    ] = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Stop the platform; data stays.

    Services stop first, then engines, from the top layer down, then the agent. Does nothing when no platform runs. With --json, one object per part.
    """
    out = Terminal(json=shared.json)
    folder = shared.folder
    began = time.monotonic()
    if answers(folder):
        await stop_platform(folder, out, drain=drain)
        out.line(f"stopped in {taken(time.monotonic() - began)}")
    elif is_kept(folder):
        raise NoAnswer(
            f"the agent of the platform in {folder} does not answer, so it cannot stop what runs\n"
            f"why: {folder}/run/agent.log\n"
            f"`{command_line('up', folder)}` waits until it answers; then `"
            f"{command_line('down', folder)}` again",
            home=str(folder),
        )
    else:
        out.line(f"no platform runs in {folder}; nothing to stop")
