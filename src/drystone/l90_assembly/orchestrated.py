"""The services of the orchestrator, put together in one process."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.contract import connect, serve
from drystone.l10_engines.on_demand.serving import App
from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.postgres.clock import DatabaseClock
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.workflows.worker import Worker
from drystone.l10_engines.workflows.workflows import prepare as prepare_workflows
from drystone.l25_deployer.api import DeployerApi
from drystone.l50_orchestrator.access import store as access_store
from drystone.l50_orchestrator.access.gate import AccessGate
from drystone.l50_orchestrator.access.refusals import Refusals
from drystone.l50_orchestrator.access.service import Access
from drystone.l50_orchestrator.access.teams import TeamsInTables
from drystone.l50_orchestrator.access.withdrawn import Withdrawn
from drystone.l50_orchestrator.audit.heads import Heads
from drystone.l50_orchestrator.audit.past import Past
from drystone.l50_orchestrator.audit.service import Audits, ChainedBook
from drystone.l50_orchestrator.configuration.of_access import (
    ConfiguredGrants,
    ConfiguredPeople,
    ConfiguredTeams,
)
from drystone.l50_orchestrator.configuration.service import Configuration
from drystone.l50_orchestrator.drift import store as drift_store
from drystone.l50_orchestrator.drift.service import Drift
from drystone.l50_orchestrator.guardrails.configured import (
    ConfiguredExceptions,
    ConfiguredFreezes,
    ConfiguredModes,
    ConfiguredPolicies,
)
from drystone.l50_orchestrator.guardrails.guard import PolicyGuard
from drystone.l50_orchestrator.guardrails.judged import known
from drystone.l50_orchestrator.guardrails.service import Guardrails
from drystone.l50_orchestrator.ports import Actor
from drystone.l50_orchestrator.registry.api import EnvironmentSaid
from drystone.l50_orchestrator.registry.configured import (
    ConfiguredEnvironments,
    ConfiguredServices,
    ConfiguredTargets,
)
from drystone.l50_orchestrator.registry.looked_up import RegisteredPlaces
from drystone.l50_orchestrator.registry.service import PlatformRegistry
from drystone.l50_orchestrator.releases import store as releases_store
from drystone.l50_orchestrator.releases.carrying import WORKING
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.service import Releases
from drystone.l50_orchestrator.running.engine import NAME
from drystone.l50_orchestrator.targets.deployer import DeployerTarget
from drystone.l90_assembly.on_behalf import on_behalf
from drystone.l90_assembly.operated import operations_of
from drystone.l90_assembly.people import people_first
from drystone.l90_assembly.remote import from_afar
from drystone.l90_assembly.targets import targets_of

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log

HEADS = "audit-heads"
"""File of the home that says how far the audit log had come, out of reach of whoever can write to the database."""

WITHDRAWN = "access-withdrawn"
"""File of the home with what was taken from people and tokens, which a restored database does not give back."""

GATE_SESSIONS = 4

FIRST_ENVIRONMENTS = {
    "dev": EnvironmentSaid("dev"),
    "staging": EnvironmentSaid("staging", after="dev"),
    "prod": EnvironmentSaid("prod", after="staging"),
}
"""Those of a platform where nobody has said anything about environments yet."""


class Orchestrated(msgspec.Struct, frozen=True):
    """The orchestrator at work.

    Attributes:
        app: What answers at the socket of the home.
        remote: What answers those who come over a network.
        working: Carries releases out; it ends when nothing can be carried out any more.
    """

    app: App
    remote: App
    working: asyncio.Task[None]


@asynccontextmanager
async def orchestrated(
    home: Home, database: Database, *, sign_in: str, clock: Clock, log: Log
) -> AsyncIterator[Orchestrated]:
    """Bring the tables to the present, and begin to work; what was begun ends with the block.

    Args:
        home: Whose services; its agent carries out what is decided.
        database: The orchestrator's tables; those of the audit log are there and sealed.
        sign_in: Address of the home's sign-in, by which people are known.
        clock: Of the machine; what counts is the time of the database.
        log: Where it reports.

    Raises:
        Unavailable: The database cannot be reached.
        MigrationsDiverged: Another version made its tables.
    """
    async with AsyncExitStack() as stack:
        # Of the sign-in, whose tokens end by the time of this machine, wherever the database is.
        signing = clock
        timing = DatabaseClock(database, clock)
        await timing.look()
        clock = timing
        # Who is asked while somebody holds a session of the others' must not wait for one of these.
        asked = Database(database.access, NAME, most=GATE_SESSIONS)
        stack.push_async_callback(asked.close)
        book, places = ChainedBook(), RegisteredPlaces(asked, clock)
        refusals = Refusals(asked, book=book, clock=clock, log=log)
        stack.push_async_callback(refusals.close)
        heads = Heads(home.path / HEADS)
        gate = AccessGate(
            asked,
            places=places,
            refusals=refusals,
            clock=clock,
            withdrawn=Withdrawn(home.path / WITHDRAWN),
            past=Past(asked, heads, clock),
        )
        access = Access(database, gate=gate, book=book, places=places, clock=clock, log=log)
        audits = Audits(database, gate=gate, book=book, heads=heads, clock=clock)
        registry = PlatformRegistry(
            database, gate=gate, book=book, teams=TeamsInTables(gate, book), clock=clock
        )
        evaluator, trials = Evaluator(known()), Evaluator(known())
        for one in (evaluator, trials):
            stack.push_async_callback(one.stop)
        guard = PolicyGuard(database, evaluator, gate)
        guardrails = Guardrails(
            database,
            gate=gate,
            book=book,
            guard=guard,
            evaluator=trials,
            clock=clock,
            withdrawals=gate,
        )
        deployer = await stack.enter_async_context(connect(DeployerApi, uds=home.agent_socket))
        here = DeployerTarget(deployer)
        # Closed after the worker, which goes these ways to its last step.
        target = await stack.enter_async_context(targets_of(home, here, asked))
        parts = Parts(
            database=database,
            gate=gate,
            registry=registry,
            guard=guard,
            book=book,
            target=target,
        )
        operated = await stack.enter_async_context(operations_of(home, deployer, parts))
        releases = Releases(parts)
        drift = Drift(parts, releases.carrier.definition, clock)
        kinds = (
            ConfiguredPeople(access),
            ConfiguredTeams(access),
            ConfiguredGrants(access),
            ConfiguredTargets(registry),
            ConfiguredEnvironments(registry),
            ConfiguredServices(registry),
            ConfiguredPolicies(guardrails),
            ConfiguredModes(guardrails),
            ConfiguredExceptions(guardrails),
            ConfiguredFreezes(guardrails),
        )
        configuration = Configuration(database, kinds)

        await access_store.prepare(database)
        await registry.prepare()
        await guardrails.prepare()
        await releases_store.prepare(database)
        await drift_store.prepare(database)
        await prepare_workflows(database)

        by_socket = gate.by_socket(getpass.getuser())
        authenticate = on_behalf(people_first(home, sign_in, signing, by_socket))
        await registry.begin(Actor(getpass.getuser(), "platform"), FIRST_ENVIRONMENTS)
        worker = Worker(database, [releases.carrier.definition], settings=WORKING, log=log)
        working = asyncio.create_task(worker.run(), name="releases")
        stack.push_async_callback(_given_away, worker, working)
        for watch, name in (
            (timing.watch, "the database's time"),
            (audits.watch, "heads of the audit log"),
            (drift.watch, "drift"),
        ):
            stack.push_async_callback(_ended, asyncio.create_task(watch(log), name=name))
        others = (
            *operated.anywhere,
            *(access, audits, registry, guardrails, drift, configuration),
        )
        near = (releases, *operated.here, *others)
        app = serve(*near, authenticate=authenticate, clock=clock, log=log)
        by_token = people_first(home, sign_in, signing, gate.authenticate)
        remote = from_afar(
            home, parts, others, here=here, authenticate=by_token, clock=clock, log=log
        )
        yield Orchestrated(app, remote, working)


async def _given_away(worker: Worker, working: asyncio.Task[None]) -> None:
    """Let another worker go on at once with what this one carries out."""
    if not working.done():
        worker.stop()
    with suppress(asyncio.CancelledError):
        await working


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
