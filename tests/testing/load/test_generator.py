"""The generator against servers that fail on purpose."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import sys
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.load import Failure, Load, Report, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ROOT = Path(__file__).parents[3]


class Exchange(msgspec.Struct):
    """One request that a server received: the how-manieth of its connection, and what to answer with."""

    number: int
    head: str
    writer: asyncio.StreamWriter

    @property
    def is_single(self) -> bool:
        return "connection: close" in self.head

    def reset(self) -> None:
        """Break the connection with RST (SO_LINGER of zero seconds, socket(7))."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@asynccontextmanager
async def server(answer: Callable[[Exchange], Awaitable[bytes | None]]) -> AsyncIterator[str]:
    """Serve with a function that returns the bytes of each answer; None closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        serving.add(cast("asyncio.Task[None]", asyncio.current_task()))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                if length := re.search(r"content-length: (\d+)", head):
                    await reader.readexactly(int(length[1]))
                number += 1
                exchange = Exchange(number, head, writer)
                wire = await answer(exchange)
                writer.write(wire or b"")
                if wire is None or exchange.is_single:
                    break
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    serving: set[asyncio.Task[None]] = set()
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    await asyncio.wait_for(asyncio.gather(*serving), 10)


async def forty(url: str, **more: object) -> Report:
    """Send forty requests at 500 per second."""
    load = Load(url=url, rate=500, length=timedelta(seconds=40 / 500), **more)  # type: ignore[arg-type]
    return await run(load)


async def test_half_of_the_requests_use_kept_connections_and_half_new_ones() -> None:
    single: list[bool] = []

    async def answer(exchange: Exchange) -> bytes:
        single.append(exchange.is_single)
        return OK

    async with server(answer) as url:
        report = await forty(url)

    assert len(report.outcomes) == 40
    assert report.failed == ()
    assert single.count(True) == single.count(False) == 20
    assert 0 < sum(outcome.reused for outcome in report.outcomes) <= 20


async def test_a_kept_connection_that_is_closed_while_idle_is_no_failure() -> None:
    kept: list[asyncio.StreamWriter] = []

    async def answer(exchange: Exchange) -> bytes:
        kept.append(exchange.writer)
        return OK

    def close(outcome: object) -> None:  # the answer is there, and the next request is not sent yet
        kept.pop().get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    async with server(answer) as url:
        load = Load(url=url, rate=50, length=timedelta(seconds=10 / 50), reused=1)
        report = await run(load, observe=close)

    assert report.failed == ()
    assert not any(outcome.reused for outcome in report.outcomes)
    assert report.idle_closed == 9  # nobody looked at the last one again


@pytest.mark.parametrize(("broken", "kind"), [(False, "closed"), (True, "reset")])
async def test_a_kept_connection_that_ends_with_a_request_under_way_is_a_failure(
    broken: bool, kind: str
) -> None:
    dropped = 0

    async def answer(exchange: Exchange) -> bytes | None:
        nonlocal dropped
        if exchange.number == 1:
            return OK
        dropped += 1
        if broken:
            exchange.reset()
        return None

    async with server(answer) as url:
        report = await forty(url)

    assert dropped > 0
    assert report.failures() == {kind: dropped}
    assert all(outcome.reused for outcome in report.failed)


async def test_a_connection_whose_end_was_announced_is_not_used_again() -> None:
    numbers: list[int] = []

    async def answer(exchange: Exchange) -> bytes:
        numbers.append(exchange.number)
        return OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n", 1)

    async with server(answer) as url:
        report = await forty(url)

    assert report.failed == ()
    assert numbers == [1] * 40
    assert not any(outcome.reused for outcome in report.outcomes)


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (None, "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "cut"),
        (b"HTTP/1.1 20", "cut"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "malformed"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nwait", "status 503"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status 404"),
    ],
)
async def test_each_way_to_fail_has_its_kind(wire: bytes | None, kind: str) -> None:
    async def answer(exchange: Exchange) -> bytes | None:
        return wire

    async with server(answer) as url:
        report = await forty(url, reused=0)

    assert report.failures() == {kind: 40}


async def test_an_answer_that_ends_with_its_connection_is_whole() -> None:
    async def answer(exchange: Exchange) -> bytes:
        return b'HTTP/1.0 200 OK\r\n\r\n{"version": "7"}'

    async with server(answer) as url:
        report = await forty(url, reused=0, version_pattern=r'"version": "([^"]+)"')

    assert report.failed == ()
    assert report.versions()["7"].answers == 40


async def test_a_port_on_which_nobody_listens_fails_to_connect() -> None:
    report = await forty(f"http://127.0.0.1:{free_port()}/")

    assert report.failures() == {"connect": 40}


async def test_a_request_without_an_answer_in_time_fails() -> None:
    never = asyncio.Event()

    async def answer(exchange: Exchange) -> bytes:
        await never.wait()
        return OK

    async with server(answer) as url:
        report = await forty(url, timeout=timedelta(milliseconds=50))
        never.set()

    assert report.failures() == {"timeout": 40}


async def test_requests_are_sent_when_due_though_nothing_is_answered() -> None:
    arrived = 0
    all_here = asyncio.Event()

    async def answer(exchange: Exchange) -> bytes:
        nonlocal arrived
        arrived += 1
        if arrived == 40:
            all_here.set()
        await all_here.wait()  # a generator that waits for an answer before it goes on gets none
        return OK

    async with server(answer) as url:
        report = await forty(url)

    assert report.failed == ()


async def test_requests_that_are_due_and_cannot_be_sent_are_not_forgotten() -> None:
    proceed = asyncio.Event()

    async def answer(exchange: Exchange) -> bytes:
        await proceed.wait()
        return OK

    def observe(outcome: object) -> None:
        seen.append(outcome)
        if len(seen) == 30:
            proceed.set()

    seen: list[object] = []
    async with server(answer) as url:
        load = Load(url=url, rate=500, length=timedelta(seconds=40 / 500), most_waiting=10)
        report = await run(load, observe=observe)

    assert report.failures() == {"unsent": 30}
    assert len(report.outcomes) == len(seen) == 40


async def test_the_versions_that_answered_appear_in_order() -> None:
    sent = 0

    async def answer(exchange: Exchange) -> bytes:
        nonlocal sent
        sent += 1
        version = b"1" if sent <= 15 else b"2"
        return OK.replace(b"OK\r\n", b"OK\r\nX-Version: " + version + b"\r\n", 1)

    async with server(answer) as url:
        versions = (await forty(url)).versions()

    assert {name: span.answers for name, span in versions.items()} == {"1": 15, "2": 25}
    assert list(versions) == ["1", "2"]
    assert versions["1"].first_answer < versions["2"].last_answer


async def test_a_run_ends_early_when_it_is_told_to() -> None:
    stop = asyncio.Event()

    async def answer(exchange: Exchange) -> bytes:
        stop.set()
        return OK

    async with server(answer) as url:
        load = Load(url=url, rate=100, length=timedelta(hours=1))
        report = await run(load, stop=stop)

    assert report.failed == ()
    assert len(report.outcomes) < 100


async def test_method_headers_body_and_host_arrive_as_given() -> None:
    heads: list[str] = []

    async def answer(exchange: Exchange) -> bytes:
        heads.append(exchange.head)
        return OK

    async with server(answer) as url:
        port = url.rstrip("/").rpartition(":")[2]
        load = Load(
            url=f"http://orders.dev.localhost:{port}/a?b=c",
            rate=500,
            length=timedelta(seconds=2 / 500),
            method="POST",
            headers={"x-note": "1"},
            body=b"12345",
        )
        report = await run(load)

    assert report.failed == ()
    for head in heads:
        assert head.startswith("POST /a?b=c HTTP/1.1\r\n")
        assert f"host: orders.dev.localhost:{port}\r\n" in head
        assert "x-note: 1\r\n" in head
        assert "content-length: 5\r\n" in head


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://example.com/"},
        {"url": "http:///nothing"},
        {"url": "http://x:99999/"},
        {"url": "http://x/\r\nhost: y"},
        {"url": "http://x/ y"},
        {"url": "http://user@x/"},
        {"rate": 0},
        {"rate": float("nan")},
        {"reused": 1.5},
        {"method": "GET /"},
        {"headers": {"a b": "c"}},
        {"headers": {"a": "b\r\nc: d"}},
        {"headers": {"Content-Length": "5"}},
        {"version_pattern": "("},
        {"version_pattern": "no group"},
    ],
    ids=repr,
)
async def test_a_load_that_cannot_be_sent_is_refused(change: dict[str, object]) -> None:
    fine = {"url": "http://127.0.0.1/", "rate": 1, "length": timedelta(0)}

    with pytest.raises(Invalid):
        await run(Load(**(fine | change)))  # type: ignore[arg-type]


async def test_the_command_prints_the_report_and_fails_when_a_request_failed() -> None:
    async def answer(exchange: Exchange) -> bytes | None:
        return None if exchange.is_single else OK

    command = "-m", "benchmarks.load", "--rate", "500", "--seconds", "0.08", "--json", "--url"
    async with server(answer) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, url, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()

    summary = json.loads(output)
    assert process.returncode == 1
    assert summary["requests"] == 40
    assert summary["failures"] == {Failure.CLOSED.value: 20}
