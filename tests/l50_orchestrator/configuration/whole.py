"""The real gate, audit log, teams, registry and guardrails, and files over all of them."""

from __future__ import annotations

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.access import store as access_store
from drystone.l50_orchestrator.access.gate import AccessGate
from drystone.l50_orchestrator.access.refusals import Refusals
from drystone.l50_orchestrator.access.service import Access
from drystone.l50_orchestrator.access.teams import TeamsInTables
from drystone.l50_orchestrator.audit.service import ChainedBook
from drystone.l50_orchestrator.audit.store import prepare as prepare_audit
from drystone.l50_orchestrator.configuration.of_access import (
    ConfiguredGrants,
    ConfiguredPeople,
    ConfiguredTeams,
)
from drystone.l50_orchestrator.configuration.service import Configuration
from drystone.l50_orchestrator.guardrails.configured import (
    ConfiguredExceptions,
    ConfiguredFreezes,
    ConfiguredModes,
    ConfiguredPolicies,
)
from drystone.l50_orchestrator.guardrails.guard import PolicyGuard
from drystone.l50_orchestrator.guardrails.service import Guardrails
from drystone.l50_orchestrator.registry.configured import (
    ConfiguredEnvironments,
    ConfiguredServices,
    ConfiguredTargets,
)
from drystone.l50_orchestrator.registry.looked_up import RegisteredPlaces
from drystone.l50_orchestrator.registry.service import PlatformRegistry


class Whole:
    """Parts as they are put together on a platform."""

    def __init__(self, database: Database, evaluator: Evaluator) -> None:
        self.database = database
        book, clock, places = ChainedBook(), SystemClock(), RegisteredPlaces(database)
        refusals = Refusals(database, book=book, clock=clock, log=NullLog())
        self.gate = AccessGate(database, places=places, refusals=refusals, clock=clock)
        self.access = Access(
            database, gate=self.gate, book=book, places=places, clock=clock, log=NullLog()
        )
        self.registry = PlatformRegistry(
            database, gate=self.gate, book=book, teams=TeamsInTables(self.gate, book)
        )
        self.guardrails = Guardrails(
            database,
            gate=self.gate,
            book=book,
            guard=PolicyGuard(database, evaluator),
            evaluator=evaluator,
            clock=clock,
        )
        self.configuration = Configuration(
            database,
            [
                ConfiguredPeople(self.access),
                ConfiguredTeams(self.access),
                ConfiguredGrants(self.access),
                ConfiguredTargets(self.registry),
                ConfiguredEnvironments(self.registry),
                ConfiguredServices(self.registry),
                ConfiguredPolicies(self.guardrails),
                ConfiguredModes(self.guardrails),
                ConfiguredExceptions(self.guardrails),
                ConfiguredFreezes(self.guardrails),
            ],
        )

    async def prepare(self) -> None:
        await prepare_audit(self.database)
        await access_store.prepare(self.database)
        await self.registry.prepare()
        await self.guardrails.prepare()
