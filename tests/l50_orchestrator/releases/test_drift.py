"""What serves and should not is found, told once, and brought back by an ordinary release."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.errors import Denied, NotFound
from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.drift import store
from drystone.l50_orchestrator.drift.api import DriftApi
from drystone.l50_orchestrator.drift.errors import NothingDrifted, OnlyAdopted
from drystone.l50_orchestrator.drift.service import Drift
from drystone.l50_orchestrator.releases.errors import ReleaseUnderWay
from drystone.l50_orchestrator.releases.service import Releases
from drystone.testing.orchestrator import RefuseAll, TableBook
from drystone.testing.reaches import REACHES, Reach, reach
from drystone.testing.releases import parts_on
from drystone.testing.simulated_target import Run, SimulatedTarget
from l50_orchestrator.releases.stage import ADA, SCHEMA, Stage, source

pytestmark = pytest.mark.asyncio(loop_scope="session")


def drift_of(stage: Stage) -> Drift:
    return Drift(stage.parts, stage.releases.carrier.definition, SystemClock())


@pytest_asyncio.fixture(loop_scope="session")
async def drifting(stage: Stage) -> Drift:
    await store.prepare(stage.database)
    await stage.database.fetch("TRUNCATE drift")
    return drift_of(stage)


def somebody_deploys(stage: Stage, version: str = "rogue") -> None:
    one = stage.target.service("dev", "orders")
    one.releases.append(Run(len(one.releases) + 1, version, "", "sha256:rogue"))
    one.active = len(one.releases)
    one.serving.append("")


async def fields(drift: Drift) -> list[str]:
    return [one.field for one in await drift.find(ADA)]


async def noted(stage: Stage) -> list[tuple[str, str]]:
    entries = await TableBook.noted(stage.database)
    return [(e.action, str(e.fields["fields"])) for e in entries if e.action.startswith("drift.")]


async def test_what_was_deployed_past_the_orchestrator_is_gone_back_from(
    stage: Stage, drifting: Drift
) -> None:
    async with stage.worker():
        await stage.deploy(version="one")
        assert await fields(drifting) == []
        somebody_deploys(stage)
        found = await drifting.find(ADA, service="orders", environment="dev")
        assert [(one.field, one.wanted, one.found) for one in found] == [
            ("release", "1", "2"),
            ("version", "one", "rogue"),
            ("artefact", found[2].wanted, "sha256:rogue"),
        ]
        asked = await drifting.repair(ADA, environment="dev", service="orders")
        ended = await stage.ended(asked.id)
    assert (ended.kind, ended.state, stage.serves()) == ("rollback", "served", "one")
    assert await fields(drifting) == []
    with pytest.raises(NothingDrifted):
        await drifting.repair(ADA, environment="dev", service="orders")


async def test_what_somebody_removed_is_deployed_anew_as_the_same_artefact(
    stage: Stage, drifting: Drift
) -> None:
    async with stage.worker():
        first = await stage.deploy(version="one")
        del stage.target.kept["dev/orders"]
        assert await fields(drifting) == ["service"]
        asked = await drifting.repair(ADA, environment="dev", service="orders", message="back")
        ended = await stage.ended(asked.id)
    assert (ended.kind, ended.state, ended.message) == ("deploy", "served", "back")
    assert (ended.origin, stage.serves()) == (first.id, "one")
    assert await fields(drifting) == []


async def test_what_nobody_released_is_only_adopted(stage: Stage, drifting: Drift) -> None:
    somebody_deploys(stage)
    found = await drifting.find(ADA)
    assert [(one.field, one.repairs) for one in found] == [("service", ("adopt",))]
    with pytest.raises(OnlyAdopted):
        await drifting.repair(ADA, environment="dev", service="orders")
    await stage.releases.adopt(ADA, environment="dev", service="orders")
    assert await fields(drifting) == []


async def test_what_is_being_released_is_no_drift(stage: Stage, drifting: Drift) -> None:
    async with stage.worker():
        await stage.deploy(version="one")
        waits = await stage.releases.deploy(
            ADA, source=source(deploy="approve: [leads]"), environment="dev"
        )
        somebody_deploys(stage)
        assert await fields(drifting) == []
        with pytest.raises(ReleaseUnderWay):
            await drifting.repair(ADA, environment="dev", service="orders")
        await stage.releases.steer(ADA, release=waits.id, verb="abort")
        await stage.ended(waits.id)
    assert await fields(drifting) == ["release", "version", "artefact"]


async def test_beginning_and_end_are_told_once_and_the_beginning_is_remembered(
    stage: Stage, drifting: Drift
) -> None:
    log = NullLog()
    async with stage.worker():
        await stage.deploy(version="one")
    await drifting.look(log)
    assert await noted(stage) == []
    somebody_deploys(stage)
    await drifting.look(log)
    first = [one.since for one in await drifting.find(ADA)]
    stage.target.is_away = True
    await drifting.look(log)
    stage.target.is_away = False
    await drifting.look(log)
    assert [one.since for one in await drifting.find(ADA)] == first
    stage.target.service("dev", "orders").active = 1
    await drifting.look(log)
    await drifting.look(log)
    told = "artefact, release, version"
    assert await noted(stage) == [("drift.found", told), ("drift.ended", told)]


async def test_who_may_not_deploy_brings_nothing_back(stage: Stage, drifting: Drift) -> None:
    somebody_deploys(stage)
    stage.reset(stage.target, gate=RefuseAll())
    drift = drift_of(stage)
    with pytest.raises(Denied):
        await drift.find(ADA)
    with pytest.raises(Denied):
        await drift.repair(ADA, environment="dev", service="orders")


async def test_a_look_now_and_then_finds_it(stage: Stage, drifting: Drift) -> None:
    watching = asyncio.create_task(drifting.watch(NullLog(), timedelta(milliseconds=5)))
    somebody_deploys(stage)
    async with asyncio.timeout(20):
        while True:
            if await noted(stage):
                break
            await asyncio.sleep(0.005)
    watching.cancel()
    await asyncio.wait({watching})


MADE: list[Database] = []
"""What was opened in this process, to be closed."""


def make(access: str) -> Drift:
    """Make the service on a database, and a target of its own with nothing on it."""
    database = Database(msgspec.json.decode(access, type=DatabaseAccess), SCHEMA)
    MADE.append(database)
    parts = parts_on(database, SimulatedTarget())
    return Drift(parts, Releases(parts).carrier.definition, SystemClock())


@pytest.mark.parametrize("how", REACHES)
async def test_drift_is_found_and_repaired_the_same_in_every_reach(
    stage: Stage, drifting: Drift, how: Reach
) -> None:
    async with stage.worker():
        await stage.deploy(version="one")
    assert await fields(drifting) == []
    access = msgspec.json.encode(stage.database.access).decode()
    async with reach(how, DriftApi, make, access) as api:
        (found,) = await api.find(ADA, service="orders")
        assert (found.field, found.wanted, found.found) == ("service", "one", None)
        assert found.repairs == ("repair",)
        with pytest.raises(NotFound):
            await api.find(ADA, environment="nowhere")
        asked = await api.repair(ADA, environment="dev", service="orders")
        assert (asked.kind, asked.state) == ("deploy", "queued")
        with pytest.raises(ReleaseUnderWay):
            await api.repair(ADA, environment="dev", service="orders")
        with pytest.raises(NothingDrifted):
            await api.repair(ADA, environment="dev", service="unheard-of")
    while MADE:
        await MADE.pop().close()
