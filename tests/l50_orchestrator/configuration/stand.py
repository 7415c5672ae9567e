"""Configuration over a real registry, with teams and grants in memory."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from drystone.l00_kernel.contract import Caller, Context
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database, Session
from drystone.l25_deployer.descriptor.block import Block
from drystone.l50_orchestrator.configuration.api import Applied, ConfigurationApi, File
from drystone.l50_orchestrator.configuration.service import Configuration
from drystone.l50_orchestrator.configured import Configured
from drystone.l50_orchestrator.ports import Actor, Teams
from drystone.l50_orchestrator.registry.configured import (
    ConfiguredEnvironments,
    ConfiguredServices,
    ConfiguredTargets,
)
from drystone.l50_orchestrator.registry.service import PlatformRegistry
from drystone.testing.configured import GrantsInMemory, InMemory, TeamsInMemory
from drystone.testing.orchestrator import AllowByRole, TableBook

OPENED: list[Database] = []
"""Those of this process, which the fixture closes."""

ADA = Context(Caller("ada", frozenset({"team/commerce"})))
ROOT = Context(Caller("root", frozenset({"admin"})))


class TeamsSaid(Teams):
    """The teams that were put."""

    def __init__(self, teams: TeamsInMemory) -> None:
        self._teams = teams

    @override
    async def is_team(self, session: Session, name: str) -> bool:
        return name in self._teams.items

    @override
    async def end_roles(self, session: Session, actor: Actor, service: str, before: str) -> None:
        return

    @override
    async def has(self, team: str, service: str) -> None:
        return


class Parts:
    """The parts of an orchestrator that files speak of."""

    def __init__(self, database: Database) -> None:
        self.database = database
        kinds: dict[str, InMemory[Block]] = {}
        self.teams, self.grants = TeamsInMemory(kinds), GrantsInMemory(kinds)
        self.registry = PlatformRegistry(
            database, gate=AllowByRole(), book=TableBook(), teams=TeamsSaid(self.teams)
        )
        self.kinds: list[Configured[Any]] = [
            self.grants,
            ConfiguredServices(self.registry),
            ConfiguredEnvironments(self.registry),
            ConfiguredTargets(self.registry),
            self.teams,
        ]
        self.configuration = Configuration(database, self.kinds)


def make(host: str, port: str, database: str, user: str, password: str) -> Configuration:
    """Return configuration over a registry whose tables are there."""
    access = DatabaseAccess(
        host=host, port=int(port), database=database, user=user, password=password
    )
    opened = Database(access, "orchestrator", most=8)
    OPENED.append(opened)
    return Parts(opened).configuration


def files(*texts: str) -> list[File]:
    """Return files of these texts."""
    return [File(f"{number}.yaml", text) for number, text in enumerate(texts)]


async def applied(
    api: ConfigurationApi, *texts: str, prune: bool = False, confirm: str = "", ctx: Context = ROOT
) -> list[Applied]:
    """Apply texts, and return all that was said."""
    stream = api.apply(ctx, files=files(*texts), prune=prune, confirm=confirm)
    return [one async for one in stream]
