"""What a workflow does when nothing dies."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drystone.l00_kernel.errors import DeadlineExceeded, Denied, Unavailable
from drystone.l10_engines.workflows.attempts import Step
from drystone.l10_engines.workflows.errors import (
    AlreadyStarted,
    PayloadTooLarge,
    PayloadUnreadable,
    StepFailed,
    WaitTimedOut,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowHasEnded,
    WorkflowNotFound,
    WorkflowRefused,
)
from drystone.l10_engines.workflows.model import NEVER, Retries, State
from drystone.l10_engines.workflows.payloads import MOST_BYTES
from drystone.l10_engines.workflows.run import Run
from l10_engines.workflows.stage import Stage, kind_of

pytestmark = pytest.mark.asyncio(loop_scope="session")
AT_ONCE = Retries(times=5, first=timedelta(milliseconds=1), most=timedelta(milliseconds=2))
SLOWLY = Retries(times=5, first=timedelta(milliseconds=20))
"""Pauses that are too long to be waited for without giving the workflow away."""


class Order(msgspec.Struct, frozen=True):
    what: str
    count: int


async def nothing(_: Step) -> None:
    pass


async def idle(_: Run, __: str) -> str:
    return ""


async def test_a_workflow_does_its_steps_in_order_and_gives_its_result(stage: Stage) -> None:
    keys: list[str] = []

    async def work(run: Run, order: Order) -> Order:
        async def do(step: Step) -> Order:
            keys.append(step.key)
            return Order(order.what, step.tries)

        await run.step("one", do, returns=Order)
        return await run.step("two", do, returns=Order)

    kind = kind_of(work, takes=Order, gives=Order)
    async with stage.worker(kind):
        assert await stage.workflows.start(kind, "w", Order("tea", 7))
        assert await stage.workflows.result("w", gives=Order) == Order("tea", 1)
    assert keys == ["w:0", "w:1"]
    assert await stage.names("w") == ["step one", "step two"]
    assert (await stage.workflows.show("w")).state is State.DONE


async def test_starting_the_same_again_is_starting_it_once(stage: Stage) -> None:
    async def work(run: Run, _: str) -> str:
        return run.id

    kind = kind_of(work)
    assert await stage.workflows.start(kind, "w", "x")
    assert not await stage.workflows.start(kind, "w", "x")
    with pytest.raises(AlreadyStarted, match="another input"):
        await stage.workflows.start(kind, "w", "y")
    async with stage.worker(kind):
        await stage.workflows.result("w", gives=str)
    assert not await stage.workflows.start(kind, "w", "x")
    assert await stage.ids() == ["w"]


async def test_a_sleep_gives_the_workflow_away_and_it_goes_on(stage: Stage) -> None:
    async def work(run: Run, _: str) -> str:
        before = await run.now()
        await run.sleep(timedelta(milliseconds=50))
        return str(await run.now() - before >= timedelta(milliseconds=50))

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        assert await stage.workflows.result("w", gives=str) == "True"
    assert (await stage.workflows.show("w")).attempt == 2


async def test_what_may_pass_is_tried_again_and_what_may_not_fails_at_once(stage: Stage) -> None:
    tries: list[str] = []

    async def work(run: Run, _: str) -> str:
        async def shaky(step: Step) -> str:
            tries.append(f"shaky {step.tries}")
            if step.tries < 4:
                raise Unavailable("the thing is away")
            return "there"

        async def refused(step: Step) -> None:
            tries.append(f"refused {step.tries}")
            raise Denied("not you")

        found = await run.step("shaky", shaky, returns=str, retries=AT_ONCE)
        found += await run.step("slowly", shaky, returns=str, retries=SLOWLY)
        with pytest.raises(StepFailed, match=r"step refused: kernel\.Denied: not you"):
            await run.step("refused", refused)
        return found

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        assert await stage.workflows.result("w", gives=str) == "therethere"
    assert tries == [f"shaky {n}" for n in (1, 2, 3, 4)] * 2 + ["refused 1"]
    steps = await stage.workflows.steps("w")
    assert [(step.name, step.tries) for step in steps] == [
        ("shaky", 4),
        ("slowly", 4),
        ("refused", 1),
    ]
    assert steps[2].error is not None


async def test_a_step_that_takes_too_long_counts_as_unavailable(stage: Stage) -> None:
    async def work(run: Run, _: str) -> str:
        async def slow(step: Step) -> str:
            if step.tries == 1:
                await asyncio.Event().wait()
            return "at last"

        return await run.step(
            "slow", slow, returns=str, limit=timedelta(milliseconds=20), retries=AT_ONCE
        )

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        assert await stage.workflows.result("w", gives=str) == "at last"


async def test_a_failure_undoes_what_was_done_the_last_first(stage: Stage) -> None:
    undone: list[tuple[str, str | None]] = []

    async def undo(key: str, output: str | None) -> None:
        undone.append((key, output))

    async def work(run: Run, _: str) -> str:
        async def made(step: Step) -> str:
            return f"made {step.key}"

        async def broken(_: Step) -> None:
            raise Denied("no")

        await run.step("a", made, returns=str, compensate=undo)
        await run.step("b", nothing)
        await run.step("c", made, returns=str, compensate=undo)
        await run.step("d", broken, compensate=undo)
        return "never"

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        with pytest.raises(WorkflowFailed, match=r"w failed: .*step d: kernel\.Denied: no"):
            await stage.workflows.result("w", gives=str)
    assert undone == [("w:3", None), ("w:2", "made w:2"), ("w:0", "made w:0")]
    assert (await stage.names("w"))[4:] == ["turn failed", "undo d", "undo c", "undo a"]
    assert (await stage.workflows.show("w")).state is State.FAILED


async def test_an_undoing_that_fails_parks_the_workflow_until_it_is_mended(stage: Stage) -> None:
    mended = False

    async def undo(_: str, __: object) -> None:
        if not mended:
            raise Denied("not now")

    async def work(run: Run, _: str) -> str:
        await run.step("a", nothing, compensate=undo)
        raise Denied("so it is")

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        view = await stage.until("w", lambda one: one.state is State.PARKED)
        assert view.trouble is not None
        assert "kernel.Denied: not now; mend the cause" in view.trouble.sentence()
        (stuck,) = await stage.workflows.stuck()
        assert "step a: workflows.UndoFailed" in stuck.reason
        mended = True
        await stage.workflows.resume("w")
        with pytest.raises(WorkflowFailed, match="so it is"):
            await stage.workflows.result("w", gives=str)
    assert await stage.names("w") == ["step a", "turn failed", "undo a"]


async def test_signals_are_taken_once_in_their_order_before_or_after_they_are_waited_for(
    stage: Stage,
) -> None:
    async def work(run: Run, _: str) -> list[str]:
        return [await run.wait("word", carries=str) for _ in range(3)]

    kind = kind_of(work, gives=list[str])
    await stage.workflows.start(kind, "w", "x")
    await stage.workflows.signal("w", "word", "one", key="k")
    await stage.workflows.signal("w", "word", "again", key="k")
    await stage.workflows.signal("w", "other", 7)
    async with stage.worker(kind):
        view = await stage.until("w", lambda one: one.waits_for is not None)
        assert (view.waits_for, view.wake_at) == ("signal word", None)
        await stage.workflows.signal("w", "word", "two")
        await stage.workflows.signal("w", "word", "three")
        assert await stage.workflows.result("w", gives=list[str]) == ["one", "two", "three"]
        with pytest.raises(WorkflowHasEnded):
            await stage.workflows.signal("w", "word", "four")
        with pytest.raises(WorkflowNotFound):
            await stage.workflows.signal("nobody", "word")


async def test_a_signal_that_does_not_come_in_time_is_an_error_that_may_be_caught(
    stage: Stage,
) -> None:
    async def work(run: Run, _: str) -> str:
        try:
            return await run.wait("word", carries=str, within=timedelta(milliseconds=30))
        except WaitTimedOut:
            return await run.wait("other", carries=str)

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        await stage.until("w", lambda one: one.waits_for == "signal other")
        await stage.workflows.signal("w", "word", "too late")
        await stage.workflows.signal("w", "other", "this one")
        assert await stage.workflows.result("w", gives=str) == "this one"


async def test_one_that_is_cancelled_comes_to_the_end_of_its_step_and_is_undone(
    stage: Stage,
) -> None:
    undone: list[str] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def undo(key: str, _: object) -> None:
        undone.append(key)

    async def work(run: Run, _: str) -> str:
        async def long(_: Step) -> str:
            begun.set()
            await go_on.wait()
            return "done"

        await run.step("long", long, returns=str, compensate=undo)
        await run.sleep(timedelta(days=1))
        return "never"

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        await begun.wait()
        await stage.workflows.cancel("w", "because")
        go_on.set()
        with pytest.raises(WorkflowCancelled):
            await stage.workflows.result("w", gives=str)
        assert undone == ["w:0"]
        with pytest.raises(WorkflowHasEnded, match="cancelled"):
            await stage.workflows.cancel("w", "again")


@pytest.mark.parametrize("rest", ["sleep", "wait"])
async def test_one_that_rests_is_woken_to_be_cancelled(stage: Stage, rest: str) -> None:
    async def work(run: Run, _: str) -> str:
        if rest == "sleep":
            await run.sleep(timedelta(days=1))
        return await run.wait("word", carries=str)

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        await stage.until("w", lambda one: one.waits_for is not None)
        await stage.workflows.cancel("w", "because")
        with pytest.raises(WorkflowCancelled):
            await stage.workflows.result("w", gives=str)


async def test_of_one_queue_one_is_open_at_a_time_in_the_order_of_their_starts(
    stage: Stage,
) -> None:
    seen: list[str] = []
    at_once = 0

    async def work(run: Run, _: str) -> str:
        nonlocal at_once
        at_once += 1
        assert at_once == 1
        await run.step("a", nothing)
        await asyncio.sleep(0)
        seen.append(run.id)
        at_once -= 1
        return ""

    kind = kind_of(work)
    ids = [f"w{n}" for n in range(12)]
    for id_ in ids:
        await stage.workflows.start(kind, id_, "x", queue="orders in dev")
    assert [one.state for one in await stage.workflows.find(state=State.OPEN)] == [State.OPEN]
    await stage.workflows.cancel("w3", "not this one")
    async with stage.worker(kind), stage.worker(kind):
        await stage.workflows.result("w11", gives=str)
    assert seen == [id_ for id_ in ids if id_ != "w3"]
    assert (await stage.workflows.show("w3")).state is State.CANCELLED


async def test_a_parked_one_holds_its_queue_until_it_is_abandoned(stage: Stage) -> None:
    async def work(run: Run, word: str) -> str:
        async def undo(_: str, __: object) -> None:
            raise Denied("never")

        if word == "bad":
            await run.step("a", nothing, compensate=undo)
            raise Denied("bad")
        return word

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "bad", "bad", queue="q")
        await stage.workflows.start(kind, "good", "good", queue="q")
        await stage.until("bad", lambda one: one.state is State.PARKED)
        reasons = {one.id: one.reason for one in await stage.workflows.stuck()}
        assert reasons["good"] == "behind bad, which is parked"
        await stage.workflows.abandon("bad", "done by hand")
        assert await stage.workflows.result("good", gives=str) == "good"
        with pytest.raises(WorkflowFailed, match="Abandoned: done by hand"):
            await stage.workflows.result("bad", gives=str)


async def test_children_run_beside_each_other_and_give_their_results(stage: Stage) -> None:
    async def small(run: Run, word: str) -> str:
        await run.sleep(timedelta(milliseconds=10))
        if word == "bad":
            raise Denied("a bad child")
        return word.upper()

    child = kind_of(small, name="small")

    async def large(run: Run, _: str) -> list[str]:
        begun = [await run.begin_child(child, word) for word in ("a", "bad", "b")]
        found = []
        for one in begun:
            try:
                found.append(await run.end_of(one, gives=str))
            except WorkflowFailed as e:
                found.append(e.message)
        return found

    parent = kind_of(large, gives=list[str])
    async with stage.worker(child, parent):
        await stage.workflows.start(parent, "w", "x")
        found = await stage.workflows.result("w", gives=list[str])
    assert found == ["A", "w/1 failed: kernel.Denied: a bad child", "B"]


async def test_a_parent_that_is_undone_takes_its_children_along(stage: Stage) -> None:
    undone: list[str] = []

    async def undo(key: str, _: object) -> None:
        undone.append(key)

    async def small(run: Run, _: str) -> str:
        await run.step("a", nothing, compensate=undo)
        return await run.wait("never", carries=str)

    child = kind_of(small, name="small")

    async def large(run: Run, _: str) -> str:
        await run.step("before", nothing, compensate=undo)
        await run.begin_child(child, "x")
        await run.wait("word", carries=str)
        raise Denied("so it is")

    parent = kind_of(large)
    async with stage.worker(child, parent):
        await stage.workflows.start(parent, "w", "x")
        await stage.until("w", lambda one: one.waits_for == "signal word")
        await stage.until("w/1", lambda one: one.waits_for == "signal never")
        await stage.workflows.signal("w", "word", "")
        with pytest.raises(WorkflowFailed):
            await stage.workflows.result("w", gives=str)
    assert undone == ["w/1:0", "w:0"]
    assert (await stage.workflows.show("w/1")).state is State.CANCELLED


async def test_a_child_may_not_queue_behind_its_own_parent(stage: Stage) -> None:
    child = kind_of(idle, name="small")

    async def large(run: Run, _: str) -> str:
        return await run.begin_child(child, "x", queue="q")

    parent = kind_of(large)
    async with stage.worker(parent):
        await stage.workflows.start(parent, "w", "x", queue="q")
        with pytest.raises(WorkflowFailed, match="would wait in the queue q for w"):
            await stage.workflows.result("w", gives=str)
    assert await stage.ids() == ["w"]


async def test_two_steps_at_once_are_refused_and_nothing_is_lost(stage: Stage) -> None:
    async def work(run: Run, _: str) -> str:
        async def slow(_: Step) -> None:
            await asyncio.sleep(0.01)

        await asyncio.gather(run.step("a", slow), run.step("b", slow), return_exceptions=True)
        return "never"

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        view = await stage.until("w", lambda one: one.state is State.PARKED)
    assert view.trouble is not None
    assert "'b' was begun while another was under way" in view.trouble.message


async def test_what_is_not_ours_says_in_an_error_stays_out_of_the_journal(stage: Stage) -> None:
    async def work(run: Run, _: str) -> str:
        async def leaks(_: Step) -> None:
            raise ValueError("password=hunter2")

        await run.step("leaks", leaks, retries=NEVER)
        return "never"

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        with pytest.raises(WorkflowFailed, match=r"ValueError: raised at test_workflows\.py:") as e:
            await stage.workflows.result("w", gives=str)
    assert "hunter2" not in e.value.message
    kept = await stage.database.fetch("SELECT w::text, s::text FROM workflow w, step s")
    assert kept
    assert "hunter2" not in str(kept)


async def test_values_are_bounded_and_read_as_what_they_were_written(stage: Stage) -> None:
    async def work(run: Run, size: int) -> str:
        async def large(_: Step) -> str:
            return "x" * size

        return await run.step("large", large, returns=str)

    kind = kind_of(work, takes=int)
    with pytest.raises(PayloadTooLarge, match="262144"):
        await stage.workflows.start(kind_of(work), "w", "x" * MOST_BYTES)
    with pytest.raises(PayloadUnreadable, match="is a object"):
        await stage.workflows.start(kind, "w", object())
    async with stage.worker(kind):
        await stage.workflows.start(kind, "fits", MOST_BYTES - 2)
        assert len(await stage.workflows.result("fits", gives=str)) == MOST_BYTES - 2
        with pytest.raises(PayloadUnreadable, match="cannot be read as int"):
            await stage.workflows.result("fits", gives=int)
        await stage.workflows.start(kind, "not", MOST_BYTES)
        with pytest.raises(WorkflowFailed, match=r"workflows\.PayloadTooLarge"):
            await stage.workflows.result("not", gives=str)


@pytest.mark.parametrize("bad", ["", "a b", "x" * 201, "/x", "a\0", "ä"])
async def test_ids_that_are_none_are_refused(stage: Stage, bad: str) -> None:
    with pytest.raises(WorkflowRefused):
        await stage.workflows.start(kind_of(idle), bad, "x")


@pytest.mark.parametrize("text", ["\0", "\ud800", "'; DROP TABLE workflow; --", "\U0010ffff"])
async def test_any_text_comes_back_or_is_refused(stage: Stage, text: str) -> None:
    async def work(_: Run, word: str) -> str:
        return word

    kind = kind_of(work)
    try:
        await stage.workflows.start(kind, "w", text)
    except PayloadUnreadable:
        assert text == "\ud800"
        return
    async with stage.worker(kind):
        assert await stage.workflows.result("w", gives=str) == text


async def test_who_waits_too_long_for_a_result_is_told_and_the_workflow_goes_on(
    stage: Stage,
) -> None:
    async def work(run: Run, _: str) -> str:
        return await run.wait("word", carries=str)

    kind = kind_of(work)
    async with stage.worker(kind):
        await stage.workflows.start(kind, "w", "x")
        with pytest.raises(DeadlineExceeded, match="has not ended"):
            await stage.workflows.result("w", gives=str, within=timedelta(milliseconds=20))
        await stage.workflows.signal("w", "word", "now")
        assert await stage.workflows.result("w", gives=str) == "now"
    with pytest.raises(WorkflowNotFound):
        await stage.workflows.result("nobody", gives=str)


async def test_the_example_of_the_guide_does_what_it_says(stage: Stage) -> None:
    page = Path(__file__).parents[3] / "docs/how-to/durable-workflows.md"
    code = page.read_text("utf-8").split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(compile(code, page.name, "exec", dont_inherit=True), names)  # noqa: S102 - our own page
    async with stage.worker(names["MOVE"]):
        await stage.workflows.start(names["MOVE"], "w", names["Move"]("t-1", "s-2"))
        await stage.workflows.signal("w", "approved", True)
        assert await stage.workflows.result("w", gives=str) == "s-2"
