"""What the gate asks of the registry: it decides before the registry is asked, so it reads the tables alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l50_orchestrator.ports import Places
from drystone.l50_orchestrator.registry import store

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.database import Database


class RegisteredPlaces(Places):
    """Owners of services, retired ones included, and types of environments.

    Args:
        database: The orchestrator's schema, whose tables of the registry are there.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def team_of(self, service: str) -> str | None:
        if "\x00" in service:
            return None
        kept = await store.find_service(self._database, service)
        return None if kept is None else kept.service.team

    @override
    async def type_of(self, environment: str) -> str | None:
        if "\x00" in environment:
            return None
        found = await store.find_environment(self._database, environment)
        return None if found is None else found.type

    @override
    async def owned_by(self, team: str) -> int:
        return 0 if "\x00" in team else await store.count_owned(self._database, team)
