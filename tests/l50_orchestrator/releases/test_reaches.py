"""The same service as an object, through its wire form, and in a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.errors import NotFound
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l25_deployer.errors import DescriptorRefused
from drystone.l50_orchestrator.releases.api import ReleasesApi
from drystone.l50_orchestrator.releases.errors import (
    NoApprovalAsked,
    NotAnApprover,
    NothingServes,
    ReleaseUnknown,
)
from drystone.l50_orchestrator.releases.service import Releases
from drystone.testing.reaches import REACHES, reach
from drystone.testing.releases import parts_on
from drystone.testing.simulated_target import SimulatedTarget
from l50_orchestrator.releases.stage import ADA, BOB, SCHEMA, Stage, source

pytestmark = pytest.mark.asyncio(loop_scope="session")


MADE: list[Database] = []
"""What was opened in this process, to be closed."""


def make(access: str) -> Releases:
    """Make the service on a database; what it adds is carried out by a worker of the test."""
    database = Database(msgspec.json.decode(access, type=DatabaseAccess), SCHEMA)
    MADE.append(database)
    return Releases(parts_on(database, SimulatedTarget()))


@pytest_asyncio.fixture(params=REACHES, loop_scope="session")
async def api(request: pytest.FixtureRequest, stage: Stage) -> AsyncIterator[ReleasesApi]:
    access = msgspec.json.encode(stage.database.access).decode()
    async with reach(request.param, ReleasesApi, make, access) as one:
        yield one
    while MADE:
        await MADE.pop().close()


async def test_a_release_is_asked_for_followed_and_shown(api: ReleasesApi, stage: Stage) -> None:
    asked = await api.deploy(ADA, source=source(), environment="dev", version="1", message="why")
    async with stage.worker():
        seen = [one async for one in api.follow(ADA, release=asked.id)]
    view = await api.show(ADA, release="dev/orders/1")
    assert (seen[-1].text, view.summary.state, view.summary.author) == ("served", "served", "ada")
    assert (view.summary.message, view.steps) == ("why", seen)
    assert [
        one.id for one in (await api.history(ADA, until=asked.asked_at + timedelta(1))).items
    ] == [asked.id]


async def test_what_is_refused_is_refused_with_its_own_error(
    api: ReleasesApi, stage: Stage
) -> None:
    asked = await api.deploy(ADA, source=source(deploy="approve: [leads]"), environment="dev")
    with pytest.raises(NotAnApprover):
        await api.approve(ADA, release=asked.id, agrees=True)
    assert (await api.approve(BOB, release=asked.id, agrees=True)).state == "queued"
    plain = await api.deploy(ADA, source=source("billing"), environment="dev")
    with pytest.raises(NoApprovalAsked):
        await api.approve(BOB, release=plain.id, agrees=True)
    with pytest.raises(ReleaseUnknown):
        await api.show(ADA, release="dev/orders/99")
    with pytest.raises(NothingServes):
        await api.promote(ADA, service="orders", to="prod")
    with pytest.raises(NotFound, match="there are dev, staging, prod"):
        await api.deploy(ADA, source=source(), environment="nowhere")
    wrong = type(source())("schema: 1\nservce: x\n", "service.yaml", "/srv")
    with pytest.raises(DescriptorRefused, match="servce"):
        await api.deploy(ADA, source=wrong, environment="dev")
    answer = await api.steer(BOB, release=plain.id, verb="abort")
    assert "aborted" in answer.text
