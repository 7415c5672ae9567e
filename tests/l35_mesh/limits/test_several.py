"""Several proxies before one service, and proxies that the platform does not configure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from drystone.l10_engines.proxy.messages import message_class
from drystone.l35_mesh.limits.engine import LimiterEngine
from drystone.l35_mesh.limits.policies import exact_limits
from drystone.l35_mesh.limits.rls import SERVICE
from l10_engines.proxy.upstream import Upstream
from l35_mesh.limits.samples import limit
from l35_mesh.limits.test_envoy import LimitedRig


@pytest.fixture
async def two(home: Path, blue: Upstream) -> AsyncIterator[tuple[LimitedRig, LimitedRig]]:
    """Two Envoys before one service, which ask one limiter."""
    async with AsyncExitStack() as stack:
        rigs = []
        for name in ("one", "two"):
            (home / name).mkdir()
            rig = LimitedRig(home / name)
            rig.billing_runs_at = (blue,)
            stack.push_async_callback(rig.end)
            await rig.live()
            rigs.append(rig)
        first, second = rigs
        second.limiter = first.limiter
        stack.push_async_callback(first.limiter.stop)
        await first.limiter.start()
        yield first, second


async def test_two_proxies_share_an_exact_limit_to_the_last_call(
    two: tuple[LimitedRig, LimitedRig], blue: Upstream
) -> None:
    for rig in two:
        await rig.limit(all=limit(count=20, counted="exact"))
    answers: list[httpx2.Response] = []
    async with asyncio.timeout(20):
        while [one.status_code for one in answers[-10:]] != [429] * 10:
            answers.append(await two[len(answers) % 2].call())
    # Until a proxy and the limiter have heard of the limit, they let calls pass, which are not counted.
    counted = [one for one in answers if one.status_code == 200 and "ratelimit" in one.headers]
    assert len(counted) == 20
    passed = [one for one in answers if one.status_code == 200]
    assert sum(blue.seen.values()) == len(passed)


async def test_two_proxies_split_a_shared_limit_also_when_one_comes_later(
    two: tuple[LimitedRig, LimitedRig], blue: Upstream
) -> None:
    first, second = two
    shared = limit(count=8, counted="shared")
    await first.limit(all=shared)
    assert await first.statuses(7) == [200] * 7
    for rig in two:
        rig.among = 2
        await rig.limit(all=shared)
    assert await first.statuses(1) == [429], "its share is used up, and nothing came back"
    assert await second.statuses(5) == [200] * 4 + [429]
    first.among = 1
    await first.limit(all=shared)
    assert await first.statuses(5) == [200] * 4 + [429], "alone it has the share of the other one"


@pytest.fixture
async def asks(home: Path) -> AsyncIterator[Any]:
    """Ask a limiter by Envoy's rate limit service; ``dev/orders`` has limits."""
    limiter = LimiterEngine(home / "limiter", socket=home / "limiter.sock", serves_others=True)
    limits = {
        "all": limit(count=3, counted="exact"),
        "reports": limit(count=1, counted="exact", match="GET /reports/*", per="service"),
    }
    limiter.tell({"dev/orders": exact_limits(limits)})
    await limiter.start()
    request = message_class("envoy.service.ratelimit.v3.RateLimitRequest")
    response = message_class("envoy.service.ratelimit.v3.RateLimitResponse")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{limiter.port}") as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/ShouldRateLimit",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )

        async def ask(domain: str = "dev/orders", hits: int = 0, **entries: str) -> Any:
            asked = request(domain=domain, hits_addend=hits)
            descriptor = asked.descriptors.add()
            for key, value in entries.items():
                descriptor.entries.add(key=key, value=value)
            return await call(asked, timeout=20, wait_for_ready=True)

        yield ask
    await limiter.stop()


async def test_any_other_proxy_asks_by_envoys_rate_limit_service(asks: Any) -> None:
    codes = [(await asks(limit="all", caller="dev/a")).overall_code for _ in range(4)]
    assert codes == [1, 1, 1, 2]
    refused = await asks(limit="all", caller="dev/a")
    (status,) = refused.statuses
    assert (status.code, status.limit_remaining) == (2, 0)
    assert (status.current_limit.name, status.current_limit.requests_per_unit) == ("all", 3)
    headers = {header.key: header.value for header in refused.response_headers_to_add}
    assert headers["ratelimit-policy"] == '"all";q=3;w=3600'
    assert int(headers["retry-after"]) <= 1200
    assert (await asks(caller="dev/b", method="GET", path="/reports/1")).overall_code == 1
    assert (await asks(caller="dev/b", method="GET", path="/reports/2")).overall_code == 2
    assert (await asks(caller="dev/b", hits=2)).overall_code == 1
    assert (await asks(caller="dev/b")).overall_code == 2
    assert (await asks("dev/unknown", limit="all")).overall_code == 1
    assert (await asks(limit="unknown")).overall_code == 1
