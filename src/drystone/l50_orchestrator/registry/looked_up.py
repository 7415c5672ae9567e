"""What the gate asks of the registry: it decides before the registry is asked, so it reads the tables alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l50_orchestrator.ports import Places
from drystone.l50_orchestrator.registry import store

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.database import Database


class RegisteredPlaces(Places):
    """Owners of services and types of environments.

    A service whose name is held counts, retired or not; one whose name is free for others is nobody's.

    Args:
        database: The orchestrator's schema, whose tables of the registry are there.
        clock: The time.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    @override
    async def team_of(self, service: str) -> str | None:
        if "\x00" in service:
            return None
        kept = await store.find_service(self._database, service)
        is_held = kept is not None and not kept.holding.is_free(self._clock.now())
        return kept.service.team if kept is not None and is_held else None

    @override
    async def type_of(self, environment: str) -> str | None:
        if "\x00" in environment:
            return None
        found = await store.find_environment(self._database, environment)
        return None if found is None else found.type

    @override
    async def owned_by(self, team: str) -> int:
        return 0 if "\x00" in team else await store.count_owned(self._database, team)
