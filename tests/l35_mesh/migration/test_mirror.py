"""Both sides of a service are compared beside the way of its requests: a real Envoy, real programs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.contract.by_socket import BySocket
from drystone.l00_kernel.contract.sending import Request
from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint
from drystone.l10_engines.proxy.edge_moves import COPY, HOP, SIDE, WHOLE, Encryption, Mirror, Move
from drystone.l35_mesh.migration.api import Compared, Target
from drystone.l35_mesh.migration.comparers import Comparers
from drystone.l35_mesh.migration.domain import Migration
from drystone.testing.conformance.engines import eventually, short_home
from l10_engines.proxy.rig import HOST, Rig, Running, shop, until
from l10_engines.proxy.upstream import Upstream
from l35_mesh.migration.encrypted import NAME, Http2Upstream, proof

pytestmark = pytest.mark.asyncio(loop_scope="module")

LABEL = "0123456789abcdef"
ONE = Migration(
    environment="dev",
    service="shop",
    target=Target(address="127.0.0.1:1"),
    since=datetime.now(UTC),
    by="tester",
    addresses=("127.0.0.1",),
    mirror=WHOLE,
)


class Compares:
    """An edge at which everything is compared, and whoever does so."""

    def __init__(self, rig: Rig, comparers: Comparers, here: Upstream, there: Upstream) -> None:
        self.rig = rig
        self.comparers = comparers
        self.here = here
        self.there = there

    @property
    def mirror(self) -> Mirror:
        mirror = self.comparers.mirror_of(ONE)
        assert mirror is not None
        return mirror

    @property
    def move(self) -> Move:
        return Move(label=LABEL, addresses=(Endpoint(self.there.port),), mirror=self.mirror)

    @property
    def pid(self) -> int | None:
        return self.comparers._running[ONE.key][1].status().pid

    async def counted(self) -> Compared:
        found = await self.comparers.counted(ONE.key)
        assert found is not None
        return found

    async def begin(self) -> None:
        self.comparers.begin_counting(ONE.key, datetime.now(UTC))
        await self.comparers.keep(ONE)
        for one in (self.here, self.there):
            one.seen.clear()
            one.lines.clear()
            one.told.clear()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge() -> AsyncIterator[Compares]:
    with short_home() as home:
        (home / "dev" / "shop").mkdir(parents=True)
        here, there = await Upstream("here").start(), await Upstream("there").start()
        comparers = Comparers(
            home,
            outputs=home,
            socket=lambda name: home / name,
            environ=os.environ,
            log=NullLog(),
        )
        rig = Rig(home)
        edge = Compares(rig, comparers, here, there)
        try:
            await rig.live(rig.snapshot(shop(("blue", 1, [here]), move=edge.move)))
            yield edge
        finally:
            await rig.end()
            await comparers.leave()
            await here.stop()
            await there.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def comparing(edge: Compares) -> AsyncIterator[Compares]:
    await edge.begin()
    yield edge
    await edge.comparers.end(ONE.key)


async def test_both_sides_are_asked_and_what_differs_is_told(comparing: Compares) -> None:
    get = comparing.rig.get
    assert (await get("/orders/4711aa?token=secret")).text == "here"
    assert (await get("/status/404", method="HEAD")).status_code == 404

    async def is_told() -> bool:
        found = await comparing.counted()
        return (found.same, found.different) == (1, 1)

    await until(is_told)
    (example,) = (await comparing.counted()).examples
    assert (example.method, example.path) == ("GET", "/orders/*?token")
    assert example.differences == ["body /: differs"]
    assert comparing.there.seen == {"GET /orders/4711aa": 1, "HEAD /status/404": 1}
    assert comparing.here.seen == {"GET /orders/4711aa": 2, "HEAD /status/404": 2}
    assert {HOP, COPY} <= comparing.here.told & comparing.there.told
    assert SIDE not in comparing.here.told | comparing.there.told


async def test_what_is_unsafe_or_a_copy_itself_is_never_copied(comparing: Compares) -> None:
    get = comparing.rig.get
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert (await get("/unsafe", method=method)).text == "here"
    for headers in ({"x_drystone_copy": "another"}, {"x_drystone_hop": LABEL}):
        assert (await get("/copy", **headers)).text == "here"
    for side in ("here", "there"):
        asked = Request(verb="POST", target="/", headers={SIDE: side}, content=b"", streams=False)
        refused = await BySocket(comparing.mirror.sides, f"http://{HOST}").send(asked)
        await refused.close()
        assert refused.status == 405
    await get("/last")  # what was copied before it has arrived when this has
    await eventually(lambda: comparing.there.seen["GET /last"] == 1)
    assert set(comparing.there.seen) == {"GET /last"}
    assert comparing.here.seen["GET /copy"] == 2
    assert comparing.mirror.sides.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_comparer_that_dies_or_hangs_costs_no_request(
    comparing: Compares, fault: signal.Signals
) -> None:
    async with Running(comparing.rig):
        await eventually(lambda: comparing.there.seen.total() > 5)
        pid = comparing.pid
        assert pid is not None
        os.kill(pid, fault)
        before = comparing.here.seen.total()
        await eventually(lambda: comparing.here.seen.total() > before + 100)
        if fault == signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)
        told = comparing.there.seen.total()
        await eventually(lambda: comparing.there.seen.total() > told + 5)

        async def counts() -> bool:
            return (await comparing.counted()).different > 0

        await until(counts)


async def test_without_anybody_who_compares_requests_go_as_they_went(edge: Compares) -> None:
    await edge.comparers.end(ONE.key)
    async with asyncio.timeout(60):
        assert {(await edge.rig.get()).text for _ in range(30)} == {"here"}


@pytest.mark.parametrize("speaks", ["http1", "http2"])
async def test_a_side_that_proves_who_it_is_is_compared_and_moved_to(
    comparing: Compares, tmp_path: Path, speaks: Literal["http1", "http2"]
) -> None:
    context, authorities = proof(tmp_path, {"http1": "http/1.1", "http2": "h2"}[speaks])
    kind = Http2Upstream if speaks == "http2" else Upstream
    there, rig = await kind("there").start(tls=context), comparing.rig
    move = Move(
        label=LABEL,
        addresses=(Endpoint(there.port),),
        host=NAME,
        tls=Encryption(NAME, authorities),
        protocol=speaks,
        mirror=comparing.mirror,
    )
    over = msgspec.structs.replace(move, share=WHOLE, mirror=None)
    stranger = msgspec.structs.replace(over, tls=Encryption("another.example", authorities))

    def moving(how: Move | None) -> EdgeService:
        return shop(("blue", 1, [comparing.here]), move=how)

    try:
        await rig.publish(moving(move))
        assert (await rig.get("/compared")).text == "here"

        async def is_told() -> bool:
            return (await comparing.counted()).different == 1

        await until(is_told)
        assert there.seen == {"GET /compared": 1}
        await rig.publish(moving(over))
        assert (await rig.get("/moved")).text == "there"
        await rig.publish(moving(stranger))
        assert (await rig.get("/stranger")).text == "here"
        assert "GET /stranger" not in there.seen
    finally:
        await rig.publish(moving(comparing.move))
        await there.stop()
