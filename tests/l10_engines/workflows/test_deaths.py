"""Workers die at every place, and every workflow ends as it would have without."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from drystone.l00_kernel.fault_points import declared
from drystone.l10_engines.workflows.model import State
from l10_engines.workflows.deeds import KIND, Deed, Plan, effects_in
from l10_engines.workflows.stage import Stage
from l10_engines.workflows.workers import Workers, workers_on

Deeds = tuple[Deed, ...]
pytestmark = pytest.mark.asyncio(loop_scope="session")

PLACES = {point.name for point in declared() if point.name.startswith("workflow.")}
IN_TURN = (
    "claim.written", "step.begun", "step.done", "step.written", "trouble.written", "rest.written", "step.done",
    "step.written", "turn.written", "end.begun", "end.written",
)  # fmt: skip
"""Where workers die one after the other; each comes a little further, and the last places are reached at the end."""
WHOLE: Deeds = (
    "step", "shaky", "row", "later", "nap", "now", "shaky", "sleep", "late", "child", "wait", "step",
)  # fmt: skip


@pytest.fixture(scope="session")
def workers(tables: Stage) -> Iterator[Workers]:
    with workers_on(tables.database) as one:
        yield one


async def begin(stage: Stage, plan: Plan, id_: str = "w") -> None:
    await stage.database.fetch("CREATE TABLE IF NOT EXISTS effect (key text)")
    await stage.workflows.start(KIND, id_, plan)
    for word in ("go 1", "go 2", "go 3"):
        await stage.workflows.signal(id_, "go", word, key=word)


async def carry_through(stage: Stage, workers: Workers, faults: list[str]) -> list[str]:
    """Let workers with these faults come one after the other, each when the lease of the one before has ended.

    Returns:
        The faults of which somebody died.
    """
    died = []
    for fault in [*faults, ""]:
        pid = workers.start(fault=fault)
        async with asyncio.timeout(60):
            while workers.has_ended(pid) is None:
                left = await stage.workflows.find(state=State.OPEN)
                if not left:
                    os.kill(pid, signal.SIGTERM)
                    break
                for one in left:
                    if one.waits_for == "signal later":
                        await stage.workflows.signal(one.id, "later", "here", key="later")
                await asyncio.sleep(0.005)
        code = await workers.end_of(pid)
        assert code in {0, -signal.SIGKILL}
        if code:
            died.append(fault)
        await end_leases(stage)
        if not await stage.workflows.find(state=State.OPEN):
            break
    return died


async def end_leases(stage: Stage) -> None:
    """Let as much time pass as a lease lasts, for those whose owners are dead."""
    await stage.database.fetch(
        "UPDATE workflow SET wake_at = clock_timestamp() WHERE owner IS NOT NULL"
    )


async def left_of(stage: Stage, id_: str = "w") -> tuple[object, ...]:
    """Return all of a workflow that is the same whoever carries it out."""
    view = await stage.workflows.show(id_)
    result = await stage.database.fetch(
        "SELECT result, error FROM workflow WHERE id = %(id)s", id=id_
    )
    journal = await stage.database.fetch(
        "SELECT workflow, seq, kind, name, error, CASE WHEN name NOT IN ('now', 'sleep') AND name NOT LIKE 'time for %%'"
        " THEN output END FROM step ORDER BY workflow, seq"
    )
    rows = await stage.database.fetch("SELECT key FROM effect ORDER BY key")
    return view.state, result, journal, rows


async def clear(stage: Stage) -> None:
    await stage.database.fetch("CREATE TABLE IF NOT EXISTS effect (key text)")
    await stage.database.fetch("TRUNCATE workflow, step, signal, worker, effect")


async def undisturbed(
    stage: Stage, workers: Workers, plan: Plan
) -> tuple[tuple[object, ...], set[str]]:
    await clear(stage)
    await begin(stage, plan)
    await carry_through(stage, workers, [])
    whole = await left_of(stage)
    effects = set(effects_in(Path(plan.file)))
    Path(plan.file).unlink(missing_ok=True)
    await clear(stage)
    return whole, effects


@pytest.mark.parametrize("end", [(), ("fail",)], ids=["done", "undone"])
async def test_a_worker_may_die_at_every_place_and_another_ends_what_it_began(
    stage: Stage, workers: Workers, tmp_path: Path, end: Deeds
) -> None:
    plan = Plan((*WHOLE, *end), str(tmp_path / "effects"), ("step", "sleep", "row"))
    whole, effects = await undisturbed(stage, workers, plan)
    assert whole[0] is (State.FAILED if end else State.DONE)
    await begin(stage, plan)
    faults = [f"workflow.{place}:kill" for place in IN_TURN if end or place != "turn.written"]
    assert await carry_through(stage, workers, faults) == faults
    assert await left_of(stage) == whole
    assert set(effects_in(Path(plan.file))) == effects


async def test_they_die_at_every_place_that_there_is() -> None:
    assert {f"workflow.{place}" for place in IN_TURN} == PLACES


async def test_a_worker_that_was_stopped_beyond_its_lease_is_fenced_off(
    stage: Stage, workers: Workers, tmp_path: Path
) -> None:
    plan = Plan(("step", "hold", "step", "row"), str(tmp_path / "effects"))
    await begin(stage, plan)
    slow = workers.start()
    await until(lambda: len(effects_in(Path(plan.file))) == 2)
    os.kill(slow, signal.SIGSTOP)
    try:
        Path(plan.file + ".go").touch()
        await end_leases(stage)
        await carry_through(stage, workers, [])
        whole = await left_of(stage)
        attempts = [step.attempt for step in await stage.workflows.steps("w")]
    finally:
        os.kill(slow, signal.SIGCONT)
    os.kill(slow, signal.SIGTERM)
    assert await workers.end_of(slow) == 0
    assert (whole[0], attempts) == (State.DONE, [1, 2, 2, 2])
    assert await left_of(stage) == whole
    assert (
        effects_in(Path(plan.file))["did w:1"] == 2
    )  # its effect had begun; its key says that it is the same


async def test_a_worker_that_is_told_to_stop_gives_away_what_it_has(
    stage: Stage, workers: Workers, tmp_path: Path
) -> None:
    plan = Plan(("hold", "step"), str(tmp_path / "effects"))
    await begin(stage, plan)
    pid = workers.start()
    await until(lambda: bool(effects_in(Path(plan.file))))
    os.kill(pid, signal.SIGTERM)
    Path(plan.file + ".go").touch()
    assert await workers.end_of(pid) == 0
    view = await stage.workflows.show("w")
    assert (view.state, view.owner, view.wake_at is not None) == (State.OPEN, None, True)
    assert await stage.names("w") == ["step hold 0"]
    await carry_through(stage, workers, [])
    assert effects_in(Path(plan.file)) == {"did w:0": 1, "did w:1": 1}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.005)


DEEDS = st.sampled_from(["step", "shaky", "row", "nap", "sleep", "now", "late", "child", "fail"])
FAULTS = st.builds(
    "{}:kill@{}".format, st.sampled_from(sorted(PLACES)), st.integers(min_value=1, max_value=6)
)


async def compare(stage: Stage, workers: Workers, plan: Plan, faults: list[str]) -> None:
    """Carry a plan out twice, with faults and without; what is left is the same."""
    whole, effects = await undisturbed(stage, workers, plan)
    await begin(stage, plan)
    await carry_through(stage, workers, faults)
    assert await left_of(stage) == whole
    assert set(effects_in(Path(plan.file))) == effects
    Path(plan.file).unlink(missing_ok=True)


DRAWN = given(
    plan=st.builds(
        Plan,
        st.lists(DEEDS, max_size=8).map(tuple),
        st.just(""),
        st.lists(DEEDS.filter(lambda deed: deed != "child"), max_size=3).map(tuple),
    ),
    faults=st.lists(FAULTS, min_size=1, max_size=5),
)
PATIENT = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=3, suppress_health_check=PATIENT, deadline=None)
@DRAWN
async def test_whoever_dies_whenever_what_is_left_is_the_same(
    stage: Stage, workers: Workers, tmp_path: Path, plan: Plan, faults: list[str]
) -> None:
    await compare(stage, workers, structs.replace(plan, file=str(tmp_path / "effects")), faults)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=150, suppress_health_check=PATIENT, deadline=None)
@DRAWN
async def test_whoever_dies_whenever_what_is_left_is_the_same_at_length(
    stage: Stage, workers: Workers, tmp_path: Path, plan: Plan, faults: list[str]
) -> None:
    await compare(stage, workers, structs.replace(plan, file=str(tmp_path / "effects")), faults)
