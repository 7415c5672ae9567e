"""How long a change is judged: by how many policies, over how large a plan, and what the database adds."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from benchmarks.stand import table

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import Caller, Context
from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.policies.reading import Module
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l25_deployer.api import PlanView
from drystone.l50_orchestrator.guardrails import sample
from drystone.l50_orchestrator.guardrails.api import PolicySaid
from drystone.l50_orchestrator.guardrails.guard import PolicyGuard
from drystone.l50_orchestrator.guardrails.house_policies import house_policies
from drystone.l50_orchestrator.guardrails.judged import known
from drystone.l50_orchestrator.guardrails.service import Guardrails
from drystone.l50_orchestrator.ports import Actor, Change
from drystone.testing.conformance.engines import short_home
from drystone.testing.orchestrator import AllowAll, TableBook

POLICIES = (1, 50, 500)
_HOUSE = house_policies()


def _policy(number: int) -> Module:
    """A copy of a policy of the house under another name."""
    one = _HOUSE[number % len(_HOUSE)]
    name = f"{one.name[:30]}-{number}"
    old, new = one.name.replace("-", "_"), name.replace("-", "_")
    return Module(name, one.said.text.replace(f"package drystone.{old}", f"package drystone.{new}"))


async def judgements(count: int) -> str:
    """Judgements by several numbers of policies, the first of them the baseline."""
    rounds = max(20, count * 2)
    evaluator = Evaluator(known())
    rows: list[list[str]] = []
    try:
        base = 0.0
        for number in POLICIES:
            modules = [_policy(n) for n in range(number)]
            for what, document in (("tidy", _document(0)), ("of 50 variables", _document(50))):

                async def judge(
                    modules: list[Module] = modules, document: bytes = document
                ) -> object:
                    return await evaluator.judge(modules, document)

                began = time.perf_counter()
                await judge()
                first = time.perf_counter() - began
                times = await _times(judge, rounds)
                base = base or times[len(times) // 2]
                name = f"{number} policies, a service {what} ({len(document) / 1024:.0f} KiB)"
                rows.append(_row(name, first, times, base))
        rows.append(await _whole(evaluator, rounds, base))
    finally:
        await evaluator.stop()
    head = ["judgement", "first", "median", "99 %", "median, ratio"]
    return table(f"{rounds} judgements each, one after the other", head, rows)


async def _whole(evaluator: Evaluator, rounds: int, base: float) -> list[str]:
    with short_home() as home:
        server = Postgres("postgres", home / "postgres")
        try:
            await server.start()
            access = await provision(
                server.admin(), "orchestrator", connections=20, password=secrets.token_hex()
            )
            database = Database(access, "orchestrator")
            try:
                return await _stored(database, evaluator, rounds, base)
            finally:
                await database.close()
        finally:
            await server.stop()


async def _stored(database: Database, evaluator: Evaluator, rounds: int, base: float) -> list[str]:
    guard = PolicyGuard(database, evaluator)
    service = Guardrails(
        database,
        gate=AllowAll(),
        book=TableBook(),
        guard=guard,
        evaluator=evaluator,
        clock=SystemClock(),
    )
    await service.prepare()
    await TableBook.prepare(database)
    ctx = Context(Caller("root"))
    for number in range(50 - len(_HOUSE)):
        module = _policy(number)
        said = PolicySaid(module.text, "Measured.", "platform", _HOUSE[0].said.since)
        await service.put_policy(ctx, name=module.name, said=said)
    tidy = sample.TIDY
    view = PlanView(tidy.service, "prod", "orders.sd.yml", [], [], [], [], [], "processes")
    change = Change(
        service=tidy.service,
        environment=tidy.environment,
        team=tidy.team,
        actor=Actor("ada", "person"),
        kind="deploy",
        stacks=msgspec.to_builtins(tidy.stacks),
        plan=view,
        at=SystemClock().now(),
    )
    began = time.perf_counter()
    await guard.judge(change)
    first = time.perf_counter() - began
    times = await _times(lambda: guard.judge(change), rounds)
    return _row("50 policies, read from the database and noted there", first, times, base)


def _document(variables: int) -> bytes:
    env = {f"VARIABLE_{n}": ["x" * 40] for n in range(variables)}
    return sample.changed({"stacks": {"resources": {"env": env}}})


async def _times(judge: Callable[[], Awaitable[object]], rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        await judge()
        times.append(time.perf_counter() - began)
    return sorted(times)


def _row(name: str, first: float, times: Sequence[float], base: float) -> list[str]:
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    each = [f"{one * 1e3:.1f} ms" for one in (first, p50, p99)]
    return [name, *each, f"{p50 / base:.1f}"]
