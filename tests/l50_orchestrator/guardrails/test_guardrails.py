"""Guardrails in every reach, on a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import openapi_spec_validator
import pytest

from drystone.l00_kernel.contract import openapi
from drystone.l00_kernel.errors import Denied, Invalid
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.errors import StatementRefused
from drystone.l50_orchestrator.guardrails import errors
from drystone.l50_orchestrator.guardrails.api import Case, FreezeSaid, GuardrailsApi
from drystone.l50_orchestrator.guardrails.guard import PolicyGuard
from drystone.l50_orchestrator.guardrails.house_policies import house_policies
from drystone.testing.orchestrator import TableBook
from l50_orchestrator.guardrails.ground import ADA, MAX, ROOT, change, said
from l50_orchestrator.guardrails.test_domain import TODAY, excepted

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOUSE = [policy.name for policy in house_policies()]
FREEZE = FreezeSaid("2026-06-01T00:00", "2026-06-02T00:00", "holidays", types=("prod",))


async def test_the_house_is_on_by_default(api: GuardrailsApi) -> None:
    page = await api.policies(ADA)
    assert [(one.name, one.mode, one.is_house) for one in page.items] == [
        (name, "refuse", True) for name in HOUSE
    ]


async def test_a_policy_is_put_shown_switched_and_removed(
    api: GuardrailsApi, database: Database
) -> None:
    put = await api.put_policy(ROOT, name="no-orders", said=said())
    assert (put.by, put.mode, put.said) == ("root", "refuse", said())
    assert await api.policy(ADA, name="no-orders") == put
    await api.set_mode(ROOT, name="no-orders", mode="warn", reason="one team is late")
    assert (await api.policy(ADA, name="no-orders")).reason == "one team is late"
    await api.remove_policy(ROOT, name="no-orders")
    with pytest.raises(errors.PolicyNotFound):
        await api.policy(ADA, name="no-orders")
    noted = [(one.action, one.subject) for one in await TableBook.noted(database)]
    assert noted == [(f"policy.{word}", "policy/no-orders") for word in ("put", "mode", "removed")]


async def test_policies_come_in_pages(api: GuardrailsApi) -> None:
    await api.put_policy(ROOT, name="no-orders", said=said())
    names: list[str] = []
    cursor = None
    while True:
        page = await api.policies(ADA, cursor=cursor, limit=3)
        names += [one.name for one in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert names == sorted([*HOUSE, "no-orders"])
    with pytest.raises(Invalid):
        await api.policies(ADA, limit=0)


async def test_a_policy_with_mistakes_is_not_kept(api: GuardrailsApi) -> None:
    for body, told in (
        (
            'http.send({"url": "http://x"}).ok',
            r"no-orders\.rego:6:5: 'http\.send' may not be called",
        ),
        ("input.stacks.enviroment.tier == 1", "input.stacks has no 'enviroment'"),
        ("some x in input.noted\n    x === 3", r"no-orders\.rego:7:1: .*Invalid"),
    ):
        with pytest.raises(errors.PolicyRefused, match=told):
            await api.put_policy(ROOT, name="no-orders", said=said(body))
    with pytest.raises(errors.PolicyRefused, match="'backup' is a policy of the house"):
        await api.put_policy(ROOT, name="backup", said=said(name="backup"))
    with pytest.raises(errors.PolicyRefused, match="is no name"):
        await api.put_policy(ROOT, name="No Orders", said=said())
    assert [one.name for one in (await api.policies(ADA)).items] == HOUSE


async def test_a_policy_that_fails_its_own_case_is_not_kept(api: GuardrailsApi) -> None:
    good = Case("the sample is called orders", deny=("found",))
    bad = Case("another name passes", {"service": "mail"}, deny=("found",))
    await api.put_policy(ROOT, name="no-orders", said=said(cases=(good,)))
    with pytest.raises(
        errors.PolicyRefused, match="case 'another name passes': 'deny' does not say"
    ):
        await api.put_policy(ROOT, name="no-orders", said=said(cases=(good, bad)))
    tried = await api.try_policy(ADA, name="no-orders", said=said(cases=(good, bad)))
    assert len(tried.failed) == 1
    assert (await api.policy(ADA, name="no-orders")).said.cases == (good,)


async def test_a_policy_is_tried_on_what_was_judged(api: GuardrailsApi, guard: PolicyGuard) -> None:
    for _ in range(7):
        await guard.judge(change())
    kept = await api.judgements(ADA, service="orders")
    assert len(kept) == 5
    assert kept[0].number > kept[-1].number
    tried = await api.try_policy(ADA, name="no-orders", said=said(), judgement=kept[0].number)
    assert [(one.policy, one.effect, one.text) for one in tried.findings] == [
        ("no-orders", "refuse", "found")
    ]
    with pytest.raises(errors.JudgementNotFound):
        await api.try_policy(ADA, name="no-orders", said=said(), judgement=0)


async def test_who_may_not_administer_changes_no_policy(api: GuardrailsApi) -> None:
    with pytest.raises(Denied):
        await api.put_policy(ADA, name="no-orders", said=said())
    with pytest.raises(Denied):
        await api.set_mode(ADA, name="backup", mode="off", reason="I want to")
    with pytest.raises(Denied):
        await api.remove_policy(ADA, name="backup")


async def test_a_policy_of_the_house_is_switched_off_with_a_reason_and_never_removed(
    api: GuardrailsApi,
) -> None:
    with pytest.raises(Invalid, match="say why"):
        await api.set_mode(ROOT, name="backup", mode="off", reason=" ")
    with pytest.raises(errors.PolicyRefused, match="set its mode"):
        await api.remove_policy(ROOT, name="backup")
    off = await api.set_mode(ROOT, name="backup", mode="off", reason="copies are made elsewhere")
    assert (off.mode, off.by) == ("off", "root")


async def test_an_exception_is_asked_for_allowed_by_another_and_ended(
    api: GuardrailsApi, database: Database
) -> None:
    asked = await api.ask_exception(ADA, name="moving", said=excepted())
    assert (asked.state, asked.asked_by, asked.days_left) == ("asked", "ada", 30)
    with pytest.raises(errors.SamePerson):
        await api.allow_exception(ADA, name="moving", said=excepted())
    allowed = await api.allow_exception(MAX, name="moving", said=excepted())
    assert (allowed.state, allowed.allowed_by) == ("counts", "max")
    assert await api.ask_exception(ADA, name="moving", said=excepted()) == allowed
    assert (await api.exceptions(ADA)).items == [allowed]
    longer = excepted(until=TODAY + timedelta(days=60))
    assert (await api.ask_exception(ADA, name="moving", said=longer)).state == "asked"
    with pytest.raises(errors.ExceptionHasChanged):
        await api.allow_exception(MAX, name="moving", said=excepted())
    await api.end_exception(ADA, name="moving")
    with pytest.raises(errors.ExceptionNotFound):
        await api.allow_exception(MAX, name="moving", said=longer)
    assert (await api.exceptions(ADA)).items == []
    actions = [one.action for one in await TableBook.noted(database)]
    assert actions == [f"exception.{word}" for word in ("asked", "allowed", "asked", "ended")]


async def test_an_exception_from_nothing_or_for_too_long_is_refused(api: GuardrailsApi) -> None:
    for wrong in (
        excepted(policy="nope"),
        excepted(policy="freeze/holidays"),
        excepted(until=TODAY + timedelta(days=91)),
        excepted(service="x'; DROP TABLE guard_policy; --"),
    ):
        with pytest.raises(errors.ExceptionUnfit):
            await api.ask_exception(ADA, name="moving", said=wrong)
    await api.freeze(ROOT, name="holidays", said=FREEZE)
    await api.ask_exception(ADA, name="hotfix", said=excepted(policy="freeze/holidays"))


async def test_a_freeze_is_put_listed_and_lifted(api: GuardrailsApi) -> None:
    put = await api.freeze(ROOT, name="holidays", said=FREEZE)
    assert (put.is_on, put.by) == (True, "root")
    assert await api.freezes(ADA) == [put]
    with pytest.raises(errors.FreezeUnfit):
        await api.freeze(ROOT, name="holidays", said=FreezeSaid("x", "y", "z"))
    await api.lift(ROOT, name="holidays")
    assert await api.freezes(ADA) == []


async def test_two_who_allow_at_once_leave_one_note(
    reached: dict[str, GuardrailsApi], database: Database
) -> None:
    await reached["embedded"].ask_exception(ADA, name="moving", said=excepted())
    both = (
        reached[how].allow_exception(who, name="moving", said=excepted())
        for how, who in (("embedded", MAX), ("alone", ROOT))
    )
    first, second = await asyncio.gather(*both)
    assert first == second
    actions = [one.action for one in await TableBook.noted(database)]
    assert actions == ["exception.asked", "exception.allowed"]


async def test_the_tables_themselves_hold_four_eyes(api: GuardrailsApi, database: Database) -> None:
    await api.ask_exception(ADA, name="moving", said=excepted())
    with pytest.raises(StatementRefused):
        await database.fetch("UPDATE guard_exception SET allowed_by = asked_by")


async def test_its_contract_has_a_valid_description() -> None:
    openapi_spec_validator.validate(openapi(GuardrailsApi, title="Guardrails", version="1"))


async def test_the_tables_are_made_once(database: Database) -> None:
    applied = await database.fetch("SELECT name FROM migration WHERE part = 'guardrails'")
    assert applied == [("0001_guardrails.sql",)]
