"""What a request meets at a real Envoy."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l05_graph.ingest.endpoints import Endpoints
from drystone.l05_graph.ingest.envoy_access_log import read
from drystone.l05_graph.ingest.source import Stream
from drystone.l10_engines.loopback_ports import free_port, is_free
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.proxy.edge import EdgeService, edge_snapshot
from drystone.testing.conformance.engines import eventually
from drystone.testing.load import Load, run
from l10_engines.proxy import upstream as upstream_module
from l10_engines.proxy.rig import HOST, Rig, shop, until
from l10_engines.proxy.upstream import Upstream


async def test_a_request_goes_to_the_service_of_its_host_whatever_the_port(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    other = EdgeService(name="dev/other", hosts=("other.localhost",), pools=shop().pools)
    await rig.publish(shop(("blue", 1, [blue])), shop(("g", 1, [green]), name="b", hosts=("b.x",)))
    assert (await rig.get()).text == "blue"
    assert (await rig.get(host=HOST.upper())).text == "blue"
    assert (await rig.get(host=f"{HOST}:1234")).text == "blue"
    assert (await rig.get(host="b.x")).text == "green"
    await rig.publish(shop(("blue", 1, [blue])), other)
    assert (await rig.get(host="b.x")).status_code == 404


async def test_a_service_answers_to_any_host_at_its_internal_port(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    port = free_port()
    other = shop(("g", 1, [green]), name="other", hosts=(), internal_port=port)
    await rig.publish(shop(("blue", 1, [blue])), other)
    load = Load(url=f"http://127.0.0.1:{port}/", rate=50, length=timedelta(seconds=0.2))

    async def is_open() -> bool:
        return not is_free(port)

    await until(is_open)
    report = await run(load)
    assert report.failures() == {}
    assert set(report.versions()) == {"green"}
    assert (await rig.get()).text == "blue"


async def test_an_unknown_host_is_told_how_to_find_the_known_ones(rig: Rig) -> None:
    answer = await rig.get(host="no%REQ(A)%body.example", path="/x")
    problem = answer.json()
    assert answer.status_code == problem["status"] == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "no%REQ(A)%body.example" in problem["detail"]
    assert "drystone services" in problem["detail"]
    assert problem["instance"] == answer.headers["x-request-id"]


async def test_a_service_without_a_healthy_instance_is_named(rig: Rig, blue: Upstream) -> None:
    await rig.publish(shop(("blue", 0, [blue])))
    answer = await rig.get()
    assert answer.status_code == 503
    assert answer.json()["type"] == "edge.NoHealthyInstance"
    assert "dev/shop" in answer.json()["detail"]


async def test_an_instance_that_is_gone_is_a_503_and_is_used_as_soon_as_it_is_back(
    rig: Rig,
) -> None:
    port = free_port()
    away = Upstream("back")
    away.port = port
    await rig.publish(shop(("blue", 1, [away])))
    for _ in range(5):
        answer = await rig.get()
        assert (answer.status_code, answer.json()["type"]) == (503, "edge.InstanceFailed")
    await away.start(port)
    assert (await rig.get()).text == "back"
    await away.stop()


async def test_the_index_page_lists_services_until_one_takes_its_host(
    rig: Rig, blue: Upstream
) -> None:
    page = await rig.get(host=f"localhost:{rig.port}")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f"http://{HOST}:{rig.port}/" in page.text
    await rig.publish(shop(("blue", 1, [blue]), hosts=("localhost",)))
    assert (await rig.get(host="localhost")).text == "blue"


async def test_the_application_learns_who_asked_and_a_client_cannot_say_so(rig: Rig) -> None:
    forged = {
        "x_forwarded_for": "6.6.6.6",
        "x_forwarded_host": "evil.example",
        "x_forwarded_proto": "https",
        "x_envoy_upstream_rq_timeout_ms": "1",
        "x_envoy_original_path": "/admin",
        "x_envoy_internal": "true",
    }
    answer = await rig.get("/headers", x_request_id="mine-7", **forged)
    seen = answer.json()
    assert seen["x-forwarded-host"] == HOST
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-port"] == str(rig.port)
    assert not [name for name in seen if name.startswith("x-envoy")]
    assert seen["x-request-id"] == answer.headers["x-request-id"] == "mine-7"
    assert "server" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("x-envoy")]


async def test_a_header_that_could_pass_for_another_one_is_dropped(rig: Rig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(
        f"GET /headers HTTP/1.1\r\nhost: {HOST}\r\nx_forwarded_for: 6.6.6.6\r\n"
        "connection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    assert b"6.6.6.6" not in answer
    assert answer.startswith(b"HTTP/1.1 200")


async def test_headers_beyond_the_limit_are_refused(rig: Rig) -> None:
    assert (await rig.get(a="x" * 40_000)).status_code == 200
    assert (await rig.get(a="x" * 70_000)).status_code == 431


async def test_the_access_log_has_one_json_object_per_request_and_no_query(rig: Rig) -> None:
    await rig.get('/a"b?token=secret', x_request_id="the-one")
    await eventually(lambda: b"the-one" in rig.access_log.read_bytes())
    content = rig.access_log.read_bytes()
    entry = next(e for e in map(json.loads, content.splitlines()) if e["request_id"] == "the-one")
    assert b"secret" not in content
    assert entry["path"].startswith("/a")
    assert (entry["service"], entry["status"], entry["host"]) == ("dev/shop", 200, HOST)


async def test_the_access_log_is_evidence_of_who_was_called(rig: Rig) -> None:
    await rig.get("/v1/users/4711?token=secret", x_request_id="the-last")
    await rig.get(host="nobody.localhost", x_request_id="very-last")
    await eventually(lambda: b"very-last" in rig.access_log.read_bytes())
    stream = Stream(name="access.json", chunks=[rig.access_log.read_bytes()])
    found = read(stream, Endpoints())
    seen = next(one for one in found.observations if one.callee == "dev/shop")
    assert (seen.caller, seen.errors) == ("external:127.0.0.1", 0)
    assert "GET /v1/users/*" in seen.sample
    assert [skip.reason for skip in found.skips] == [
        "no route led anywhere, so that nothing was called"
    ]


async def test_the_access_log_is_moved_away_when_it_has_grown(stopped: Rig, blue: Upstream) -> None:
    stopped.bound_access_log(1)
    await stopped.live(stopped.snapshot(shop(("blue", 1, [blue]))))
    old = stopped.access_log.with_name("access.json.1")
    await stopped.get(x_request_id="the-first")
    await eventually(lambda: b"the-first" in stopped.access_log.read_bytes())
    await stopped.envoy.tend()
    await eventually(stopped.access_log.exists)
    await stopped.get(x_request_id="the-second")
    await eventually(lambda: b"the-second" in stopped.access_log.read_bytes())
    assert b"the-first" in old.read_bytes()
    assert b"the-first" not in stopped.access_log.read_bytes()


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_large_body_arrives_whole(rig: Rig, method: str) -> None:
    body = b"0123456789abcdef" * (1 << 16)
    answer = await rig.send(method, "/length", body)
    assert answer.json() == len(body)


async def test_http_1_0_is_served(rig: Rig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(f"GET / HTTP/1.0\r\nhost: {HOST}\r\n\r\n".encode())
    assert (await reader.read()).endswith(b"blue")
    writer.close()


async def test_http2_with_prior_knowledge_is_served_on_the_same_port(rig: Rig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    length, kind = int.from_bytes(await reader.readexactly(3)), await reader.readexactly(1)
    writer.close()
    assert kind == b"\4"  # a SETTINGS frame (RFC 9113, section 6.5)
    assert length % 6 == 0


@pytest.mark.slow
async def test_a_hundred_switches_under_load_lose_nothing(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    stop = asyncio.Event()
    load = asyncio.create_task(rig.load_until(stop))
    for number in range(100):
        weights = (number % 2, 1 - number % 2)
        await rig.publish(shop(("blue", weights[0], [blue]), ("green", weights[1], [green])))
        # What was published is what the next request meets.
        assert (await rig.get()).text == ("blue" if weights[0] else "green")
    stop.set()
    report = await load
    assert report.failures() == {}
    assert set(report.versions()) == {"blue", "green"}


async def test_shares_are_kept(rig: Rig, blue: Upstream, green: Upstream) -> None:
    await rig.publish(shop(("blue", 90, [blue]), ("green", 10, [green])))
    answers = Counter([(await rig.get()).text for _ in range(200)])
    assert 10 <= answers["green"] <= 30


async def test_when_one_of_two_pools_is_killed_no_get_fails(
    rig: Rig, blue: Upstream, tmp_path: Path
) -> None:
    doomed = Upstream("doomed")
    doomed.port = free_port()
    script = str(upstream_module.__file__)
    process = spawn([sys.executable, script, "doomed", str(doomed.port)], output=tmp_path / "log")
    try:
        await eventually(lambda: not is_free(doomed.port))
        await rig.publish(shop(("blue", 50, [blue]), ("new", 50, [doomed])))
        stop = asyncio.Event()
        load = asyncio.create_task(rig.load_until(stop))
        while (await rig.get()).text != "doomed":
            pass
        identity.send(process, signal.SIGKILL)
        for _ in range(200):
            assert (await rig.get()).text in {"blue", "doomed"}
        stop.set()
        report = await load
    finally:
        await identity.stop(process, number=signal.SIGKILL, grace=timedelta(seconds=1))
    assert report.failures() == {}


@pytest.mark.parametrize(
    ("method", "times"), [("GET", 4), ("PUT", 4), ("DELETE", 4), ("POST", 1), ("PATCH", 1)]
)
async def test_only_what_may_be_repeated_is_sent_again_when_the_connection_breaks(
    rig: Rig, blue: Upstream, method: str, times: int
) -> None:
    answer = await rig.get("/break", method=method)
    assert answer.status_code == 503
    assert blue.seen[f"{method} /break"] == times


@pytest.mark.parametrize(("method", "times"), [("GET", 4), ("PUT", 1), ("POST", 1)])
async def test_an_answer_of_the_application_is_asked_for_again_only_by_safe_methods(
    rig: Rig, blue: Upstream, method: str, times: int
) -> None:
    assert (await rig.get("/status/503", method=method)).text == "blue"
    assert blue.seen[f"{method} /status/503"] == times


async def test_errors_of_the_application_do_not_set_its_instance_aside(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(shop(("blue", 1, [blue, green])))
    for _ in range(20):
        assert (await rig.get("/status/500")).status_code == 500
    answers = {(await rig.get()).text for _ in range(10)}
    assert answers == {"blue", "green"}


async def test_a_request_under_way_is_counted_and_finished_after_its_pool_got_no_share(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    slow = asyncio.create_task(rig.get("/slow"))

    async def is_counted() -> bool:
        return await rig.envoy.active_requests("dev/shop", blue.port) == 1

    await until(is_counted)
    await rig.publish(shop(("blue", 0, [blue]), ("green", 1, [green])))
    assert {(await rig.get()).text for _ in range(20)} == {"green"}
    assert await rig.envoy.active_requests("dev/shop", blue.port) == 1
    blue.release.set()
    assert (await slow).text == "blue"
    assert await rig.envoy.active_requests("dev/shop", blue.port) == 0


async def test_a_silent_service_is_a_504_and_is_asked_once(rig: Rig, blue: Upstream) -> None:
    await rig.publish(shop(("blue", 1, [blue]), timeout=timedelta(milliseconds=300)))
    answer = await rig.get("/slow")
    assert (answer.status_code, answer.json()["type"]) == (504, "edge.InstanceSilent")
    assert blue.seen["GET /slow"] == 1


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*"])
async def test_a_stream_that_lasts_longer_than_the_timeout_is_not_cut(
    rig: Rig, blue: Upstream, accept: str
) -> None:
    await rig.publish(shop(("blue", 1, [blue]), timeout=timedelta(milliseconds=500)))
    answer = await rig.get("/events", accept=accept)
    assert answer.text.count("data:") == 20


async def test_a_websocket_goes_on_through_a_switch_and_silence(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    short = timedelta(milliseconds=200)
    await rig.publish(shop(("blue", 1, [blue]), timeout=short))
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(
        f"GET /ws HTTP/1.1\r\nhost: {HOST}\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n"
        "sec-websocket-version: 13\r\nsec-websocket-key: eDM=\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    writer.write(b"one\n")
    assert await reader.readline() == b"blue one\n"
    await rig.publish(shop(("blue", 0, [blue]), ("green", 1, [green]), timeout=short))
    await rig.get("/events")  # two seconds, ten times the timeout
    writer.write(b"two\n")
    assert await reader.readline() == b"blue two\n"
    assert await rig.envoy.active_requests("dev/shop", blue.port) == 1
    assert (await rig.get()).text == "green"
    writer.close()


async def test_a_kept_connection_of_a_client_outlives_a_switch(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    for weights, name in (((1, 0), b"blue"), ((0, 1), b"green"), ((1, 0), b"blue")):
        await rig.publish(shop(("blue", weights[0], [blue]), ("green", weights[1], [green])))
        writer.write(f"GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(len(name)) == name
    writer.close()


async def test_services_come_and_go_under_load_without_harm_to_the_others(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    stop = asyncio.Event()
    load = asyncio.create_task(rig.load_until(stop, method="POST"))
    for number in range(20):
        host = f"n{number}.localhost"
        new = shop(("green", 1, [green]), name=f"dev/n{number}", hosts=(host,))
        await rig.publish(shop(("blue", 1, [blue])), new)
        assert (await rig.get(host=host)).text == "green"
    stop.set()
    assert (await load).failures() == {}


async def test_a_service_that_goes_is_not_found_and_never_unavailable(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    going = shop(("green", 1, [green]), name="dev/going", hosts=("going.localhost",))
    statuses: set[int | None] = set()
    stop = asyncio.Event()
    load = Load(
        url=f"http://going.localhost:{rig.port}/", rate=200, length=timedelta(seconds=30), reused=1
    )
    await rig.publish(shop(("blue", 1, [blue])), going)
    run_of_load = asyncio.create_task(
        run(load, stop=stop, observe=lambda outcome: statuses.add(outcome.status))
    )
    for _ in range(10):
        await rig.publish(shop(("blue", 1, [blue])))
        assert (await rig.get(host="going.localhost")).status_code == 404
        await rig.publish(shop(("blue", 1, [blue])), going)
        assert (await rig.get(host="going.localhost")).status_code == 200
    stop.set()
    await run_of_load
    assert statuses <= {200, 404}


async def test_a_slow_service_takes_so_many_connections_and_no_more_and_its_others_wait(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    other = shop(("g", 1, [green]), name="other", hosts=("other.localhost",))
    services = (shop(("blue", 1, [blue])), other)
    snapshot = edge_snapshot(services, port=rig.port, access_log=rig.access_log, connections=2)
    await rig.envoy.publish(snapshot)
    slow = [asyncio.create_task(rig.get("/slow")) for _ in range(5)]
    await eventually(lambda: blue.seen["GET /slow"] == 2)
    assert (await rig.get(host="other.localhost")).text == "green"
    assert blue.seen["GET /slow"] == 2
    blue.release.set()
    assert [answer.text for answer in await asyncio.gather(*slow)] == ["blue"] * 5
