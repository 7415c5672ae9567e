"""Stand-ins for the parts of the orchestrator that every other one asks: a gate, the audit log, teams.

They go by what the caller says of itself, so that they need no state and work in every reach::

    Caller("ada", frozenset({"team/commerce"}))
    Caller("root", frozenset({"admin"}))
"""

from __future__ import annotations

import msgspec
from typing_extensions import override

from drystone.l00_kernel.context import Context
from drystone.l00_kernel.errors import Denied
from drystone.l00_kernel.ports import Field
from drystone.l10_engines.postgres.database import Database, Session
from drystone.l50_orchestrator.ports import Action, Actor, Book, Gate, Teams

_ADMIN = frozenset({Action.ADMINISTER, Action.AUDIT})

_TABLE = """
CREATE TABLE IF NOT EXISTS noted (
    number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor   text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    fields  text NOT NULL
)
"""
_NOTE = """
INSERT INTO noted (actor, action, subject, fields) VALUES (%(actor)s, %(action)s, %(subject)s, %(fields)s)
"""
_NOTED = "SELECT actor, action, subject, fields FROM noted ORDER BY number"


def actor_of(ctx: Context) -> Actor:
    """Return a person of the teams that the caller's roles ``team/NAME`` say."""
    roles = ctx.caller.roles
    teams = frozenset(role.removeprefix("team/") for role in roles if role.startswith("team/"))
    return Actor(ctx.caller.name, "person", teams)


class AllowAll(Gate):
    """Lets everybody do everything."""

    @override
    async def require(
        self,
        ctx: Context,
        action: Action,
        *,
        service: str | None = None,
        environment: str | None = None,
    ) -> Actor:
        return actor_of(ctx)


class AllowByRole(Gate):
    """Lets a caller with the role ``admin`` do everything, and others everything but to administer and audit."""

    @override
    async def require(
        self,
        ctx: Context,
        action: Action,
        *,
        service: str | None = None,
        environment: str | None = None,
    ) -> Actor:
        if action in _ADMIN and "admin" not in ctx.caller.roles:
            raise Denied(f"{ctx.caller.name} may not {action.value}: an admin may")
        return actor_of(ctx)


class RefuseAll(Gate):
    """Lets nobody do anything."""

    @override
    async def require(
        self,
        ctx: Context,
        action: Action,
        *,
        service: str | None = None,
        environment: str | None = None,
    ) -> Actor:
        raise Denied(f"{ctx.caller.name} may not {action.value}")


class TheseTeams(Teams):
    """Knows the teams that it was told.

    Args:
        names: All of them.
    """

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    @override
    async def is_team(self, session: Session, name: str) -> bool:
        return name in self.names

    @override
    async def end_roles(self, session: Session, actor: Actor, service: str, before: str) -> None:
        return

    @override
    async def has(self, team: str, service: str) -> None:
        return


class Noted(msgspec.Struct, frozen=True):
    """One entry of :class:`TableBook`."""

    actor: str
    action: str
    subject: str
    fields: dict[str, Field] = {}


class TableBook(Book):
    """Writes into a table ``noted`` of the test's own schema, in the transaction of the change."""

    @staticmethod
    async def prepare(database: Database) -> None:
        """Make the table. Idempotent."""
        await database.fetch(_TABLE)

    @staticmethod
    async def noted(database: Database) -> list[Noted]:
        """Return all entries, the oldest first."""
        rows = await database.fetch(_NOTED)
        return [Noted(a, b, c, msgspec.json.decode(fields)) for a, b, c, fields in rows]

    @override
    async def note(
        self, session: Session, actor: Actor, action: str, subject: str, **fields: Field
    ) -> None:
        text = msgspec.json.encode(fields).decode()
        await session.fetch(_NOTE, actor=actor.name, action=action, subject=subject, fields=text)
