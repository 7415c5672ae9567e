"""The guard of ways in at a real Envoy: what it refuses, what it lets through, and that a path means one thing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from l10_engines.proxy.rig import Rig, until
from l10_engines.proxy.test_ways import NAME, way, with_ways
from l10_engines.proxy.upstream import Upstream

CORPUS = Path(__file__).with_name("guard")
"""Requests, one on each line, as a browser or a tool sends them: what is meant well, and what is not."""


async def raw(rig: Rig, target: str, *, method: str = "GET", more: str = "") -> tuple[int, str]:
    """Send a request as it stands, and return the status and the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    head = f"{method} {target} HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\n{more}\r\n"
    writer.write(head.encode("latin-1"))
    answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = int(answer.lower().partition("content-length: ")[2].partition("\r\n")[0] or 0)
    body = (await reader.readexactly(length)).decode("latin-1")
    writer.close()  # an answer of the edge itself is followed by the end only a second later
    return int(answer.split()[1]), body


async def statuses(rig: Rig, lines: list[str]) -> dict[str, int]:
    """Return what each line is answered with, over a few connections at once."""
    seen: dict[str, int] = {}
    waiting = list(lines)

    async def ask() -> None:
        while waiting:
            line = waiting.pop()
            seen[line] = (await raw(rig, line))[0]

    await asyncio.gather(*(ask() for _ in range(8)))
    return seen


def corpus(name: str) -> list[str]:
    lines = (CORPUS / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture
async def guarded(rig: Rig, blue: Upstream) -> Rig:
    await rig.publish(with_ways(blue, way(guard="on")))
    return rig


async def test_what_is_meant_well_passes_and_what_tools_send_does_not(
    rig: Rig, blue: Upstream
) -> None:
    await rig.publish(with_ways(blue, way(guard="on")))
    well, ill = corpus("benign.txt"), corpus("attacks.txt")
    assert len(well) > 100
    assert len(ill) > 60
    assert {line: s for line, s in (await statuses(rig, well)).items() if s != 200} == {}
    assert {line: s for line, s in (await statuses(rig, ill)).items() if s == 200} == {}


async def test_reported_is_written_down_and_let_through_and_off_is_off(
    rig: Rig, blue: Upstream
) -> None:
    attack = "/?q=" + quote("1' or '1'='1")
    await rig.publish(with_ways(blue, way(guard="report")))
    assert (await raw(rig, attack))[0] == 200

    async def is_written() -> bool:
        lines = rig.access_log.read_text().splitlines() if rig.access_log.exists() else []
        return any(json.loads(line).get("guard") == "sql-injection" for line in lines)

    await until(is_written)
    await rig.publish(with_ways(blue, way()))
    for target in (attack, "/a%2Fb", "/a//b", "/x%5cy"):
        assert (await raw(rig, target))[0] == 200
        assert blue.lines[-1] == f"GET {target} HTTP/1.1"


async def test_a_refusal_names_the_rule(rig: Rig, blue: Upstream) -> None:
    await rig.publish(with_ways(blue, way(guard="on")))
    status, body = await raw(rig, "/?q=%3Cscript%3E")
    said = json.loads(body)
    assert (status, said["type"]) == (403, "edge.RequestGuarded")
    assert "cross-site-scripting" in said["detail"]


async def test_methods_and_lengths_have_bounds(guarded: Rig) -> None:
    for method, target, more, status in (
        ("GET", "/" + "a" * 8300, "", 414),
        ("GET", "/?" + "a" * 8300, "", 414),
        ("TRACE", "/", "", 405),
        ("PROPFIND", "/", "", 405),
        ("GET", "/", "x-large: " + "a" * 17_000 + "\r\n", 431),
        ("GET", "/a%2fb", "", 400),
        ("GET", "/a%5Cb", "", 400),
        ("GET", "/a%00b", "", 400),
        ("OPTIONS", "/", "", 200),
        ("PATCH", "/", "content-length: 0\r\n", 200),
        ("GET", "/", "x-large: " + "a" * 16_000 + "\r\n", 200),
    ):
        seen = (await raw(guarded, target, method=method, more=more))[0]
        assert (method, target[:9], seen) == (method, target[:9], status)


async def test_what_a_path_means_is_decided_before_a_rule_on_it(rig: Rig, blue: Upstream) -> None:
    closed = way(paths=("/admin",), allow=())
    await rig.publish(with_ways(blue, way(), closed))
    for target in (
        *("/admin", "/admin/", "/admin/x", "//admin", "/x/..//admin/x", "/./admin", "///admin//x"),
        *("/%61dmin/%2e%2e/admin", "/x/%2e%2e/admin", "/admin?x=/", "//admin?//"),
    ):
        assert (target, (await raw(rig, target))[0]) == (target, 403)
    for target in ("/%2fadmin", "/x%2f..%2fadmin", "/x%5c..%5cadmin", "\\admin", "/..%2fadmin"):
        assert (target, (await raw(rig, target))[0]) in {(target, 400), (target, 403)}
    assert (await raw(rig, "/a//b?c=//d"))[0] == 200
    assert blue.lines[-1] == "GET /a/b?c=//d HTTP/1.1"


async def test_a_path_that_changes_its_route_meets_the_rules_of_that_route(
    rig: Rig, blue: Upstream
) -> None:
    await rig.publish(with_ways(blue, way(), way(paths=("/strict",), guard="on")))
    attack = "?q=union+select+1"
    assert (await raw(rig, f"/{attack}"))[0] == 200
    for target in ("/strict", "//strict", "/strict//x"):
        assert (target, (await raw(rig, target + attack))[0]) == (target, 403)


UNCLEAR = (
    f"GET / HTTP/1.1\r\nhost: {NAME}\r\nhost: blue.dev.localhost\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    f"GET / HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    f"POST / HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    f"POST / HTTP/1.1\r\nhost: {NAME}\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    f"GET / HTTP/1.1\r\nhost: {NAME}\r\nx y: z\r\n\r\n",
    f"GET / HTTP/1.1\r\nhost : {NAME}\r\n\r\n",
    f"GET /\x00 HTTP/1.1\r\nhost: {NAME}\r\n\r\n",
)


async def test_what_two_servers_could_read_in_two_ways_reaches_none(
    guarded: Rig, blue: Upstream
) -> None:
    blue.lines.clear()
    for head in UNCLEAR:
        reader, writer = await asyncio.open_connection("127.0.0.1", guarded.port)
        writer.write(head.encode("latin-1"))
        writer.write_eof()
        async with asyncio.timeout(10):
            answer = (await reader.readline()).decode("latin-1")
        writer.close()
        assert not answer or answer.split()[1] in {"400", "404", "501", "421"}
    assert blue.lines == []


async def test_a_whole_address_in_place_of_a_path_counts_as_its_host(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(
        with_ways(blue, way()), with_ways(green, way("other.example.com"), name="dev/other")
    )
    assert (await raw(rig, "http://other.example.com/"))[1] == "green"
    assert (await raw(rig, "http://nobody.example.com/"))[0] == 404


PIECES = (
    *("<a on", "<a ", "on", "/*", "*/", "/*<a ", "' or ", "'or ''", "1 or 1", "union select "),
    *("union select a", "..", "//", "%25", "%2527", "; update a", "javascript:", "(", "[", "\\"),
)


async def test_no_request_holds_up_the_others(guarded: Rig) -> None:
    async with asyncio.timeout(
        30
    ):  # with patterns that run over each other, each would take seconds
        for piece in PIECES:
            escaped = quote(piece, safe="")
            target = "/?q=" + escaped * (8000 // len(escaped))
            assert {(await raw(guarded, target))[0] for _ in range(5)} <= {200, 403}
