"""What becomes of requests that take long, and of protocols that carry many of them, when the edge switches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import httpx2
import pytest

from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool, Protocol
from drystone.testing.load import Kind, Load, StreamReport, Streams, run, run_streams
from drystone.testing.talker_process import Talker, running_talker
from l10_engines.proxy.rig import HOST, Rig, until

NAME = "dev/talk"


@pytest.fixture
async def talkers() -> AsyncIterator[tuple[Talker, Talker]]:
    async with AsyncExitStack() as stack:
        yield (
            await stack.enter_async_context(running_talker("blue")),
            await stack.enter_async_context(running_talker("green")),
        )


def talk(
    talkers: tuple[Talker, Talker],
    serving: str,
    *,
    blue: Protocol = "http2",
    green: Protocol = "http2",
) -> EdgeService:
    """The service with blue and green, one of which gets what is new."""
    pools = tuple(
        Pool(zone, int(zone == serving), (Endpoint(talker.port),), protocol)
        for zone, talker, protocol in zip(("blue", "green"), talkers, (blue, green), strict=True)
    )
    return EdgeService(name=NAME, hosts=(HOST, "127.0.0.1"), pools=pools)


def calls(channel: grpc.aio.Channel, method: str, kind: str = "unary_unary") -> Any:
    """A method of the talker; its messages are texts."""
    make = getattr(channel, kind)
    return make(
        f"/talk.Talk/{method}",
        request_serializer=str.encode,
        response_deserializer=bytes.decode,
    )


def channel_to(rig: Rig, authority: str = HOST) -> grpc.aio.Channel:
    options = [("grpc.default_authority", authority), ("grpc.enable_retries", 0)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{rig.port}", options)


async def test_calls_of_every_kind_reach_a_service_that_speaks_http2(
    stopped: Rig, talkers: tuple[Talker, Talker]
) -> None:
    await stopped.live(stopped.snapshot(talk(talkers, "blue")))
    async with channel_to(stopped) as channel:
        assert await calls(channel, "Wait")("0") == "0 blue"
        counting = calls(channel, "Count", "unary_stream")("0.01")
        assert [await counting.read() for _ in range(3)] == ["0 blue", "1 blue", "2 blue"]
        counting.cancel()
        echo = calls(channel, "Echo", "stream_stream")()
        for number in range(3):
            await echo.write(str(number))
            assert await echo.read() == f"{number} blue"
        await echo.done_writing()
        assert await echo.code() is grpc.StatusCode.OK
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await calls(channel, "Nothing")("0")
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await calls(channel, "Wait")("30", timeout=0.2)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_the_protocol_of_the_client_is_not_that_of_the_service(
    stopped: Rig, talkers: tuple[Talker, Talker]
) -> None:
    await stopped.live(stopped.snapshot(talk(talkers, "blue", green="http1")))
    old = await stopped.get()
    assert (old.http_version, old.headers["x-protocol"]) == ("HTTP/1.1", "http2")
    await stopped.publish(talk(talkers, "green", green="http1"))
    report = await run(
        Load(
            url=f"http://127.0.0.1:{stopped.port}/",
            rate=50,
            length=timedelta(seconds=0.2),
            protocol="http2",
            version_header="x-protocol",
        )
    )
    assert report.failures() == {}
    assert set(report.versions()) == {"http1"}


async def test_what_the_edge_itself_answers_to_a_call_is_a_status_and_a_sentence(
    stopped: Rig, talkers: tuple[Talker, Talker]
) -> None:
    nobody = talk(talkers, "neither")
    await stopped.live(stopped.snapshot(nobody))
    async with channel_to(stopped) as channel, channel_to(stopped, "no.such") as lost:
        with pytest.raises(grpc.aio.AioRpcError) as none:
            await calls(channel, "Wait")("0")
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await calls(lost, "Wait")("0")
    assert none.value.code() is grpc.StatusCode.UNAVAILABLE
    assert none.value.details() == (
        f"{NAME} has no instance that can answer now. `drystone services` shows its state."
    )
    assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "No service answers at no.such" in (unknown.value.details() or "")


async def test_the_next_call_on_an_open_connection_goes_to_the_new_release(
    stopped: Rig, talkers: tuple[Talker, Talker]
) -> None:
    await stopped.live(stopped.snapshot(talk(talkers, "blue")))
    async with channel_to(stopped) as channel:
        echo = calls(channel, "Echo", "stream_stream")()
        await echo.write("before")
        assert await echo.read() == "before blue"
        connections = await downstream_connections(stopped)
        await stopped.publish(talk(talkers, "green"))
        assert await calls(channel, "Wait")("0") == "0 green"
        await echo.write("after")
        assert await echo.read() == "after blue"
        assert await downstream_connections(stopped) == connections == 1
        await echo.done_writing()
        assert await echo.code() is grpc.StatusCode.OK


async def downstream_connections(rig: Rig) -> int:
    """How many connections clients of the edge have opened so far."""
    current = rig.envoy._current
    assert current is not None
    content = await current.admin._ask("GET", "/stats?filter=^http.edge.downstream_cx_total$")
    return int(content.decode().split(": ")[1])


ENDLESS = {
    Kind.EVENTS: "/events?every=0.05",
    Kind.WEBSOCKET: "/socket",
    Kind.COUNT: "/talk.Talk/Count",
    Kind.ECHO: "/talk.Talk/Echo",
}
ENDING = {
    Kind.DOWNLOAD: "/download?bytes=3000000&seconds=1",
    Kind.UPLOAD: "/upload",
    Kind.UNARY: "/talk.Talk/Wait",
}


def under_way(rig: Rig, kinds: dict[Kind, str], stop: asyncio.Event, **more: Any) -> Any:
    """Streams of every kind, begun until told to stop."""
    return asyncio.gather(
        *(
            run_streams(
                Streams(
                    url=f"http://{HOST}:{rig.port}{path}",
                    kind=kind,
                    rate=10,
                    length=timedelta(seconds=30),
                    size=1_000_000,
                    **{"lasts": timedelta(seconds=1), **more},
                ),
                stop=stop,
            )
            for kind, path in kinds.items()
        )
    )


@pytest.mark.parametrize("protocol", ["http1", "http2"])
async def test_streams_of_every_kind_outlive_switches_and_new_ones_follow_them(
    stopped: Rig, talkers: tuple[Talker, Talker], protocol: Protocol
) -> None:
    def to(serving: str) -> EdgeService:
        return talk(talkers, serving, blue=protocol, green=protocol)

    kinds = {**ENDLESS, **ENDING}
    if protocol == "http1":
        kinds = {kind: path for kind, path in kinds.items() if not kind.startswith("grpc")}
    else:
        del kinds[Kind.WEBSOCKET]
    await stopped.live(stopped.snapshot(to("blue")))
    stop = asyncio.Event()
    running = under_way(stopped, kinds, stop, protocol=protocol)
    for serving in ("green", "blue", "green"):
        await asyncio.sleep(0.4)
        await stopped.publish(to(serving))
    await asyncio.sleep(0.4)
    stop.set()
    reports: list[StreamReport] = await running
    for report in reports:
        assert report.endings() == {}, report.text()
        assert set(report.versions()) == {"blue", "green"}, report.text()


async def test_streams_outlive_a_change_of_the_protocol_and_are_counted_until_they_end(
    stopped: Rig, talkers: tuple[Talker, Talker]
) -> None:
    blue, green = talkers
    spoken: dict[str, Protocol] = {"blue": "http1", "green": "http2"}
    await stopped.live(stopped.snapshot(talk(talkers, "blue", **spoken)))

    async def active(*talkers: Talker) -> int:
        return await stopped.envoy.active_requests(NAME, *(talker.port for talker in talkers))

    async def has_some() -> bool:
        return await active(blue) >= 4

    async def has_none() -> bool:
        return await active(blue) == 0

    stop, enough = asyncio.Event(), asyncio.Event()
    kinds = {Kind.EVENTS: ENDLESS[Kind.EVENTS], Kind.WEBSOCKET: "/socket"}
    running = under_way(stopped, kinds, enough, lasts=timedelta(seconds=2))
    load = asyncio.create_task(stopped.load_until(stop))
    await until(has_some)
    enough.set()
    await stopped.publish(talk(talkers, "green", **spoken))
    assert await active(blue) >= 1
    assert await active(blue, green) >= 1
    await until(has_none)
    await stopped.publish(talk(talkers, "blue", **spoken))
    await stopped.publish(talk(talkers, "green", **spoken))
    stop.set()
    ordinary = await load
    for report in await running:
        assert report.endings() == {}, report.text()
        assert set(report.versions()) == {"blue"}
    assert ordinary.failures() == {}, ordinary.text()
    assert set(ordinary.versions()) == {"blue", "green"}
    assert (await stopped.get()).headers["x-version"] == "green"


async def test_websockets_that_the_service_closes_do_not_cost_it_its_place(
    stopped: Rig, talkers: tuple[Talker, Talker]
) -> None:
    """Each of them is a broken connection to the edge, and nothing else is asked that could succeed."""
    await stopped.live(stopped.snapshot(talk(talkers, "blue", blue="http1", green="http1")))
    report = await run_streams(
        Streams(
            url=f"http://{HOST}:{stopped.port}/socket",
            kind=Kind.WEBSOCKET,
            rate=30,
            length=timedelta(seconds=1),
            lasts=timedelta(0),
        )
    )
    assert report.endings() == {}, report.text()


async def test_a_call_that_breaks_off_with_its_service_ends_with_a_status(
    stopped: Rig, talkers: tuple[Talker, Talker]
) -> None:
    blue, _ = talkers
    await stopped.live(stopped.snapshot(talk(talkers, "blue")))
    async with channel_to(stopped) as channel:
        echo = calls(channel, "Echo", "stream_stream")()
        await echo.write("here")
        assert await echo.read() == "here blue"
        blue.process.kill()
        with pytest.raises(grpc.aio.AioRpcError) as broken:
            await echo.read()
    assert broken.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL}


async def test_requests_side_by_side_on_one_connection_follow_a_switch_at_once(
    stopped: Rig, talkers: tuple[Talker, Talker]
) -> None:
    await stopped.live(stopped.snapshot(talk(talkers, "blue", blue="http1", green="http1")))
    stop = asyncio.Event()
    load = Load(
        url=f"http://127.0.0.1:{stopped.port}/wait?seconds=0.3",
        rate=100,
        length=timedelta(seconds=30),
        protocol="http2",
        reused=1,
    )
    loop = asyncio.get_running_loop()
    begun = loop.time()
    running = asyncio.create_task(run(load, stop=stop))
    await asyncio.sleep(0.5)
    await stopped.publish(talk(talkers, "green", blue="http1", green="http1"))
    switched = timedelta(seconds=loop.time() - begun)
    await asyncio.sleep(0.5)
    stop.set()
    report = await running
    assert report.failures() == {}, report.text()
    assert all(o.version == "green" for o in report.outcomes if o.at > switched), report.text()
    assert report.versions()["blue"].answers >= 20


async def test_an_http1_client_is_told_of_an_unspoken_protocol(
    stopped: Rig, talkers: tuple[Talker, Talker], blue: Any
) -> None:
    """A service that is declared as HTTP/2 and speaks HTTP/1.1 alone is a failure of the service, not of the edge."""
    wrong = EdgeService(
        name=NAME, hosts=(HOST,), pools=(Pool("blue", 1, (Endpoint(blue.port),), "http2"),)
    )
    await stopped.live(stopped.snapshot(wrong))
    answer: httpx2.Response = await stopped.get()
    assert answer.status_code in {502, 503}
    assert answer.json()["type"] == "edge.InstanceFailed"
