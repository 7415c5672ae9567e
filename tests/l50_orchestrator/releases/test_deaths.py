"""An orchestrator is killed at any moment, and every release ends once, in a state that the target confirms."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.l50_orchestrator.releases.api import ReleaseSummary
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.testing.simulated_target import SimulatedTarget
from l50_orchestrator.releases.orchestrators import Orchestrators, orchestrators_on, target_at
from l50_orchestrator.releases.stage import ADA, Stage, source

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROGRESSIVE = "strategy: progressive, steps: [10%, 50%, 100%], hold: 2s, watch: {metrics: [errors]}"
STATES = {
    "served": "serving",
    "failed": "failed",
    "aborted": "withdrawn",
    "rolled-back": "withdrawn",
}
SERVICES = ("one", "two", "three")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "target.json"


@pytest.fixture
def processes(stage: Stage, file: Path) -> Iterator[Orchestrators]:
    with orchestrators_on(stage.database, file) as one:
        yield one


async def end_leases(stage: Stage) -> None:
    """Let as much time pass as a lease lasts, for those whose owners are dead."""
    await stage.database.fetch(
        "UPDATE workflow SET wake_at = clock_timestamp() WHERE owner IS NOT NULL"
    )


async def ask(stage: Stage, drawn: random.Random) -> list[str]:
    """Ask for a few releases of several services, one of them steered."""
    ids = []
    for service in SERVICES:
        how = drawn.choice(["strategy: blue-green", PROGRESSIVE, PROGRESSIVE])
        version = drawn.choice(["bad", f"v{drawn.random()}"])
        said = source(service, deploy=how)
        asked = await stage.releases.deploy(ADA, source=said, environment="dev", version=version)
        ids.append(asked.id)
    if drawn.random() < 0.3:
        await stage.releases.steer(ADA, release=drawn.choice(ids), verb="abort")
    return ids


async def carry_through(
    stage: Stage, processes: Orchestrators, ids: list[str], pauses: list[float]
) -> None:
    """Let orchestrators come one after the other, each killed after a pause, but the last one."""
    for pause in pauses:
        pid = processes.start()
        await asyncio.sleep(
            pause
        )  # the moment of the death is what is drawn, not something to wait for
        processes.kill(pid)
        await end_leases(stage)
    pid = processes.start()
    try:
        for id_ in ids:
            await stage.ended(id_)
    finally:
        processes.kill(pid)
        await end_leases(stage)


async def require_agreement(stage: Stage, target: SimulatedTarget, ids: list[str]) -> None:
    """Hold the record against the target: what each says of every release, and of what serves."""
    reader = Reader(stage.database)
    for id_ in ids:
        record = await reader.record(id_)
        kept = target.service("dev", record.asked.service)
        operation = kept.operations.get(id_)
        runs = [run for run in kept.releases if run.key == id_]
        if operation is None:
            assert record.state in {"aborted", "refused"}
            continue
        assert STATES[record.state] == operation.state
        assert len(runs) <= 1
    for service in SERVICES:
        kept = target.service("dev", service)
        assert kept.held is None
        assert {one.state for one in kept.operations.values()} <= {"serving", "failed", "withdrawn"}
        served = await reader.serving("dev", service)
        number = (await reader.record(served)).at_target if served else 0
        assert kept.active == number
    open_ = await stage.releases.history(ADA, open_only=True)
    assert open_.items == []
    assert await stage.workflows.stuck() == []


async def once(stage: Stage, processes: Orchestrators, file: Path, seed: int) -> list[str]:
    drawn = random.Random(seed)  # noqa: S311 - no secret
    ids = await ask(stage, drawn)
    await carry_through(stage, processes, ids, [drawn.uniform(0.02, 0.5) for _ in range(2)])
    await require_agreement(stage, target_at(file), ids)
    return ids


async def test_killed_at_random_points_every_release_ends_once_and_true(
    stage: Stage, processes: Orchestrators, file: Path
) -> None:
    for seed in range(3):
        await once(stage, processes, file, seed)


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_killed_at_200_random_points_every_release_ends_once_and_true(
    stage: Stage, processes: Orchestrators, file: Path
) -> None:
    states = set()
    for seed in range(1000, 1100):
        for id_ in await once(stage, processes, file, seed):
            found: ReleaseSummary = (await stage.releases.show(ADA, release=id_)).summary
            states.add(found.state)
    assert states >= {"served", "failed", "aborted"}
