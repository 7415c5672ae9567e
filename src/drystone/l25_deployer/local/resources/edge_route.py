"""Ways in: what the edge makes of them comes with the release that has them; here they are only claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l25_deployer.local.resources.port import Owner, ResourceDriver
from drystone.l25_deployer.stacks.ways import EdgeRoute, StaticSite

if TYPE_CHECKING:
    from drystone.l25_deployer.local.ways_in import Ways


class WaysIn(ResourceDriver[EdgeRoute | StaticSite]):
    """Claims hosts and paths for services.

    Args:
        ways: Knows who has which.
    """

    engine = "proxy"

    def __init__(self, ways: Ways) -> None:
        self._ways = ways

    @override
    async def apply(self, owner: Owner, wanted: EdgeRoute | StaticSite) -> dict[str, str]:
        if isinstance(wanted, StaticSite):
            wanted = wanted.route
        self._ways.require(f"{owner.service}.{owner.environment}", wanted)
        host = next((one for one in wanted.hosts if not one.startswith("*.")), wanted.hosts[0])
        first = msgspec.structs.replace(wanted, hosts=(host,), paths=wanted.paths[:1])
        return {"url": self._ways.urls(first)[0], "host": host}

    @override
    async def remove(self, owner: Owner, wanted: EdgeRoute | StaticSite) -> None:
        return

    @override
    async def suspend(self, owner: Owner) -> None:
        return
