"""Clients that come in numbers, hold what they have, or send frames without end: the neighbours notice nothing.

The default run shows each kind with few clients; ``-m slow`` with as many as one machine's client can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.testing.conformance.engines import short_home
from faults import raw_http as h
from faults.neighbours import Attacked, attacked
from faults.raw_http import connected, exchange, frame, statuses
from l10_engines.proxy.rig import HOST, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEPT = 2
"""Connections that the neighbour's visitors keep when they speak HTTP/2."""

FEW_AND_MANY = [100, pytest.param(2000, marks=pytest.mark.slow)]
TO_VICTIM = f"host: {HOST}\r\n".encode()
GET = b"GET / HTTP/1.1\r\n" + TO_VICTIM + b"\r\n"
GET_AND_LEAVE = GET[:-2] + b"connection: close\r\n\r\n"
HEADERS_LIMIT = 20.0
"""Seconds after which a client that has not sent its header must be gone; the edge allows it 10."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def clients(
    edge: Attacked, count: int, first: bytes, *, window: int | None = None
) -> AsyncIterator[list[Streams]]:
    """Connect so many clients, each of which sends the same; they leave without a word in the end."""
    found: list[Streams] = []
    try:
        for _ in range(count):
            found.append(await h.open_to(edge.port, window=window))
            found[-1][1].write(first)
        yield found
    finally:
        for _, writer in found:
            writer.transport.abort()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the edge ends the connection."""
    found = bytearray()
    with suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            found += piece
    return bytes(found)


@pytest.mark.parametrize("count", FEW_AND_MANY)
@pytest.mark.slow
async def test_who_never_ends_a_header_is_cut_off(edge: Attacked, count: int) -> None:
    half = b"GET / HTTP/1.1\r\n" + TO_VICTIM + b"x-a: b"
    async with edge.undisturbed(), clients(edge, count, half) as slow:

        async def drip() -> None:
            while True:
                await asyncio.sleep(0.5)
                for _, writer in slow:
                    writer.write(b"y")

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(HEADERS_LIMIT):
            ends = await asyncio.gather(*(until_closed(reader) for reader, _ in slow))
        dripping.cancel()
    assert {status for end in ends for status in statuses(end)} <= {408}
    await edge.until_alone()
    assert edge.heap_is_bounded()


@pytest.mark.parametrize("count", FEW_AND_MANY)
async def test_who_holds_connections_holds_nobody_up(edge: Attacked, count: int) -> None:
    upload = b"POST /length HTTP/1.1\r\n" + TO_VICTIM + b"content-length: 1000000\r\n\r\nabc"
    each = count // 2
    async with (
        edge.undisturbed(),
        clients(edge, each, b""),
        clients(edge, each, upload),
    ):

        async def are_there() -> bool:
            return await edge.stat("http.edge.downstream_cx_active") >= 2 * each

        await until(are_there)
        assert (await exchange(edge.port, GET_AND_LEAVE)).endswith(b"victim")
    await edge.until_alone()
    assert edge.heap_is_bounded()


@pytest.mark.parametrize("count", [20, pytest.param(300, marks=pytest.mark.slow)])
async def test_who_reads_slowly_makes_the_edge_hold_little(edge: Attacked, count: int) -> None:
    """Without a bound on what is read ahead from the instance, each would cost a megabyte."""
    before, asked = edge.rig.envoy.memory(), edge.victim.seen["GET /big"]
    big = b"GET /big HTTP/1.1\r\n" + TO_VICTIM + b"\r\n"
    async with edge.undisturbed(), clients(edge, count, big, window=4096):

        async def are_served() -> bool:
            return edge.victim.seen["GET /big"] >= asked + count

        await until(are_served)
        await edge.until_quiet("http.edge.downstream_cx_tx_bytes_total")
        held = edge.rig.envoy.memory() - before
    assert held < count * (400 << 10) + (8 << 20)
    await edge.until_alone()


async def test_a_large_body_passes_through_and_is_not_kept(edge: Attacked) -> None:
    size, before = 64 << 20, edge.rig.envoy.memory()
    head = b"POST /length HTTP/1.1\r\n" + TO_VICTIM + b"connection: close\r\n"
    async with edge.undisturbed(), connected(edge.port) as (reader, writer):
        writer.write(head + b"content-length: %d\r\n\r\n" % size)
        for _ in range(size >> 20):
            writer.write(bytes(1 << 20))
            await writer.drain()
        answer = await until_closed(reader)
        held = edge.rig.envoy.memory() - before
    assert answer.endswith(str(size).encode())
    assert held < size // 4


async def test_requests_sent_all_at_once_do_not_keep_others_waiting(edge: Attacked) -> None:
    asked = edge.victim.seen["GET /"]
    async with edge.undisturbed(), clients(edge, 10, GET * 300) as flood:
        async with asyncio.timeout(20):
            for reader, _ in flood:
                await reader.readuntil(b"victim")

        async def are_served() -> bool:
            return edge.victim.seen["GET /"] >= asked + 1000

        await until(are_served)
    await edge.until_alone()


async def test_an_upgrade_that_the_service_does_not_take_is_an_answer_like_any_other(
    edge: Attacked,
) -> None:
    fields = b"upgrade: websocket\r\nconnection: upgrade\r\n"
    async with edge.undisturbed():
        for protocol in (b"h2c", b"TLS/1.0", b"evil"):
            sent = GET[:-2] + b"upgrade: " + protocol + b"\r\nconnection: upgrade\r\n\r\n"
            async with connected(edge.port) as (reader, writer):
                writer.write(sent)
                assert b" 101 " not in await reader.readuntil(b"\r\n")
        many = 200
        async with clients(edge, many, GET[:-2] + fields + b"\r\n") as sockets:
            for reader, writer in sockets:
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
                writer.write(b"\xff\xff\0\n" * 10)
                assert await reader.readline() == b"victim \xff\xff\0\n"
    await edge.until_alone()


def streams(count: int, path: str = "/") -> bytes:
    block = h.get(HOST, path)
    return b"".join(
        frame(h.HEADERS, h.END_STREAM | h.END_HEADERS, 1 + 2 * n, block) for n in range(count)
    )


def rapid_reset() -> bytes:
    """CVE-2023-44487: requests that are taken back at once cost the server and not the client."""
    block, cancel = h.get(HOST), (8).to_bytes(4)
    return b"".join(
        frame(h.HEADERS, h.END_STREAM | h.END_HEADERS, n, block) + frame(h.RST_STREAM, 0, n, cancel)
        for n in range(1, 20_001, 2)
    )


def endless_header() -> bytes:
    """CVE-2024-30255: a header in pieces that never ends."""
    more = frame(h.CONTINUATION, 0, 1, h.header_block(("x-a", "b" * 4000)))
    return frame(h.HEADERS, h.END_STREAM, 1, h.get(HOST)) + more * 2000


def header_that_unfolds() -> bytes:
    """A field of 3.9 kB in the table of HPACK, named ten thousand times by one byte (RFC 7541, 6.1)."""
    once = b"\x40" + h.header_block(("x-a", "b" * 3900))[1:]
    first = frame(h.HEADERS, h.END_STREAM, 1, h.get(HOST) + once)
    return first + frame(h.CONTINUATION, h.END_HEADERS, 1, b"\xbe" * 10_000)


def upload(*more: bytes) -> bytes:
    return frame(h.HEADERS, h.END_HEADERS, 1, h.get(HOST, method="POST")) + b"".join(more)


FLOODS: dict[str, Callable[[], bytes]] = {
    "rapid reset": rapid_reset,
    "a header without end": endless_header,
    "empty pieces of a header": lambda: (
        frame(h.HEADERS, h.END_STREAM, 1, h.get(HOST)) + frame(h.CONTINUATION, 0, 1) * 20_000
    ),
    "pings": lambda: frame(h.PING, 0, 0, b"12345678") * 50_000,
    "settings": lambda: frame(h.SETTINGS, 0, 0, b"\0\4\0\1\0\0") * 50_000,
    "empty data": lambda: upload(frame(h.DATA, 0, 1) * 50_000),
    "priorities": lambda: frame(2, 0, 1, b"\0\0\0\0\x10") * 50_000,
    "windows": lambda: frame(h.WINDOW_UPDATE, 0, 0, (1).to_bytes(4)) * 50_000,
    "a window too large": lambda: frame(h.WINDOW_UPDATE, 0, 0, (0x7FFFFFFF).to_bytes(4)),
    "a window of nothing more": lambda: frame(h.WINDOW_UPDATE, 0, 0, bytes(4)),
    "a server's stream": lambda: frame(h.HEADERS, 5, 2, h.get(HOST)),
    "a frame too large": lambda: (1 << 20).to_bytes(3) + b"\0\0\0\0\0\1" + bytes(100),
    "no frames": lambda: b"\xff" * 100,
    "a line feed in a value": lambda: frame(
        h.HEADERS, 5, 1, h.get(HOST, "/", ("x-a", "b\r\nx-forwarded-for: 6.6.6.6"))
    ),
    "a line feed in the path": lambda: frame(h.HEADERS, 5, 1, h.get(HOST, "/ HTTP/1.1\r\nx: y")),
    "chunks": lambda: frame(
        h.HEADERS, 5, 1, h.get(HOST, "/smuggled", ("transfer-encoding", "chunked"))
    ),
    "a body that is announced and ended": lambda: frame(
        h.HEADERS, 5, 1, h.get(HOST, "/smuggled", ("content-length", "5"))
    ),
    "a name in upper case": lambda: frame(h.HEADERS, 5, 1, h.get(HOST, "/smuggled", ("X-A", "b"))),
}


async def is_cut_off(port: int, sent: bytes) -> bool:
    """Speak HTTP/2, send all of it and tell whether the edge closes the connection for it."""
    async with connected(port) as (reader, writer):
        coming = asyncio.create_task(until_closed(reader))
        writer.write(h.PREFACE + frame(h.SETTINGS, 0, 0) + sent)
        with suppress(ConnectionError):
            await writer.drain()
        done, _ = await asyncio.wait({coming}, timeout=10)
        coming.cancel()
        return bool(done)


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
async def test_who_floods_with_frames_is_cut_off(edge: Attacked, times: int) -> None:
    floods = {what: flood() for what, flood in FLOODS.items()}
    async with edge.undisturbed():
        for _ in range(times):
            ends = await asyncio.gather(*(is_cut_off(edge.port, sent) for sent in floods.values()))
            stay = [what for what, is_gone in zip(floods, ends, strict=True) if not is_gone]
            assert stay == []
    assert not [line for line in edge.victim.lines if "smuggled" in line or "6.6.6.6" in line]
    await edge.until_alone()
    assert edge.heap_is_bounded()


@pytest.mark.parametrize(
    ("sent", "count"), [(header_that_unfolds(), 1), (streams(1000), 1000)], ids=["unfolds", "many"]
)
async def test_what_is_too_much_for_the_edge_is_refused_stream_by_stream(
    edge: Attacked, sent: bytes, count: int
) -> None:
    ended: set[int] = set()
    async with edge.undisturbed(), connected(edge.port) as (reader, writer):
        writer.write(h.PREFACE + frame(h.SETTINGS, 0, 0) + sent)
        async with asyncio.timeout(20):
            while len(ended) < count and (one := await h.read_frame(reader)) is not None:
                is_last = one.kind in {h.DATA, h.HEADERS} and one.flags & h.END_STREAM
                if one.kind == h.RST_STREAM or is_last:
                    ended.add(one.stream)
    assert len(ended) == count
    await edge.until_alone()
    assert edge.heap_is_bounded()


UNREAD = h.PREFACE + frame(h.SETTINGS, 0, 0, b"\0\4\0\0\0\0") + streams(100, "/big")
"""A hundred answers of 8 MB, and a window of zero bytes for them."""


async def test_streams_whose_client_takes_nothing_cost_little(edge: Attacked) -> None:
    asked = edge.victim.seen["GET /big"]
    async with edge.undisturbed(), clients(edge, 1, UNREAD):

        async def are_served() -> bool:
            return edge.victim.seen["GET /big"] >= asked + 100

        await until(are_served)
        await edge.until_quiet("http.edge.downstream_cx_rx_bytes_total")
        assert edge.heap_is_bounded()
    await edge.until_alone()


@pytest.mark.parametrize(
    ("memory", "count"), [(48 << 20, 8), pytest.param(256 << 20, 26, marks=pytest.mark.slow)]
)
async def test_unread_answers_that_memory_has_no_room_for_are_ended_while_others_are_answered(
    memory: int, count: int
) -> None:
    """Each stream costs up to 128 kB: were none ended, the edge would refuse everybody while they stay."""
    with short_home() as home:
        async with attacked(home, memory=memory) as edge:
            async with clients(edge, count, UNREAD):
                await until_enough_were_ended(edge)
                async with edge.undisturbed():
                    await until(edge.heap_is_bounded_again)
            await edge.until_alone()


async def until_enough_were_ended(edge: Attacked) -> None:
    ended = 0

    async def are_enough() -> bool:
        nonlocal ended
        await asyncio.sleep(0.5)
        with suppress(ProxyUnavailable):  # it is busy
            last = ended
            ended = await edge.stat("envoy.overload_actions.reset_high_memory_stream.count")
            return 0 < ended == last
        return False

    await until(are_enough)


@pytest.mark.parametrize("most", [50, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.slow
async def test_when_strangers_have_every_connection_who_is_there_goes_on_and_services_too(
    most: int,
) -> None:
    """Twice: what comes and goes by other ports meanwhile neither widens the bound nor narrows it."""
    with short_home() as home:
        async with attacked(home, connections=most) as edge:
            kept = edge.undisturbed(protocol="http2", reused=1)
            async with kept, edge.undisturbed(port=edge.internal):
                for _ in range(2):
                    async with clients(edge, most, b""):
                        await until_strangers(edge, most)
                        for _ in range(20):
                            assert await is_refused(edge.port)
                            # An Envoy that did not answer the agent would be taken for dead, and be ended.
                            assert await edge.rig.envoy.is_ready()
                        assert await edge.strangers() == most
                    await until_strangers(edge, KEPT)
                    assert not await is_refused(edge.port)
            await edge.until_alone()


async def until_strangers(edge: Attacked, number: int) -> None:
    async def are_so_many() -> bool:
        return await edge.strangers() == number

    await until(are_so_many)


async def is_refused(port: int) -> bool:
    """Tell whether a new connection is closed without a word, rather than answered; it may not be left waiting."""
    try:
        answer = await exchange(port, GET_AND_LEAVE)
    except ConnectionError:
        return True
    assert statuses(answer) in ([], [200])
    return not answer
