"""The script that counts in the proxy, asked by whoever means it ill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from drystone.l35_mesh.limits import counts, in_proxy
from drystone.l35_mesh.limits.names import LONGEST
from drystone.l35_mesh.limits.requests import Requests
from drystone.testing.conformance.engines import short_home
from l10_engines.proxy.upstream import Upstream
from l35_mesh.limits.samples import limit
from l35_mesh.limits.test_envoy import SERVICE, LimitedRig

pytestmark = pytest.mark.asyncio(loop_scope="module")

MATCHES = ("*", "GET /a/*", "* /a*c/d", "GET /x/*/y*z/*", "POST /a/b", "* /a/b*", "* /*b*")
PATHS = (
    *("/", "/a", "/a/", "/a/b", "/a/b/c?x=/a", "/abc/d", "/ac/d", "/abc/d/", "/ab/c/d", "/x/1/yz/"),
    *("/x/1/y2z/3/4", "/x/1/yz", "/x/1/2/yz/", "/a%20", "/q;r", "/q?%2f;//"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[LimitedRig]:
    """Each test has limits of names of its own: what was used of one is used."""
    with short_home() as home:
        blue = await Upstream("blue").start()
        rig = LimitedRig(home)
        rig.billing_runs_at = (blue,)
        try:
            await rig.live()
            yield rig
        finally:
            await rig.end()
            await blue.stop()


async def admitted(rig: LimitedRig) -> dict[str, int]:
    """Return how many requests each limit was about, and let through."""
    found = counts.read(await rig.envoy.statistics(counts.WANTED)).admitted
    return {name: number for (service, name), number in found.items() if service == SERVICE}


async def test_the_script_and_the_limiter_mean_the_same_requests(rig: LimitedRig) -> None:
    matches = {f"m{number}": match for number, match in enumerate(MATCHES)}
    await rig.limit(**{name: limit(match=match, count=1000) for name, match in matches.items()})
    expected = dict.fromkeys(matches, 0)
    for path in PATHS:
        for method in ("GET", "HEAD", "POST"):
            assert (await rig.call(path, method)).status_code == 200
            for name, match in matches.items():
                expected[name] += Requests(match).have(method, path)
    assert {name: n for name, n in (await admitted(rig)).items() if name in matches} == expected


async def test_one_limit_that_refuses_uses_nothing_up_of_the_others(rig: LimitedRig) -> None:
    await rig.limit(narrow=limit(count=1), wide=limit(count=2, match="GET /wide"))
    assert await rig.statuses(4, "/wide") == [200, 429, 429, 429]
    await rig.limit(wide=limit(count=2, match="GET /wide"))
    assert await rig.statuses(2, "/wide") == [200, 429]


async def test_a_shadow_refuses_nobody_and_tells_how_many_it_would(rig: LimitedRig) -> None:
    await rig.limit(shade=limit(count=2, shadow=True))
    assert await rig.statuses(5) == [200] * 5
    told = counts.read(await rig.envoy.statistics(counts.WANTED))
    assert (told.admitted[SERVICE, "shade"], told.over[SERVICE, "shade"]) == (2, 3)


@pytest.mark.parametrize("value", ["x" * 50_000, "ü" * 3000, "\xff\xfe", "%d%s%n", '"\\', "a,b"])
async def test_whatever_a_name_is_it_is_counted(rig: LimitedRig, value: str) -> None:
    key = f"odd{len(value)}-{ord(value[0])}"
    await rig.limit(**{key: limit(count=2, header="x-plan")})
    headers = {"x-plan": value.encode("latin-1")}
    assert await rig.statuses(3, headers=headers) == [200, 200, 429]
    other = {"x-plan": value[:-1].encode("latin-1") + b"Z"}
    assert await rig.statuses(1, headers=other) == [200], "another one at its end is another one"


async def test_a_call_of_grpc_is_told_that_it_is_too_much(rig: LimitedRig) -> None:
    await rig.limit(calls=limit(count=1))
    await rig.statuses(1)
    headers = {"content-type": "application/grpc", "te": "trailers"}
    refused = await rig.call(method="POST", headers=headers)
    assert (refused.headers["grpc-status"], refused.headers["retry-after"]) == ("8", "3600")
    assert refused.headers["grpc-message"].startswith(
        "the limit 'calls' of dev/billing lets 1 call"
    )


async def test_a_limit_gives_back_evenly(rig: LimitedRig) -> None:
    await rig.limit(quick=limit(count=100, period=timedelta(seconds=10), burst=2))
    answered: list[int] = []
    async with asyncio.timeout(20):
        while answered.count(200) < 6 or answered.count(429) < 2:
            answered += await rig.statuses(1)
    assert answered[:2] == [200, 200]


async def flooded(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, numbers: range
) -> list[bytes]:
    """Ask once under each of some names; return the statuses."""
    names = [f"{number}".ljust(LONGEST, "x") for number in numbers]
    writer.write(
        b"".join(
            b"GET / HTTP/1.1\r\nhost: b\r\nx-plan: %b\r\n\r\n" % name.encode() for name in names
        )
    )
    statuses = []
    for _ in names:
        head = await reader.readuntil(b"\r\n\r\n")
        statuses.append(head.split(b" ", 2)[1])
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
    return statuses


@pytest.mark.slow
async def test_a_flood_of_names_limits_itself_and_nobody_who_was_there(rig: LimitedRig) -> None:
    await rig.limit(flood=limit(count=2, header="x-plan"))
    first: dict[str, Any] = {"headers": {"x-plan": "first"}}
    assert await rig.statuses(3, **first) == [200, 200, 429]
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.out)
    try:
        for begin in range(0, in_proxy.MOST_NAMES, 100):
            assert await flooded(reader, writer, range(begin, begin + 100)) == [b"200"] * 100
        # One of those above has the shared place already, since the first was there before them.
        further = range(in_proxy.MOST_NAMES, in_proxy.MOST_NAMES + 20)
        assert await flooded(reader, writer, further) == [b"200"] + [b"429"] * 19
    finally:
        writer.close()
    assert await rig.statuses(1, **first) == [429], "who was there is counted on"
