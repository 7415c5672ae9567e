"""Progressive rollouts to their ends: good, bad, steered, and with the stable release broken."""

from __future__ import annotations

import asyncio

import pytest

from drystone.l50_orchestrator.target import Arm, Signals
from drystone.testing.simulated_target import Traffic
from l50_orchestrator.releases.stage import ADA, BOB, Stage, source

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLOWLY = "strategy: progressive, steps: [10%, 50%, 100%], hold: 10m, watch: {metrics: [errors]}"
LATER = "strategy: progressive, steps: [10%, 100%], hold: 1000h, watch: {metrics: [errors, slow], quiet: hold}"


async def test_a_good_release_takes_all_traffic_step_by_step(stage: Stage) -> None:
    stage.target.traffic = Traffic(rate=50, stable=0.01, canary=0.01, speed=2000)
    async with stage.worker():
        await stage.deploy(SLOWLY, version="1")
        ended = await stage.deploy(SLOWLY, version="2")
    view = await stage.releases.show(ADA, release=ended.id)
    assert ended.state == "served"
    assert view.rollout is not None
    assert (view.rollout.phase, view.rollout.share) == ("promoted", 1.0)
    assert [one.share for one in view.rollout.curve] == sorted(o.share for o in view.rollout.curve)
    assert stage.serves() == "2"


async def test_a_bad_release_is_rolled_back_and_the_evidence_is_shown(stage: Stage) -> None:
    stage.target.traffic = Traffic(rate=50, canary=0.3, speed=2000)
    async with stage.worker():
        await stage.deploy(SLOWLY, version="1")
        ended = await stage.deploy(SLOWLY, version="2")
    view = await stage.releases.show(ADA, release=ended.id)
    assert (ended.state, stage.serves()) == ("rolled-back", "1")
    assert "proven bad by errors" in ended.why
    assert view.rollout is not None
    assert view.rollout.curve[-1].evidence >= view.rollout.alarm
    assert view.rollout.examples[0].startswith("GET / answered 500")
    bad, all_, stable_bad, _ = view.rollout.counted["errors"]
    assert (0 < bad <= all_, stable_bad) == (True, 0)


async def test_where_stable_is_the_broken_one_the_new_release_is_held_against_the_objective(
    stage: Stage,
) -> None:
    stage.target.traffic = Traffic(rate=200, stable=0.5, canary=0.0, speed=2000)
    said = source(deploy=SLOWLY, more="slo: {availability: 99%}\n")
    async with stage.worker():
        await stage.deploy(SLOWLY, version="1")
        asked = await stage.releases.deploy(ADA, source=said, environment="dev", version="2")
        assert (await stage.ended(asked.id)).state == "served"
    assert stage.serves() == "2"


@pytest.mark.parametrize(
    ("verb", "state", "version"), [("promote", "served", "2"), ("abort", "aborted", "1")]
)
async def test_orders_end_what_nothing_is_proven_of(
    stage: Stage, verb: str, state: str, version: str
) -> None:
    stage.target.traffic = Traffic(rate=0.0)
    async with stage.worker():
        await stage.deploy(LATER, version="1")
        asked = await stage.releases.deploy(
            ADA, source=source(deploy=LATER), environment="dev", version="2"
        )
        await stage.until(asked.id, lambda one: one.rollout is not None)
        await stage.releases.steer(BOB, release=asked.id, verb="pause")
        paused = await stage.until(
            asked.id, lambda one: one.rollout is not None and one.rollout.phase == "paused"
        )
        assert paused.rollout is not None
        assert paused.rollout.why == "paused by bob"
        await stage.releases.steer(BOB, release=asked.id, verb=verb)  # type: ignore[arg-type]
        assert (await stage.ended(asked.id)).state == state
        again = await stage.releases.steer(BOB, release=asked.id, verb="abort")
    assert again.state == state
    assert stage.serves() == version


async def test_of_two_orders_at_once_both_are_taken_and_the_release_ends_once(stage: Stage) -> None:
    stage.target.traffic = Traffic(rate=0.0)
    async with stage.worker():
        await stage.deploy(LATER, version="1")
        asked = await stage.releases.deploy(
            ADA, source=source(deploy=LATER), environment="dev", version="2"
        )
        await stage.in_state(asked.id, "rolling")
        await asyncio.gather(
            stage.releases.steer(BOB, release=asked.id, verb="promote"),
            stage.releases.steer(ADA, release=asked.id, verb="abort"),
        )
        ended = await stage.ended(asked.id)
    assert (ended.state, stage.serves()) in {("served", "2"), ("aborted", "1")}
    steps = (await stage.releases.show(ADA, release=asked.id)).steps
    assert sum(one.step == "order" for one in steps) == 2
    assert sum(one.step == "end" for one in steps) == 1
    assert await stage.releases.disagreements(ADA, environment="dev") == []


async def test_a_rollback_without_a_number_aborts_what_is_under_way(stage: Stage) -> None:
    stage.target.traffic = Traffic(rate=0.0)
    async with stage.worker():
        await stage.deploy(LATER, version="1")
        asked = await stage.releases.deploy(
            ADA, source=source(deploy=LATER), environment="dev", version="2"
        )
        await stage.in_state(asked.id, "rolling")
        back = await stage.releases.rollback(BOB, environment="dev", service="orders")
        assert back.id == asked.id
        assert (await stage.ended(asked.id)).state == "aborted"
    assert stage.serves() == "1"


async def test_an_order_to_promote_before_it_is_up_skips_the_steps(stage: Stage) -> None:
    stage.target.traffic = Traffic(rate=0.0)
    async with stage.worker():
        await stage.deploy(LATER, version="1")
    asked = await stage.releases.deploy(
        ADA, source=source(deploy=LATER), environment="dev", version="2"
    )
    await stage.releases.steer(BOB, release=asked.id, verb="promote")
    async with stage.worker():
        assert (await stage.ended(asked.id)).state == "served"


async def test_a_rollout_goes_on_where_another_worker_left_it(stage: Stage) -> None:
    stage.target.traffic = Traffic(rate=0.0)
    async with stage.worker():
        await stage.deploy(LATER, version="1")
        asked = await stage.releases.deploy(
            ADA, source=source(deploy=LATER), environment="dev", version="2"
        )
        await stage.releases.steer(BOB, release=asked.id, verb="pause")
        await stage.releases.steer(BOB, release=asked.id, verb="resume")
        before = await stage.in_state(asked.id, "rolling")
    async with stage.worker():
        await stage.releases.steer(BOB, release=asked.id, verb="promote")
        assert (await stage.ended(asked.id)).state == "served"
    after = await stage.releases.show(ADA, release=asked.id)
    assert after.rollout is not None
    assert before.summary.state == "rolling"
    assert [why for _, why in after.rollout.turns] == ["begun", "promoted by bob"]


async def test_what_cannot_be_looked_at_does_not_go_on(stage: Stage) -> None:
    """A target that counts more errors than requests is not believed, and the share stays as it is."""

    class Broken(type(stage.target)):  # type: ignore[misc]
        async def signals(self, environment: str, service: str, key: str) -> Signals:
            arm = Arm(requests=2**60, errors=2**60)
            return Signals((await super().signals(environment, service, key)).at, arm, arm)

    stage.reset(target := Broken())
    stage.target = target
    target.traffic = Traffic(speed=100_000)
    async with stage.worker():
        await stage.deploy(SLOWLY, version="1")
        asked = await stage.releases.deploy(
            ADA, source=source(deploy=SLOWLY), environment="dev", version="2"
        )
        view = await stage.until(
            asked.id, lambda one: sum("cannot be looked at" in s.text for s in one.steps) > 3
        )
        assert (view.summary.state, view.rollout and view.rollout.share) == ("rolling", 0.1)
        await stage.releases.steer(BOB, release=asked.id, verb="abort")
        assert (await stage.ended(asked.id)).state == "aborted"
