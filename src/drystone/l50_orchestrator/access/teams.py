"""What the registry, which lies above, asks of access: which teams there are, and that roles end with a transfer."""

from __future__ import annotations

from typing_extensions import override

from drystone.l10_engines.postgres.database import Session
from drystone.l50_orchestrator.access import store
from drystone.l50_orchestrator.access.gate import AccessGate
from drystone.l50_orchestrator.access.withdrawn import ownership
from drystone.l50_orchestrator.ports import Actor, Book, Teams


class TeamsInTables(Teams):
    """Teams, and roles over single services, as they stand in the tables.

    Args:
        gate: Remembers what was taken away.
        book: The audit log.
    """

    def __init__(self, gate: AccessGate, book: Book) -> None:
        self._gate = gate
        self._book = book

    @override
    async def is_team(self, session: Session, name: str) -> bool:
        return bool(await session.fetch(store.IS_TEAM, name=name))

    @override
    async def end_roles(self, session: Session, actor: Actor, service: str, before: str) -> None:
        await store.lock(session)
        rows = await session.fetch(store.END_ROLES, over=f"service:{service}")
        for id_, who, role, over, place in rows:
            await self._book.note(
                session,
                actor,
                "grant.revoked",
                f"grant/{id_}",
                who=who,
                role=role,
                over=over,
                place=place,
                why="the service went to another team",
            )
        gone = [f"grant/{row[0]}" for row in rows]
        await self._gate.take([*gone, ownership(service, before)])
        self._gate.forget()

    @override
    async def has(self, team: str, service: str) -> None:
        await self._gate.give([ownership(service, team)])
        self._gate.forget()
