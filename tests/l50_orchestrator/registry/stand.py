"""A registry on a real database, and people who ask it."""

from __future__ import annotations

from datetime import timedelta

from drystone.l00_kernel.clock import Clock, ManualClock
from drystone.l00_kernel.contract import Caller, Context
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.ports import Actor, Registered
from drystone.l50_orchestrator.registry.api import EnvironmentSaid, ServiceSaid, ServiceView
from drystone.l50_orchestrator.registry.service import PlatformRegistry
from drystone.testing.orchestrator import AllowByRole, Noted, TableBook, TheseTeams, actor_of

TEAMS = ("commerce", "money", "search")
OPENED: list[Database] = []
"""Those of this process, which the fixture closes."""

ADA = Context(Caller("ada", frozenset({"team/commerce"})))
MAX = Context(Caller("max", frozenset({"team/money"})))
ROOT = Context(Caller("root", frozenset({"admin"})))


def make(host: str, port: str, database: str, user: str, password: str) -> PlatformRegistry:
    """Return a registry whose tables are there."""
    access = DatabaseAccess(
        host=host, port=int(port), database=database, user=user, password=password
    )
    opened = Database(access, "orchestrator", most=8)
    OPENED.append(opened)
    return over(opened)


def over(database: Database, clock: Clock | None = None) -> PlatformRegistry:
    """Return a registry over a database."""
    return PlatformRegistry(
        database, gate=AllowByRole(), book=TableBook(), teams=TheseTeams(*TEAMS), clock=clock
    )


class Stand:
    """A registry in this process whose time stands still, and shorter ways to say things."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ManualClock()
        self.registry = over(database, self.clock)

    async def register(self, ctx: Context, name: str, team: str) -> ServiceView:
        return await self.registry.register(ctx, service=name, said=ServiceSaid(team))

    async def claim(
        self, ctx: Context, name: str, team: str, tier: int | None = 3, words: str = ""
    ) -> Registered:
        return await self.claim_as(actor_of(ctx), name, team, tier, words)

    async def claim_as(
        self, actor: Actor, name: str, team: str, tier: int | None = 3, words: str = ""
    ) -> Registered:
        async with self.database.session() as session, session.transaction():
            return await self.registry.claim(
                session, actor, name, team=team, tier=tier, description=words
            )

    async def run(self, name: str, environment: str = "dev") -> None:
        async with self.database.session() as session, session.transaction():
            await self.registry.appeared(session, name, environment)

    async def end(self, name: str, environment: str = "dev") -> None:
        async with self.database.session() as session, session.transaction():
            await self.registry.disappeared(session, name, environment)

    async def environment(self, name: str, said: EnvironmentSaid | None = None) -> None:
        await self.registry.set_environment(
            ROOT, environment=name, said=said or EnvironmentSaid("dev")
        )

    async def deployed(self, ctx: Context, name: str, team: str, tier: int = 3) -> None:
        """Claim a service and let it run in ``dev``."""
        await self.claim(ctx, name, team, tier)
        await self.run(name)

    async def pass_days(self, days: float) -> None:
        await self.clock.advance(timedelta(days=days))

    async def noted(self) -> list[Noted]:
        return await TableBook.noted(self.database)
