"""Changes are judged by what stands in the tables, and whatever goes wrong refuses them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from datetime import timedelta

import msgspec
import pytest

from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.postgres.database import Database
from drystone.l25_deployer.stacks.model import Stacks
from drystone.l50_orchestrator.guardrails import store
from drystone.l50_orchestrator.guardrails.api import FreezeSaid, PolicySaid
from drystone.l50_orchestrator.guardrails.guard import PolicyGuard
from drystone.l50_orchestrator.guardrails.judged import known
from drystone.l50_orchestrator.guardrails.service import Guardrails
from drystone.l50_orchestrator.ports import Finding
from l50_orchestrator.guardrails.ground import ADA, MAX, NOW, ROOT, Remembered, change, over, said
from l50_orchestrator.guardrails.test_domain import TODAY, excepted

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLOW = "some a in input.xs\nsome b in input.xs\nsome c in input.xs\na + b + c == -1"


@pytest.fixture
def guardrails(database: Database, evaluator: Evaluator) -> Guardrails:
    return over(database, evaluator)


async def forced(database: Database, name: str, policy: PolicySaid) -> None:
    """Keep a policy that was not checked: one that an earlier version let pass, or a hand wrote there."""
    async with database.session() as session, session.transaction():
        await store.Store(session).put_policy(name, policy, "root", NOW)


def told(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.policy, one.effect) for one in found]


async def test_the_next_change_is_judged_by_what_was_put(
    guard: PolicyGuard, guardrails: Guardrails
) -> None:
    assert await guard.judge(change()) == []
    await guardrails.put_policy(ROOT, name="no-orders", said=said())
    assert told(await guard.judge(change())) == [("no-orders", "refuse")]
    await guardrails.set_mode(ROOT, name="no-orders", mode="warn", reason="late")
    assert told(await guard.judge(change())) == [("no-orders", "warn")]
    await guardrails.set_mode(ROOT, name="no-orders", mode="off", reason="late")
    assert await guard.judge(change()) == []
    await guardrails.remove_policy(ROOT, name="no-orders")
    await guardrails.put_policy(ROOT, name="no-orders", said=said())
    assert told(await guard.judge(change())) == [("no-orders", "refuse")]


async def test_a_policy_that_was_never_kept_judges_nothing(
    guard: PolicyGuard, guardrails: Guardrails, database: Database
) -> None:
    """The audit log cannot be written, so the policy is not kept, and no guard may have seen it."""
    await guard.judge(change())
    await database.fetch("ALTER TABLE noted RENAME TO away")
    try:
        with pytest.raises(Exception, match="refused a statement"):
            await guardrails.put_policy(ROOT, name="no-orders", said=said())
    finally:
        await database.fetch("ALTER TABLE away RENAME TO noted")
    assert await guardrails._guard.judge(change()) == []
    await guardrails.set_mode(ROOT, name="backup", mode="warn", reason="x")
    assert await guardrails._guard.judge(change()) == []


@pytest.mark.parametrize("how", ["ended", "asked for anew"])
async def test_an_exception_that_is_over_stays_so_when_the_database_is_an_older_copy(
    database: Database, evaluator: Evaluator, how: str
) -> None:
    withdrawals = Remembered()
    guard = PolicyGuard(database, evaluator, withdrawals)
    guardrails = over(database, evaluator, withdrawals=withdrawals)
    await guardrails.put_policy(ROOT, name="no-orders", said=said())
    one = excepted(policy="no-orders")
    await guardrails.ask_exception(ADA, name="moving", said=one)
    await guardrails.allow_exception(MAX, name="moving", said=one)
    assert told(await guard.judge(change())) == [("no-orders", "excepted")]
    await database.fetch("CREATE TABLE yesterday AS TABLE guard_exception")
    if how == "ended":
        await guardrails.end_exception(ADA, name="moving")
    else:
        longer = msgspec.structs.replace(one, until=one.until + timedelta(days=1))
        await guardrails.ask_exception(ADA, name="moving", said=longer)
    async with database.session() as session:
        await session.run_script(
            "DELETE FROM guard_exception; INSERT INTO guard_exception TABLE yesterday; DROP TABLE yesterday"
        )
    assert told(await guard.judge(change())) == [("no-orders", "refuse")]
    (view,) = (await guardrails.exceptions(ADA)).items
    assert (view.state, view.allowed_by) == ("asked", "")
    await guardrails.allow_exception(MAX, name="moving", said=one)
    assert told(await guard.judge(change())) == [("no-orders", "excepted")]


async def test_an_exception_and_a_freeze_hold_at_once(
    guard: PolicyGuard, guardrails: Guardrails
) -> None:
    await guardrails.put_policy(ROOT, name="no-orders", said=said())
    one = excepted(policy="no-orders")
    await guardrails.ask_exception(ADA, name="moving", said=one)
    (asked,) = await guard.judge(change())
    assert asked.effect == "refuse"
    await guardrails.allow_exception(MAX, name="moving", said=one)
    assert told(await guard.judge(change())) == [("no-orders", "excepted")]
    later = change(at=NOW + timedelta(days=31))
    (over_,) = await guard.judge(later)
    assert (over_.effect, f"expired on {TODAY + timedelta(days=30)}" in over_.text) == (
        "refuse",
        True,
    )
    freeze = FreezeSaid("2026-06-01T00:00", "2026-06-02T00:00", "holidays")
    await guardrails.freeze(ROOT, name="holidays", said=freeze)
    assert ("freeze/holidays", "refuse") in told(await guard.judge(change()))
    back = await guard.judge(change(kind="rollback"))
    assert "refuse" not in {one.effect for one in back}


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (said('http.send({"url": "http://x"}).status == 200'), "'http.send' may not be called"),
        (said("f(1) == 1", rules="\nf(x) := f(x)\n"), "cannot be evaluated"),
        (
            said("x == 1", rules="\nx := 1 if input.service\n\nx := 2 if input.team\n"),
            "multiple outputs",
        ),
        (
            PolicySaid(
                "package drystone.no_orders\nimport rego.v1\ndeny contains 5\n", "", "t", TODAY
            ),
            "finds something else",
        ),
        (PolicySaid("", "", "t", TODAY), "begin with 'package drystone.no_orders'"),
    ],
)
async def test_a_policy_that_errs_is_closed(
    guard: PolicyGuard, database: Database, policy: PolicySaid, why: str
) -> None:
    await forced(database, "no-orders", policy)
    (found,) = await guard.judge(change())
    assert (found.policy, found.effect) == ("no-orders", "refuse")
    assert why in found.text


async def test_a_policy_without_an_end_and_an_evaluator_that_is_killed_are_closed(
    database: Database,
) -> None:
    evaluator = Evaluator(None, limit=timedelta(seconds=0.4))
    guard = PolicyGuard(database, evaluator)
    wide = "\n".join(f"    v{i} := d + {i}" for i in range(3))
    endless = f"some a in input.plan.changes\nsome b in input.plan.changes\nsome c in input.plan.changes\nsome e in input.plan.changes\nsome g in input.plan.changes\nd := a.line + b.line + c.line + e.line + g.line\n{wide.strip()}\nd == -1"
    try:
        assert await guard.judge(change()) == []
        assert evaluator.pid is not None
        os.kill(evaluator.pid, signal.SIGKILL)
        assert await guard.judge(change()) == []
        await forced(database, "no-orders", said(endless))
        (found,) = await guard.judge(change())
        assert "it took longer than 0.4 s" in found.text or "Maximum statement" in found.text
        assert found.effect == "refuse"
    finally:
        await evaluator.stop()


async def test_a_change_of_five_megabytes_is_refused_with_the_reason(guard: PolicyGuard) -> None:
    small = change()
    stacks = msgspec.json.decode(msgspec.json.encode(small.stacks))
    stacks["resources"]["env"] = {f"V{i}": ["x" * 1000] for i in range(5000)}
    found = await guard.judge(msgspec.structs.replace(small, stacks=stacks))
    assert {one.effect for one in found} == {"refuse"}
    assert all("524288 are the most" in one.text for one in found)


async def test_a_way_back_is_judged_without_a_plan(guard: PolicyGuard) -> None:
    """It has stacks on record, and nothing that only a descriptor's plan knows."""
    tidy = change()
    bare = msgspec.structs.replace(tidy.plan, not_yet=[], changes=[])
    stacks = msgspec.to_builtins(msgspec.convert(tidy.stacks, Stacks))
    back = msgspec.structs.replace(tidy, plan=bare, stacks=stacks, kind="rollback")
    assert await guard.judge(back) == []


async def test_stacks_of_another_version_are_refused(guard: PolicyGuard) -> None:
    small = change()
    for stacks in ({}, {**small.stacks, "environment": {"tier": "all"}}):
        found = await guard.judge(msgspec.structs.replace(small, stacks=stacks))
        assert told(found) == [("guardrails", "refuse")]
        back = await guard.judge(msgspec.structs.replace(small, stacks=stacks, kind="rollback"))
        assert told(back) == [("guardrails", "warn")]


async def test_many_are_judged_while_policies_change(
    guard: PolicyGuard, guardrails: Guardrails
) -> None:
    """Each judgement is by one of the sets that there were, whole."""
    both = [("a-one", "refuse"), ("b-two", "refuse")]

    async def switch() -> None:
        for mode in ("off", "refuse") * 5:
            for name in ("a-one", "b-two"):
                await guardrails.set_mode(ROOT, name=name, mode=mode, reason="x")

    for name in ("a-one", "b-two"):
        await guardrails.put_policy(ROOT, name=name, said=said(name=name))
    switching = asyncio.ensure_future(switch())
    seen = await asyncio.gather(*(guard.judge(change()) for _ in range(40)))
    await switching
    for found in seen:
        assert told(found) in ([], both[:1], both[1:], both)
    assert told(await guard.judge(change())) == both


async def test_what_policies_see_is_what_their_reader_knows() -> None:
    shape = known()
    assert isinstance(shape, Mapping)
    assert set(shape) == {
        "service",
        "environment",
        "team",
        "actor",
        "kind",
        "at",
        "stacks",
        "plan",
        "noted",
        "lines",
        "declared",
        "artefact",
    }
