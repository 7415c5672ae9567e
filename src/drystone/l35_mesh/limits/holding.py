"""Holds the limits of all services of a home: the proxy gets filters, and the limiter runs where one of them needs it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import structs

from drystone.l00_kernel.errors import PlatformError
from drystone.l20_trust.keys.api import issuer_of
from drystone.l35_mesh.limits.engine import NAME, LimiterEngine
from drystone.l35_mesh.limits.envoy import Filters, asking_itself, inbound_filters
from drystone.l35_mesh.limits.policies import Policies, Policy, exact_limits

if TYPE_CHECKING:
    from drystone.l00_kernel.ports import Log
    from drystone.l10_engines.supervision.supervisor import Supervisor
    from drystone.l25_deployer.local.mesh import Member


class Holding:
    """Keeps the limiter told, and running while a limit is counted in one place.

    Whenever the proxy's configuration is made, :meth:`filters` is asked for every service in one go, and what the limiter is
    to know follows from that. A release that is about to serve is known to the limiter before the proxy asks about it.

    Args:
        engine: The limiter; the supervisor knows it.
        supervisor: Keeps it.
        log: Where it is told that the limiter cannot be brought about.
    """

    def __init__(self, engine: LimiterEngine, supervisor: Supervisor, log: Log) -> None:
        self._engine = engine
        self._supervisor = supervisor
        self._log = log
        self._heard: Policies | None = None
        self._wanted: Policies = {}
        self._told: Policies | None = None
        self._working: asyncio.Task[None] | None = None

    def filters(self, member: Member) -> Filters:
        """Return what the inbound of a service needs for its limits."""
        service = issuer_of(member.environment, member.service)
        if self._heard is None:
            self._heard = {}
            asyncio.get_running_loop().call_soon(self._all_heard)
        known: dict[str, Policy] = {}
        for surroundings in reversed(member.surroundings):
            known |= exact_limits(surroundings.limits)
        made = inbound_filters(service, member.surroundings[0].limits, self._engine.socket)
        if not known:
            return made
        self._heard[service] = known
        own = asking_itself(service, self._engine.socket)
        return structs.replace(
            made, clusters={**made.clusters, **own.clusters}, own_routes=own.own_routes
        )

    def _all_heard(self) -> None:
        self._wanted, self._heard = self._heard or {}, None
        if self._wanted != self._told and (self._working is None or self._working.done()):
            self._working = asyncio.create_task(self._bring_about(), name="limits")

    async def _bring_about(self) -> None:
        while self._wanted != self._told:
            wanted = self._wanted
            try:
                await self._tell(wanted)
            except PlatformError as e:
                # Its limits say what happens meanwhile; the next change tries again.
                self._log.warning("limits are not counted", reason=str(e))
                return
            self._told = wanted

    async def _tell(self, wanted: Policies) -> None:
        if wanted:
            await asyncio.to_thread(self._engine.tell, wanted)
            await self._supervisor.ensure(NAME)
        elif self._engine.status().pid is not None:
            await self._supervisor.remove(NAME)
            self._supervisor.add(self._engine)

    async def settled(self) -> None:
        """Return when the limiter counts by what was heard last, or cannot be brought to."""
        if self._heard is not None:
            await asyncio.sleep(0)
        if self._working is not None:
            await asyncio.shield(self._working)

    async def leave(self) -> None:
        """Do no more; the limiter goes on."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
