"""From environment to environment: what a release waits for, who agrees, and what goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import pytest
from typing_extensions import override

from drystone.l00_kernel.context import Caller, Context
from drystone.l50_orchestrator.ports import Action, Actor, Environment, Finding
from drystone.l50_orchestrator.releases.errors import (
    CannotBePromoted,
    NoApprovalAsked,
    NotAnApprover,
    NothingServes,
    PromotionUnderWay,
    RequestUnfit,
)
from drystone.testing.orchestrator import AllowAll, actor_of
from l50_orchestrator.releases.stage import ADA, BOB, Stage, source

pytestmark = pytest.mark.asyncio(loop_scope="session")

APPROVED = "approve: [leads]"
IN_PROD = "\nenvironments: {{staging: {{}}, prod: {{deploy: {{{}}}}}}}\n"


def with_prod(deploy: str) -> str:
    return source(more=IN_PROD.format(deploy)).text


async def deployed(stage: Stage, text: str, where: str, version: str = "1") -> str:
    """Deploy a text, and wait for its end."""
    said = type(source())(text, "service.yaml", "/srv/orders")
    asked = await stage.releases.deploy(ADA, source=said, environment=where, version=version)
    assert (await stage.ended(asked.id)).state == "served"
    return asked.id


async def test_a_promotion_brings_the_very_same_artefact_and_descriptor(stage: Stage) -> None:
    async with stage.worker():
        first = await deployed(stage, source().text, "staging")
        asked = await stage.releases.promote(ADA, service="orders", to="prod")
        assert (await stage.ended(asked.id)).state == "served"
    one, two = [await stage.releases.show(ADA, release=id_) for id_ in (first, asked.id)]
    assert (one.artefact, one.descriptor) == (two.artefact, two.descriptor)
    assert (two.summary.kind, two.summary.origin, two.summary.version) == ("promotion", first, "1")
    assert stage.serves("prod") == "1"


@pytest.mark.parametrize("before", ["", "0"])
async def test_another_artefact_than_the_one_that_was_tried_is_not_promoted(
    stage: Stage, before: str
) -> None:
    async with stage.worker():
        if before:
            await deployed(stage, source().text, "staging", before)
            first = await stage.releases.promote(ADA, service="orders", to="prod")
            assert (await stage.ended(first.id)).state == "served"
        await deployed(stage, source().text, "staging")
        stage.target.faults["1"] = "other"
        asked = await stage.releases.promote(ADA, service="orders", to="prod")
        ended = await stage.ended(asked.id)
    assert "folder has changed" in ended.why
    assert (ended.state, stage.serves("prod")) == ("failed", before)
    assert await stage.releases.disagreements(ADA, environment="prod") == []


async def test_a_cutover_cannot_be_held_and_is_promoted_all_the_same(stage: Stage) -> None:
    async with stage.worker():
        for version in ("1", "2"):
            await deployed(stage, source(deploy="strategy: cutover").text, "staging", version)
            asked = await stage.releases.promote(ADA, service="orders", to="prod")
            assert (await stage.ended(asked.id)).state == "served"
    assert not any(one.hold for one in stage.target.service("prod", "orders").operations.values())


async def test_of_two_promotions_at_once_one_is_refused(stage: Stage) -> None:
    async with stage.worker():
        await deployed(stage, source().text, "staging")
    asks = [stage.releases.promote(one, service="orders", to="prod") for one in (ADA, BOB)]
    done = await asyncio.gather(*asks, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["PromotionUnderWay", "ReleaseSummary"]
    assert any(isinstance(one, PromotionUnderWay) for one in done)


async def test_what_never_served_or_is_nowhere_is_not_promoted(stage: Stage) -> None:
    with pytest.raises(NothingServes):
        await stage.releases.promote(ADA, service="orders", to="prod")
    with pytest.raises(RequestUnfit):
        await stage.releases.promote(ADA, service="orders", to="dev")
    stage.target.faults["1"] = "fails"
    async with stage.worker():
        failed = await stage.deploy(version="1", where="staging")
    with pytest.raises(CannotBePromoted):
        await stage.releases.promote(ADA, service="orders", to="prod", release=failed.id)


async def test_what_must_come_from_elsewhere_is_not_deployed_directly(stage: Stage) -> None:
    said = type(source())(with_prod("after: staging"), "service.yaml", "/srv")
    async with stage.worker():
        asked = await stage.releases.deploy(ADA, source=said, environment="prod")
        ended = await stage.ended(asked.id)
    assert ended.state == "refused"
    assert "has not served in staging" in ended.why


async def test_a_soak_ends_and_the_release_goes_on_by_itself(stage: Stage) -> None:
    async with stage.worker():
        await deployed(stage, with_prod("after: staging, soak: 1s"), "staging")
        found = [
            one for one in (await stage.releases.history(ADA)).items if one.environment == "prod"
        ]
        assert [(one.kind, one.author) for one in found] == [("promotion", "ada")]
        assert (await stage.ended(found[0].id)).state == "served"
    waited = (await stage.releases.show(ADA, release=found[0].id)).steps
    assert any("serve in staging for another" in one.text for one in waited)


async def test_a_soak_that_is_cut_short_refuses(stage: Stage) -> None:
    async with stage.worker():
        await deployed(stage, with_prod("after: staging, soak: 1h"), "staging")
        waiting = (await stage.releases.history(ADA, environment="prod")).items[0]
        await stage.in_state(waiting.id, "waiting")
        await deployed(stage, source().text, "staging", "2")
        await stage.releases.carrier.wake(waiting.id)
        ended = await stage.ended(waiting.id)
    assert ended.state == "refused"
    assert "serves there no more" in ended.why


async def test_a_clock_that_is_an_hour_wrong_ends_no_soak(stage: Stage) -> None:
    """The soak is counted by the database's clock; what a process takes for the present is never asked."""
    async with stage.worker():
        await deployed(stage, with_prod("after: staging, soak: 1h"), "staging")
        waiting = (await stage.releases.history(ADA, environment="prod")).items[0]
        await stage.in_state(waiting.id, "waiting")
        # As if the database's hour had gone by while this process stood still.
        await stage.database.fetch("UPDATE serving SET since = since - interval '1 hour'")
        await stage.releases.carrier.wake(waiting.id)
        assert (await stage.ended(waiting.id)).state == "served"
    assert waiting.asked_at > datetime.now(UTC) - timedelta(hours=1)


async def test_somebody_else_has_to_agree(stage: Stage) -> None:
    async with stage.worker():
        said = source(deploy=APPROVED)
        asked = await stage.releases.deploy(ADA, source=said, environment="dev")
        view = await stage.in_state(asked.id, "waiting")
        assert view.approve == ["leads"]
        assert "waits for the approval of leads" in view.summary.why
        ada_leads = Context(Caller("ada", frozenset({"team/leads"})))
        with pytest.raises(NotAnApprover, match="somebody else"):
            await stage.releases.approve(ada_leads, release=asked.id, agrees=True)
        with pytest.raises(NotAnApprover, match="not among them"):
            await stage.releases.approve(Context(Caller("eve")), release=asked.id, agrees=True)
        assert (await stage.releases.show(ADA, release=asked.id)).summary.state == "waiting"
        await stage.releases.approve(BOB, release=asked.id, agrees=True, message="fine")
        assert (await stage.ended(asked.id)).state == "served"
    words = (await stage.releases.show(ADA, release=asked.id)).approvals
    assert [(one.by, one.agrees, one.message) for one in words] == [("bob", True, "fine")]


class NobodyApproves(AllowAll):
    @override
    async def who_may(
        self, action: Action, names: Collection[str], *, service: str, environment: str
    ) -> frozenset[str] | None:
        assert (action, service, environment) == (Action.APPROVE, "orders", "dev")
        return frozenset(names) - {"leads"}


async def test_a_release_that_waits_in_vain_says_so(stage: Stage) -> None:
    stage.reset(stage.target, gate=NobodyApproves())
    async with stage.worker():
        asked = await stage.releases.deploy(ADA, source=source(deploy=APPROVED), environment="dev")
        view = await stage.in_state(asked.id, "waiting")
        assert "waits for the approval of leads; nobody of leads may approve" in view.summary.why
        assert "drystone grants give team:leads deployer" in view.summary.why
        await stage.releases.steer(ADA, release=asked.id, verb="abort")
        await stage.ended(asked.id)


async def test_one_no_ends_it(stage: Stage) -> None:
    async with stage.worker():
        asked = await stage.releases.deploy(ADA, source=source(deploy=APPROVED), environment="dev")
        await stage.releases.approve(BOB, release=asked.id, agrees=False, message="too late")
        ended = await stage.ended(asked.id)
        assert (ended.state, ended.why) == ("refused", "rejected by bob: too late")
        with pytest.raises(NoApprovalAsked):
            await stage.releases.approve(BOB, release=asked.id, agrees=True)


class ByToken(AllowAll):
    """Takes callers called ``token:…`` for tokens that bob made."""

    @override
    async def require(
        self,
        ctx: Context,
        action: Action,
        *,
        service: str | None = None,
        environment: str | None = None,
    ) -> Actor:
        if ctx.caller.name.startswith("token:"):
            return Actor(ctx.caller.name, "token", frozenset({"leads"}), "bob")
        return actor_of(ctx)


async def test_neither_a_token_nor_its_maker_agrees_to_what_the_token_asked_for(
    stage: Stage,
) -> None:
    stage.reset(gate=ByToken())
    token = Context(Caller("token:7"))
    said = source(deploy=APPROVED)
    asked = await stage.releases.deploy(token, source=said, environment="dev")
    for who in (token, BOB):
        with pytest.raises(NotAnApprover):
            await stage.releases.approve(who, release=asked.id, agrees=True)


async def test_what_waited_is_judged_again_before_it_is_brought_up(stage: Stage) -> None:
    async with stage.worker():
        asked = await stage.releases.deploy(ADA, source=source(deploy=APPROVED), environment="dev")
        await stage.in_state(asked.id, "waiting")
        stage.guard.findings.append(Finding("freeze", "refuse", "the year ends"))
        await stage.releases.approve(BOB, release=asked.id, agrees=True)
        ended = await stage.ended(asked.id)
    assert (ended.state, ended.why) == ("refused", "freeze: the year ends")


async def test_a_window_that_is_closed_is_waited_for(stage: Stage) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).strftime("%a").lower()
    said = f"windows: [{day} 09:00-16:00 Europe/Berlin]"
    async with stage.worker():
        asked = await stage.releases.deploy(ADA, source=source(deploy=said), environment="dev")
        view = await stage.in_state(asked.id, "waiting")
        assert "waits for its window, which opens at" in view.summary.why
        answer = await stage.releases.steer(BOB, release=asked.id, verb="abort", message="no")
        assert "aborted" in answer.text
        assert (await stage.ended(asked.id)).state == "aborted"
    assert stage.serves() == ""


async def test_what_is_paused_before_it_is_brought_up_waits_until_it_is_resumed(
    stage: Stage,
) -> None:
    asked = await stage.releases.deploy(ADA, source=source(), environment="dev")
    await stage.releases.steer(BOB, release=asked.id, verb="pause")
    async with stage.worker():
        view = await stage.in_state(asked.id, "waiting")
        assert view.summary.why.startswith("paused by bob")
        await stage.releases.steer(BOB, release=asked.id, verb="resume")
        assert (await stage.ended(asked.id)).state == "served"


REGIONS = (
    Environment("staging", "staging"),
    Environment("prod-eu", "prod", region="eu", after="staging"),
    Environment("prod-us", "prod", region="us", after="staging"),
)


async def test_regions_follow_one_another(stage: Stage) -> None:
    stage.reset(None, *REGIONS)
    async with stage.worker():
        await deployed(stage, source().text, "staging")
        first = await stage.releases.promote(ADA, service="orders", to="prod")
        assert first.environment == "prod-eu"
        assert (await stage.ended(first.id)).state == "served"
        second = (await stage.releases.history(ADA, environment="prod-us")).items[0]
        assert (await stage.ended(second.id)).state == "served"
    assert second.message.startswith("follows prod-eu/orders/1")


async def test_a_region_that_fails_ends_the_train(stage: Stage) -> None:
    stage.reset(None, *REGIONS)
    async with stage.worker():
        await deployed(stage, source().text, "staging")
        stage.target.faults["1"] = "fails"
        first = await stage.releases.promote(ADA, service="orders", to="prod")
        assert (await stage.ended(first.id)).state == "failed"
    assert (await stage.releases.history(ADA, environment="prod-us")).items == []
