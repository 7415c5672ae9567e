"""People, teams and services of a small company, on a real database.

::

    root   admin of everything
    ada    maintains commerce, which owns orders
    bob    is in commerce
    eve    is in money, which owns billing
    zoe    is in no team
"""

from __future__ import annotations

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock, ManualClock, SystemClock
from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.access import store
from drystone.l50_orchestrator.access.domain import Grant, Kind, Role
from drystone.l50_orchestrator.access.gate import AccessGate
from drystone.l50_orchestrator.access.refusals import Refusals
from drystone.l50_orchestrator.access.service import Access
from drystone.l50_orchestrator.access.views import TokenMade, TokenSaid
from drystone.l50_orchestrator.access.withdrawn import Withdrawn
from drystone.l50_orchestrator.audit.past import Past
from drystone.l50_orchestrator.audit.service import ChainedBook
from drystone.l50_orchestrator.audit.store import Wanted, find
from drystone.l50_orchestrator.audit.store import prepare as prepare_audit
from drystone.l50_orchestrator.ports import Action, Places

OWNERS = {"orders": "commerce", "stock": "commerce", "billing": "money"}
TYPES = {"dev": "dev", "staging": "staging", "prod-eu": "prod", "prod-us": "prod"}


class These(Places):
    @override
    async def team_of(self, service: str) -> str | None:
        return OWNERS.get(service)

    @override
    async def type_of(self, environment: str) -> str | None:
        return TYPES.get(environment)

    @override
    async def owned_by(self, team: str) -> int:
        return sum(owner == team for owner in OWNERS.values())


def ctx(name: str) -> Context:
    return Context(Caller(name))


PLATFORM = Context(Caller("operator", frozenset({"admin"})))
ROOT, ADA, BOB, EVE, ZOE = (ctx(name) for name in ("root", "ada", "bob", "eve", "zoe"))


def made(
    database: Database,
    clock: Clock,
    *,
    withdrawn: Withdrawn | None = None,
    past: Past | None = None,
) -> tuple[Access, AccessGate, Refusals]:
    book, places = ChainedBook(), These()
    refusals = Refusals(database, book=book, clock=clock, log=NullLog())
    gate = AccessGate(
        database, places=places, refusals=refusals, clock=clock, withdrawn=withdrawn, past=past
    )
    access = Access(database, gate=gate, book=book, places=places, clock=clock, log=NullLog())
    return access, gate, refusals


def make(access: str, schema: str) -> Access:
    """Make it in another process."""
    return made(Database(msgspec.json.decode(access, type=DatabaseAccess), schema), SystemClock())[
        0
    ]


class Ground:
    def __init__(self, access: DatabaseAccess, name: str) -> None:
        self.where, self.name = access, name
        self.clock = ManualClock()
        self.database = Database(access, name, most=4)
        self.access, self.gate, self.refusals = made(self.database, self.clock)
        self.others = list[Database]()

    async def settle(self) -> None:
        await prepare_audit(self.database)
        await store.prepare(self.database)
        for person in ("root", "ada", "bob", "eve", "zoe"):
            await self.access.put_person(PLATFORM, name=person)
        await self.access.grant(PLATFORM, grant=Grant("person:root", Role.ADMIN))
        for team, who, is_maintainer in (
            ("commerce", "ada", True),
            ("commerce", "bob", False),
            ("money", "eve", True),
        ):
            await self.access.put_team(ROOT, name=team)
            await self.access.put_member(ROOT, team=team, person=who, is_maintainer=is_maintainer)

    def other(self) -> tuple[Access, AccessGate]:
        """Another process's, so to speak: nothing is shared but the tables and the time."""
        database = Database(self.where, self.name, most=4)
        self.others.append(database)
        access, gate, _ = made(database, self.clock)
        return access, gate

    def another(self, *_: str) -> Access:
        """Like :func:`make`, by the time of the machine."""
        database = Database(self.where, self.name, most=4)
        self.others.append(database)
        return made(database, SystemClock())[0]

    async def token(
        self,
        who: Context,
        *scopes: Action,
        kind: Kind = "personal",
        service: str | None = None,
        environment: str | None = None,
    ) -> TokenMade:
        said = TokenSaid("a test", scopes, kind, service, environment)
        return await self.access.make_token(who, said=said)

    async def entries(self, action: str) -> list[tuple[str, str, str]]:
        found = await find(self.database, Wanted(action=action), 1000)
        return [(one.actor, one.subject, one.fields) for one in reversed(found)]

    async def close(self) -> None:
        await self.refusals.close()
        for database in (self.database, *self.others):
            await database.close()
