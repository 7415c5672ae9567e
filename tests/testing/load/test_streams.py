from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.load import Kind, Load, StreamEnd, StreamReport, Streams, run, run_streams
from drystone.testing.talker_process import running_talker

PATHS = {
    Kind.EVENTS: "/events?every=0.02",
    Kind.DOWNLOAD: "/download?bytes=300001&seconds=0.3",
    Kind.UPLOAD: "/upload",
    Kind.WEBSOCKET: "/socket",
    Kind.UNARY: "/talk.Talk/Wait",
    Kind.COUNT: "/talk.Talk/Count",
    Kind.ECHO: "/talk.Talk/Echo",
}
ENDLESS = (Kind.EVENTS, Kind.WEBSOCKET, Kind.COUNT, Kind.ECHO)
LONG = timedelta(seconds=60)


def streams(port: int, kind: Kind, **more: Any) -> Streams:
    made = {
        "rate": 20,
        "length": timedelta(seconds=0.2),
        "lasts": timedelta(seconds=0.3),
        "every": timedelta(milliseconds=20),
        "size": 300_001,
        **more,
    }
    return Streams(url=f"http://127.0.0.1:{port}{PATHS[kind]}", kind=kind, **made)


@pytest.fixture(scope="module")
def every_kind() -> dict[tuple[Kind, str], StreamReport]:
    """What became of streams of every kind, in either protocol, at a service that stays."""

    async def hold() -> dict[tuple[Kind, str], StreamReport]:
        async with running_talker("7") as talker:
            kinds = [(kind, "http1") for kind in Kind]
            kinds += [(kind, "http2") for kind in (Kind.EVENTS, Kind.DOWNLOAD, Kind.UPLOAD)]
            reports = await asyncio.gather(
                *(
                    run_streams(streams(talker.port, kind, protocol=protocol))
                    for kind, protocol in kinds
                )
            )
            return dict(zip(kinds, reports, strict=True))

    return asyncio.run(hold())


@pytest.mark.parametrize("kind", Kind)
def test_streams_of_a_service_that_stays_end_as_they_should(
    every_kind: dict[tuple[Kind, str], StreamReport], kind: Kind
) -> None:
    for report in (of for (one, _), of in every_kind.items() if one is kind):
        assert report.endings() == {}, report.text()
        assert report.versions() == {"7": 4}
        assert all(outcome.messages >= 1 for outcome in report.outcomes)
        assert report.summary()["streams"] == 4


def test_calls_share_a_few_connections(every_kind: dict[tuple[Kind, str], StreamReport]) -> None:
    assert every_kind[Kind.ECHO, "http1"].connections == 2
    assert every_kind[Kind.WEBSOCKET, "http1"].connections == 4


GOODBYES = {
    Kind.EVENTS: "the events ended",
    Kind.WEBSOCKET: "close 1001",
    Kind.COUNT: "grpc-status 14",
    Kind.ECHO: "grpc-status 14",
}


async def test_a_service_that_leaves_cuts_what_has_no_end_and_says_goodbye() -> None:
    async with running_talker("7") as talker:
        seen = asyncio.Event()
        running = [
            asyncio.create_task(run_streams(streams(talker.port, kind, lasts=LONG), stop=seen))
            for kind in ENDLESS
        ]
        slow = asyncio.create_task(run_streams(streams(talker.port, Kind.DOWNLOAD)))
        await asyncio.sleep(0.5)
        talker.leave()
        reports = await asyncio.gather(*running)
        assert (await slow).endings() == {}
    for kind, report in zip(ENDLESS, reports, strict=True):
        assert report.failed == (), report.text()
        assert {o.detail for o in report.cut} == {GOODBYES[kind]}, report.text()
        assert len(report.cut) == len(report.outcomes) > 0


@asynccontextmanager
async def saying(answer: bytes, *, then: str = "close") -> AsyncIterator[int]:
    """Answer every request with some bytes and close, or wait for the other side to."""
    conversations: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if then == "wait":
            await reader.read()
        writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.create_task(serve(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*conversations, return_exceptions=True)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("kind", "answer", "end", "detail"),
    [
        (Kind.EVENTS, b"", StreamEnd.BROKEN, "closed"),
        (Kind.EVENTS, b"HTTP/1.1 503 No\r\n\r\n", StreamEnd.REFUSED, "status 503"),
        (Kind.EVENTS, OK + b"\r\nid: 0\n\nid: 2\n\n", StreamEnd.WRONG, "message 2 in place of 1"),
        (Kind.EVENTS, OK + b"\r\nid: 0\n\nid: 0\n\n", StreamEnd.WRONG, "message 0 in place of 1"),
        (Kind.EVENTS, OK + b"\r\nid: 0\n\n", StreamEnd.CUT, "the events ended"),
        (
            Kind.DOWNLOAD,
            OK + b"content-length: 3\r\n\r\n\0\1\3",
            StreamEnd.WRONG,
            "changed content",
        ),
        (
            Kind.DOWNLOAD,
            OK + b"content-length: 3\r\n\r\n\0\1",
            StreamEnd.CUT,
            "closed with 1 bytes",
        ),
        (Kind.WEBSOCKET, b"HTTP/1.1 404 No\r\n\r\n", StreamEnd.REFUSED, "status 404"),
        (
            Kind.WEBSOCKET,
            b"HTTP/1.1 101 Go\r\n\r\n\x81\x011",
            StreamEnd.WRONG,
            "message 1 in place",
        ),
        (Kind.WEBSOCKET, b"HTTP/1.1 101 Go\r\n\r\n\x81\x010", StreamEnd.CUT, ""),
    ],
)
async def test_what_goes_wrong_is_told_by_its_name(
    kind: Kind, answer: bytes, end: StreamEnd, detail: str
) -> None:
    async with saying(answer) as port:
        report = await run_streams(streams(port, kind, rate=1, lasts=LONG))
    (outcome,) = report.outcomes
    assert outcome.end is end, report.text()
    assert outcome.detail.startswith(detail)
    assert (len(report.cut), len(report.failed)) == ((1, 0) if end is StreamEnd.CUT else (0, 1))
    assert detail in report.text()


async def test_a_stream_that_falls_silent_is_given_up() -> None:
    async with saying(OK + b"\r\nid: 0\n\n", then="wait") as port:
        patience = timedelta(milliseconds=100)
        report = await run_streams(
            streams(port, Kind.EVENTS, rate=1, lasts=LONG, patience=patience)
        )
    (outcome,) = report.failed
    assert outcome.end is StreamEnd.TIMEOUT


async def test_nobody_there_is_a_failure() -> None:
    for kind in (Kind.EVENTS, Kind.ECHO):
        report = await run_streams(streams(free_port(), kind))
        assert len(report.failed) == 4
        assert "no connection" in report.failed[0].detail


async def test_what_cannot_be_begun_is_refused() -> None:
    with pytest.raises(Invalid, match="cannot be begun"):
        await run_streams(streams(1, Kind.EVENTS, rate=0))
    with pytest.raises(Invalid, match="cannot be loaded"):
        await run_streams(
            Streams(url="ftp://x/", kind=Kind.EVENTS, rate=1, length=timedelta(seconds=1))
        )


async def test_requests_go_side_by_side_over_kept_connections_in_http2() -> None:
    async with running_talker("7") as talker:
        load = Load(
            url=f"http://127.0.0.1:{talker.port}/wait?seconds=0.2",
            rate=100,
            length=timedelta(seconds=0.5),
            protocol="http2",
        )
        report = await run(load)
        refused = await run(
            Load(
                url=f"http://127.0.0.1:{talker.port}/",
                rate=10,
                length=timedelta(seconds=0.3),
                protocol="http2",
                timeout=timedelta(microseconds=1),
            )
        )
    assert report.failures() == {}, report.text()
    assert report.versions()["7"].answers == 50
    assert sum(outcome.reused for outcome in report.outcomes) == 25
    assert refused.failures() == {"timeout": 3}
