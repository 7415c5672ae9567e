"""Thousands of connections and clients without haste before a sidecar: whoever else calls notices nothing.

The default run shows each place with few clients; ``-m slow`` with ten thousand.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.namespaces import inside
from drystone.l10_engines.proxy.settings import connections_here
from drystone.l35_mesh.sidecar.connections import MOST_CONNECTIONS
from drystone.l35_mesh.sidecar.model import Address, Caller
from drystone.testing.conformance.engines import short_home
from drystone.testing.load import Load, Outcome, run
from drystone.testing.networks import service_network
from l10_engines.proxy.rig import only_generation, until
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig, Signer, key_set

pytestmark = pytest.mark.asyncio(loop_scope="module")

FEW_AND_MANY = [200, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
SLOW_SHARE = 5
"""One of so many clients begins a request that it never ends; the others say nothing."""

HEAP, PROGRAM = 256 << 20, 64 << 20
"""Bytes that the proxy is given, and what its program needs beside them."""

RATE = 50
AT_THE_EDGE = 20_000
"""How many strangers the rig lets in, where the system allows as many open files."""

KEPT = 2
EDGE, MILL = "edge", "outbound/mill.dev>billing.dev"
"""Ways to a service, as the proxy counts them."""


class Flooded(MeshRig):
    """``desk`` calls ``billing`` from this machine, ``mill`` from inside a network."""

    def __init__(self, home: Path, network: Path, port: int) -> None:
        super().__init__(home)
        self.mill = Signer("dev/mill")
        self.network, self.inner = network, port

    async def begin(self, billing: Upstream) -> None:
        """Return when both calls are possible."""
        await self.live()
        inbound = self.billing(
            billing,
            callers=(Caller("dev/desk"), Caller("dev/mill")),
            keys=key_set(self.desk, self.mill),
        )
        from_mill = self.to_billing(
            caller="mill.dev",
            issuer="dev/mill",
            listen=Address(self.inner, network=self.network),
        )
        made = self.mesh(inbound, self.to_billing(), from_mill)
        made.tokens["dev/mill", "dev/billing"] = self.mill.token("dev/billing")  # type: ignore[index]
        await self.have(made)

    @asynccontextmanager
    async def desk_goes_on(self) -> AsyncIterator[None]:
        """Let desk call while the block runs; every call must be answered."""
        stop, seen = asyncio.Event(), 0

        def count(_: Outcome) -> None:
            nonlocal seen
            seen += 1

        url = f"http://127.0.0.1:{self.out}/"
        load = Load(url=url, rate=RATE, length=timedelta(minutes=4))
        calling = asyncio.create_task(run(load, stop=stop, observe=count))

        async def has_gone_on() -> bool:
            return seen > 5

        try:
            await until(has_gone_on)
            yield
            seen = 0
            await until(has_gone_on)
        finally:
            stop.set()
            report = await calling
        assert report.failed == (), report.text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def flooded() -> AsyncIterator[Flooded]:
    port = free_port()
    with short_home() as home:
        billing = await Upstream("billing").start()
        async with service_network(home / "n", open_ports=frozenset({port})) as network:
            rig = Flooded(home, network.path, port)
            try:
                await rig.begin(billing)
                yield rig
            finally:
                await rig.end()
                await billing.stop()


def connections(count: int, at: tuple[str, int], begun: bytes) -> list[socket.socket]:
    """Connect so often; some clients begin a request."""
    made: list[socket.socket] = []
    try:
        for number in range(count):
            made.append(socket.create_connection(at, timeout=30))
            if number % SLOW_SHARE == 0:
                with suppress(ConnectionError):  # it was one too many
                    made[-1].sendall(begun)
    except BaseException:
        close(made)
        raise
    return made


def close(made: list[socket.socket]) -> None:
    for one in made:
        one.close()


@contextmanager
def closed_in_the_end(made: list[socket.socket]) -> Iterator[None]:
    try:
        yield
    finally:
        close(made)


async def holds(rig: Flooded, way: str, count: int) -> None:
    """Wait until the proxy has so many clients at once on a way."""

    async def are_there() -> bool:
        return await connected_now(rig, way) >= count

    await until(are_there)


async def is_left(rig: Flooded, way: str) -> None:
    """Wait until nobody is connected any more on a way, but for those whom this test keeps itself."""

    async def are_gone() -> bool:
        return await connected_now(rig, way) <= KEPT

    await until(are_gone)


async def connected_now(rig: Flooded, way: str) -> int:
    name = f"^http[.]{way}[.]downstream_cx_active$"
    counted = msgspec.json.decode(await only_generation(rig).admin.statistics(name))
    return sum(one["value"] for one in counted["stats"])


@pytest.mark.parametrize("count", FEW_AND_MANY)
async def test_a_flood_at_the_edge_of_a_service_leaves_its_callers_alone(
    flooded: Flooded, count: int
) -> None:
    before = flooded.envoy.status().pid
    begun = (
        b"POST /length HTTP/1.1\r\nhost: billing.dev.localhost\r\ncontent-length: 1000000\r\n"
        b"authorization: Bearer " + flooded.desk.token("dev/billing").encode() + b"\r\n\r\nabc"
    )
    at = ("127.0.0.1", flooded.port)
    async with flooded.desk_goes_on():
        with closed_in_the_end(await asyncio.to_thread(connections, count, at, begun)):
            most = connections_here(AT_THE_EDGE)
            await holds(flooded, EDGE, min(count, most))
            if count < most:  # else whoever comes now is turned away
                answer = await flooded.ask(token=flooded.desk.token("dev/billing"))
                assert (answer.status_code, answer.text) == (200, "billing")
                assert (await flooded.ask()).status_code == 401
            assert flooded.envoy.memory() < HEAP + PROGRAM
    await is_left(flooded, EDGE)
    assert flooded.envoy.status().pid == before


@pytest.mark.parametrize("count", FEW_AND_MANY)
async def test_a_service_that_floods_its_own_way_out_is_alone_with_it(
    flooded: Flooded, count: int
) -> None:
    before = flooded.envoy.status().pid
    begun = b"POST /length HTTP/1.1\r\nhost: billing\r\ncontent-length: 1000000\r\n\r\nabc"
    at = ("127.0.0.1", flooded.inner)

    def flood() -> list[socket.socket]:
        return inside(flooded.network, lambda: connections(count, at, begun))

    async with flooded.desk_goes_on():
        with closed_in_the_end(await asyncio.to_thread(flood)):
            await holds(flooded, MILL, min(count, MOST_CONNECTIONS))
            assert (await flooded.call()).text == "billing"
            assert flooded.envoy.memory() < HEAP + PROGRAM
    await is_left(flooded, MILL)
    assert flooded.envoy.status().pid == before
