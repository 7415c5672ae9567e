"""From the wish to its end: each release ends in one state, and the record says what the target says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.errors import Denied
from drystone.l25_deployer.api import Progress
from drystone.l25_deployer.errors import DescriptorRefused
from drystone.l50_orchestrator.ports import Finding
from drystone.l50_orchestrator.releases.errors import (
    NothingBefore,
    ReleaseNotKept,
    ReleaseUnderWay,
    ReleaseUnknown,
    RequestUnfit,
)
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.testing.orchestrator import RefuseAll, TableBook
from l50_orchestrator.releases.stage import ADA, BOB, Stage, source

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_deploy_ends_as_served_and_is_recorded_whole(stage: Stage) -> None:
    async with stage.worker():
        ended = await stage.deploy(version="1.0")
    view = await stage.releases.show(ADA, release="dev/orders/1")
    assert (ended.state, ended.is_serving, ended.is_kept, ended.number) == ("served", True, True, 1)
    assert (view.summary.author, view.summary.team, view.at_target) == ("ada", "commerce", 1)
    assert view.descriptor == source().text
    assert view.artefact.startswith("sha256:")
    assert view.stacks["resources"]["version"] == "1.0"
    assert view.plan is not None
    assert [one.step for one in view.steps if one.state == "ended"][-1] == "done"
    assert stage.serves() == "1.0"
    assert stage.registry.seen == {("orders", "dev")}
    said = [(one.action, one.actor) for one in await TableBook.noted(stage.database)]
    assert said == [("release.asked", "ada"), ("release.served", "ada")]


async def test_a_version_is_the_number_where_none_is_given(stage: Stage) -> None:
    async with stage.worker():
        await stage.deploy()
        second = await stage.deploy()
    assert (second.version, second.number, stage.serves()) == ("2", 2, "2")


async def test_what_fails_leaves_the_one_before_and_tells_why(stage: Stage) -> None:
    stage.target.faults["2.0"] = "fails"
    async with stage.worker():
        await stage.deploy(version="1.0")
        ended = await stage.deploy(version="2.0")
    assert ended.state == "failed"
    assert "connection refused" in ended.why
    assert stage.serves() == "1.0"
    assert (await stage.releases.disagreements(ADA, environment="dev")) == []


async def test_a_target_that_is_away_for_a_moment_delays_and_changes_nothing(stage: Stage) -> None:
    stage.target.faults["1.0"] = "away"
    async with stage.worker():
        ended = await stage.deploy(version="1.0")
    one = stage.target.service("dev", "orders")
    assert (ended.state, len(one.releases)) == ("served", 1)


async def test_a_release_whose_target_is_away_says_so_and_goes_on_when_it_is_back(
    stage: Stage,
) -> None:
    stage.target.is_away = True
    asked = await stage.releases.deploy(ADA, source=source(), environment="dev", version="1")
    async with stage.worker():
        view = await stage.until(asked.id, lambda one: bool(one.summary.why))
        assert "the simulated target is away; it is tried again" in view.summary.why
        stage.target.is_away = False
        ended = await stage.ended(asked.id)
    assert (ended.state, ended.why) == ("served", "")


async def test_one_service_has_one_release_at_a_time_in_the_order_of_the_wishes(
    stage: Stage,
) -> None:
    asked = [
        await stage.releases.deploy(ADA, source=source(), environment="dev", version=f"v{n}")
        for n in range(6)
    ]
    async with stage.worker(), stage.worker():
        for one in asked:
            assert (await stage.ended(one.id)).state == "served"
    assert [run.version for run in stage.target.service("dev", "orders").releases] == [
        f"v{n}" for n in range(6)
    ]


async def test_the_same_wish_twice_is_one_release(stage: Stage) -> None:
    ctx = Context(Caller("ada"), idempotency_key="k1")
    asks = [stage.releases.deploy(ctx, source=source(), environment="dev") for _ in range(5)]
    ids = {one.id for one in await asyncio.gather(*asks)}
    page = await stage.releases.history(ADA)
    assert (len(ids), len(page.items)) == (1, 1)


async def test_what_a_policy_refuses_is_not_brought_up(stage: Stage) -> None:
    stage.guard.findings.append(Finding("no-friday", "refuse", "not today"))
    async with stage.worker():
        ended = await stage.deploy()
    assert (ended.state, ended.why) == ("refused", "no-friday: not today")
    assert stage.serves() == ""


async def test_who_may_not_deploy_when_it_is_carried_out_is_refused_then(stage: Stage) -> None:
    asked = await stage.releases.deploy(ADA, source=source(), environment="dev")
    stage.reset(gate=RefuseAll())
    reader = Reader(stage.database)
    async with stage.worker(), asyncio.timeout(30):
        while not (found := await reader.record(asked.id)).has_ended:  # noqa: ASYNC110 - a worker changes it
            await asyncio.sleep(0.01)
    assert (found.state, found.why) == ("refused", "ada may not deploy")


async def test_another_teams_service_is_not_deployed(stage: Stage) -> None:
    async with stage.worker():
        await stage.deploy()
    other = source().text.replace("commerce", "others")
    with pytest.raises(Denied):
        await stage.releases.deploy(
            BOB, source=type(source())(other, "service.yaml", "/srv"), environment="dev"
        )
    assert len((await stage.releases.history(ADA)).items) == 1


async def test_a_descriptor_with_mistakes_and_one_too_large_are_refused_at_once(
    stage: Stage,
) -> None:
    wrong = type(source())("schema: 1\nservice: orders\nownr: x\n", "service.yaml", "/srv")
    with pytest.raises(DescriptorRefused, match="ownr"):
        await stage.releases.deploy(ADA, source=wrong, environment="dev")
    large = source(more="x-notes: " + "a" * 5_000_000 + "\n")
    with pytest.raises(DescriptorRefused, match="at most 1,048,576"):
        await stage.releases.deploy(ADA, source=large, environment="dev")
    assert (await stage.releases.history(ADA)).items == []


async def test_a_rollback_needs_no_argument_and_takes_the_same_path(stage: Stage) -> None:
    async with stage.worker():
        for version in ("1", "2", "3"):
            await stage.deploy(version=version)
        first = await stage.releases.rollback(BOB, environment="dev", service="orders")
        assert (await stage.ended(first.id)).state == "served"
        assert stage.serves() == "2"
        second = await stage.releases.rollback(BOB, environment="dev", service="orders")
        assert (await stage.ended(second.id)).state == "served"
        assert stage.serves() == "1"
        with pytest.raises(NothingBefore):
            await stage.releases.rollback(BOB, environment="dev", service="orders")
        third = await stage.releases.rollback(BOB, environment="dev", service="orders", release=3)
        assert (await stage.ended(third.id)).state == "served"
    assert stage.serves() == "3"
    view = await stage.releases.show(ADA, release=third.id)
    assert (view.summary.kind, view.summary.version, view.at_target) == ("rollback", "3", 3)
    assert await stage.releases.disagreements(ADA, environment="dev") == []


async def test_a_policy_or_a_freeze_never_holds_a_way_back(stage: Stage) -> None:
    async with stage.worker():
        await stage.deploy()
        await stage.deploy()
        stage.guard.findings.append(Finding("freeze", "refuse", "frozen"))
        back = await stage.releases.rollback(BOB, environment="dev", service="orders")
        assert (await stage.ended(back.id)).state == "served"


async def test_as_many_releases_are_kept_as_the_environment_or_the_descriptor_says(
    stage: Stage,
) -> None:
    async with stage.worker():
        for _ in range(4):
            await stage.deploy("keep: 2")
        with pytest.raises(ReleaseNotKept, match="4, 3, 2"):
            await stage.releases.rollback(ADA, environment="dev", service="orders", release=1)
    kept = [one.is_kept for one in (await stage.releases.history(ADA)).items]
    assert kept == [True, True, True, False]


async def test_two_releases_differ_in_code_and_configuration(stage: Stage) -> None:
    async with stage.worker():
        await stage.deploy(version="1")
        text = source(more="env: {LOG_LEVEL: debug}\n")
        asked = await stage.releases.deploy(ADA, source=text, environment="dev", version="2")
        await stage.ended(asked.id)
    found = await stage.releases.diff(ADA, release="dev/orders/1", other="dev/orders/2")
    env = ["resources.env.DRYSTONE_VERSION", "resources.env.LOG_LEVEL"]
    assert [one.path for one in found] == ["version", "code", *env]
    assert found[-1].old is None
    assert "debug" in str(found[-1].new)
    assert await stage.releases.diff(ADA, release="dev/orders/1", other="dev/orders/1") == []


async def test_a_history_comes_in_pages_and_can_be_chosen_from(stage: Stage) -> None:
    async with stage.worker():
        for _ in range(4):
            await stage.deploy()
        last = await stage.deploy()
        other = await stage.releases.deploy(BOB, source=source("billing"), environment="staging")
        await stage.ended(other.id)
    first = await stage.releases.history(ADA, limit=4)
    rest = await stage.releases.history(ADA, limit=4, cursor=first.next)
    assert [one.number for one in [*first.items, *rest.items]] == [1, 5, 4, 3, 2, 1]
    assert rest.next is None
    chosen = [
        {"service": "billing"},
        {"environment": "staging"},
        {"author": "bob"},
        {"since": other.asked_at},
    ]
    for one in chosen:
        page = await stage.releases.history(ADA, **one)  # type: ignore[arg-type]
        assert [found.id for found in page.items] == [other.id]
    before = await stage.releases.history(ADA, until=last.asked_at, team="commerce")
    assert len(before.items) == 4


async def test_an_unknown_release_is_told(stage: Stage) -> None:
    for name in ("a\0b", "nobody", "dev/orders/7", "dev/orders/x", "a/b/c/d", "\u2603"):
        with pytest.raises(ReleaseUnknown):
            await stage.releases.show(ADA, release=name)


async def test_words_that_no_table_takes_are_refused(stage: Stage) -> None:
    for said, message in (
        (type(source())(source().text, "a\0", "/srv"), ""),
        (source(), "\0"),
        (source(), "x" * 2001),
    ):
        with pytest.raises(RequestUnfit):
            await stage.releases.deploy(ADA, source=said, environment="dev", message=message)


async def test_progress_is_followed_to_the_end_and_can_be_taken_up_again(stage: Stage) -> None:
    asked = await stage.releases.deploy(ADA, source=source(), environment="dev")
    async with stage.worker():
        seen = [one async for one in stage.releases.follow(ADA, release=asked.id)]
    assert [one.number for one in seen] == sorted({one.number for one in seen})
    assert seen[-1].text == "served"
    later = [
        one async for one in stage.releases.follow(ADA, release=asked.id, after=seen[2].number)
    ]
    assert later == seen[3:]


def destroyed(stage: Stage, *data: str) -> AsyncIterator[Progress]:
    return stage.releases.destroy(ADA, environment="dev", service="orders", confirm=list(data))


async def test_a_service_that_is_destroyed_serves_nowhere_and_its_record_stays(
    stage: Stage,
) -> None:
    async with stage.worker():
        await stage.deploy(version="1.0")
    assert [one.step async for one in destroyed(stage, "db")] == ["done"]
    assert await stage.target.present("dev", "orders") == []
    assert (await stage.releases.disagreements(ADA, environment="dev")) == []
    assert stage.registry.seen == set()
    (kept,) = (await stage.releases.history(ADA, service="orders")).items
    assert (kept.state, kept.is_serving) == ("served", False)
    noted = (await TableBook.noted(stage.database))[-1]
    assert (noted.action, noted.actor, noted.subject) == ("service.destroyed", "ada", "dev/orders")
    # What was cut short is asked for again.
    assert [one async for one in destroyed(stage)] == []
    async with stage.worker():
        assert (await stage.deploy(version="2.0")).state == "served"


async def test_nothing_is_destroyed_while_a_release_is_under_way(stage: Stage) -> None:
    asked = await stage.releases.deploy(ADA, source=source(), environment="dev")
    with pytest.raises(ReleaseUnderWay, match=f"release {asked.id} of orders in dev has not ended"):
        await anext(destroyed(stage))
