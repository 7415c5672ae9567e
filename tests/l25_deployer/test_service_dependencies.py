"""The dependency model and the check of dependencies, as callers of the deployer know them."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest

from drystone.l00_kernel.errors import Invalid
from drystone.l05_graph.forms.survey import read
from drystone.l05_graph.model import Model
from drystone.l25_deployer.api import AcceptedRisk, DependencyFinding, PathStep, PlanView, Progress
from drystone.l25_deployer.errors import PlanRefused
from l25_deployer.reached import Reached, all_of, at
from l25_deployer.small_platform import ASKING, deploy, descriptor, source

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def live(p: Reached) -> Model:
    return read((await p.api.dependencies(ASKING)).survey)


async def test_a_service_is_part_of_the_model_once_it_is_deployed(p: Reached) -> None:
    assert "dev/modelled" not in (await live(p)).by_name

    await deploy(p.api, descriptor("modelled", more="tier: 1\nlayer: 70"), p.source)

    model = await live(p)
    component = model.component("dev/modelled")
    assert (component.tier, component.layer, component.owner) == (1, 70, "tests")
    targets = {one.target for one in model.needs["dev/modelled"]}
    assert targets == {"platform/deployer", "platform/proxy"}


async def test_the_platform_came_up_in_the_order_that_is_told(p: Reached) -> None:
    told = await p.api.dependencies(ASKING)

    names = [name for wave in told.followed for name in wave]
    assert told.order[: len(told.followed)] == told.followed, "what was deployed since follows"
    assert names.index("platform/proxy") < names.index("platform/deployer")
    ready = [
        f"platform/{step.name}"
        for step in (await p.api.status(ASKING)).startup
        if step.state in {"ready", "adopted"}
    ]
    assert [name for name in names if name in ready] == ready
    assert set(told.came_up) == set(ready)
    for earlier, later in itertools.pairwise(told.followed):
        begun = [told.came_up[name].at for name in later if name in ready]
        assert all(told.came_up[name].at <= at for name in earlier if name in ready for at in begun)


def needing(other: str, more: str = "needs: hard") -> str:
    return f"dependencies: {{{other}: {{{more}}}}}"


async def test_of_two_deploys_that_would_tangle_together_exactly_one_gets_in(p: Reached) -> None:
    names = ("left", "right")
    for name in names:
        await deploy(p.api, descriptor(name), p.source)

    ended = await asyncio.gather(
        deploy(p.api, descriptor("left", more=needing("right")), p.source),
        deploy(p.api, descriptor("right", more=needing("left")), p.source),
        return_exceptions=True,
    )

    (refused,) = [one for one in ended if isinstance(one, BaseException)]
    assert isinstance(refused, PlanRefused)
    assert "tangle: dev/" in str(refused)
    model = await live(p)
    declared = {n: {one.target for one in model.needs[f"dev/{n}"]} for n in names}
    assert ("dev/right" in declared["left"]) != ("dev/left" in declared["right"])


async def test_going_back_into_a_tangle_is_told_and_never_refused(p: Reached) -> None:
    await deploy(p.api, descriptor("ground"), p.source)
    await deploy(p.api, descriptor("upper", more=needing("ground")), p.source)
    await deploy(p.api, descriptor("upper"), p.source)
    await deploy(p.api, descriptor("ground", more=needing("upper")), p.source)

    told = await all_of(p.api.rollback(ASKING, **at("upper")))

    assert any(
        progress.text.startswith("goes back all the same: tangle: dev/upper → dev/ground")
        for progress in told
    )
    assert told[-1].step == "done"
    again = await p.api.plan(
        ASKING,
        source=source(descriptor("upper", more=needing("ground")), p.source),
        environment="dev",
    )
    assert again.refused == []
    assert "1 older finding stands about upper; `drystone deps lint` shows what" in again.notes


async def test_what_is_about_to_be_needed_is_not_removed(p: Reached) -> None:
    await deploy(p.api, descriptor("needed"), p.source)
    coming = p.api.deploy(
        ASKING,
        source=source(descriptor("needing", more=needing("needed")), p.source),
        environment="dev",
    )
    async for progress in coming:
        if progress.step == "build":
            break
    with pytest.raises(PlanRefused, match=r"dev/needing cannot run without needed\.dev"):
        await all_of(p.api.destroy(ASKING, **at("needed")))


async def test_nothing_is_deployed_in_the_place_of_the_platform(p: Reached) -> None:
    asked = source(descriptor("proxy"), p.source)

    with pytest.raises(Invalid, match="'platform' is where the platform's own services stand"):
        await all_of(p.api.deploy(ASKING, source=asked, environment="platform"))


PROMISES = """
tier: 1
plane: data
regions: [eu, us]
resilience: multi-region
slo: {availability: 99.9%}
"""
"""None of which a service can keep that needs the next one."""

WEAKER = """
tier: 3
plane: control
regions: [eu]
resilience: single-zone
availability: 99%
"""
RULES = ("tier", "plane", "region", "resilience", "slo")


async def test_promises_that_cannot_be_kept_are_told_with_who_took_the_risk_until_its_last_day(
    p: Reached,
) -> None:
    promising = "dev/promising"
    today = datetime.now(UTC).date()

    def wanted(days: int | None = None) -> str:
        risk = "needs: hard"
        if days is not None:
            until = today + timedelta(days=days)
            risk += f", accepted: {{by: ann, reason: moves in spring, until: {until}}}"
        return descriptor("promising", more=PROMISES + needing("weaker", risk))

    async def planned(text: str) -> PlanView:
        asked = source(text, p.source)
        return await p.api.plan(ASKING, source=asked, environment="dev")

    await deploy(p.api, descriptor("weaker", more=WEAKER), p.source)

    plan = await planned(wanted())
    assert plan.refused == []
    assert sorted(one.rule for one in plan.findings) == sorted(RULES)
    for one in plan.findings:
        assert (one.subject, one.refuses, one.accepted) == (promising, False, None)
        assert one.path == (PathStep(promising, "dev/weaker", "hard", ("run",)),)
        assert one.advice
        assert (one.file, plan_line(wanted(), one)) == ("service.yaml", "dependencies")
        assert any(note.startswith(f"{one.rule}: {promising}") for note in plan.notes)

    accepting = await deploy(p.api, wanted(20), p.source)
    assert accepting[-1].step == "done"
    (checked,) = [one for one in accepting if one.step == "check" and one.state == "ended"]
    assert sorted(one.rule for one in checked.findings) == sorted(RULES)
    for one in checked.findings:
        assert one.severity == "note"
        assert one.accepted is not None
        assert one.accepted.days_left in {19, 20}, "it may be past midnight by now"
        until = today + timedelta(days=20)
        assert one.accepted == AcceptedRisk("ann", "moves in spring", until, one.accepted.days_left)
    told = [one.text for one in accepting if " days left; moves in spring): " in one.text]
    assert len(told) == len(RULES)

    over = await planned(wanted(-1))
    assert over.refused == []
    rules = {one.rule: one.severity for one in over.findings}
    assert rules.keys() == {*RULES, "accepted"}
    assert rules["accepted"] == rules["tier"] == "error"

    await deploy(p.api, wanted(-1), p.source)
    again = await planned(wanted(-1))
    assert {one.rule for one in again.findings} == {*RULES, "accepted"}, "until somebody acts"


def plan_line(text: str, finding: DependencyFinding) -> str:
    assert finding.line is not None
    assert finding.column is not None
    return text.splitlines()[finding.line - 1].partition(":")[0]


async def test_a_refused_deploy_says_for_machines_what_refuses_it(p: Reached) -> None:
    asked = source(descriptor("lonely", more=needing("nowhere")), p.source)
    told: list[Progress] = []

    async def follow() -> None:
        async for progress in p.api.deploy(ASKING, source=asked, environment="dev"):
            told.append(progress)  # noqa: PERF401 - what came before it failed counts

    with pytest.raises(PlanRefused, match="'nowhere', which is not deployed in dev"):
        await follow()
    assert told[-1].state == "failed"
    (found,) = told[-1].findings
    assert (found.rule, found.severity, found.refuses) == ("missing", "error", True)
    assert found.path == (PathStep("dev/lonely", "dev/nowhere", "hard", ("run",)),)
