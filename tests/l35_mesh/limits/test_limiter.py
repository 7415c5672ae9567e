"""The limiter as a process: what it answers, what changes while it runs, and what it withstands."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.contract import ANONYMOUS, Context, connect
from drystone.l10_engines.processes import identity
from drystone.l10_engines.supervision import record
from drystone.l35_mesh.limits.api import LimitsApi, NameUse
from drystone.l35_mesh.limits.engine import POLICIES, LimiterEngine
from drystone.l35_mesh.limits.errors import LimitNotFound, NotYourLimit
from drystone.l35_mesh.limits.policies import LARGEST, Policies, Policy
from l35_mesh.limits.asking import Proxy

HOUR = 3_600_000_000
CTX = Context(ANONYMOUS)


def policy(count: int = 3, **changes: object) -> Policy:
    """So many calls an hour, with changes."""
    return msgspec.structs.replace(Policy(count, HOUR, "token-bucket"), **changes)


def of_orders(**limits: Policy) -> Policies:
    return {"dev/orders": limits}


@pytest.fixture
async def limiter(home: Path) -> AsyncIterator[LimiterEngine]:
    engine = LimiterEngine(home / "limiter", socket=home / "limiter.sock")
    engine.tell(of_orders(all=policy(header="x-asap-issuer"), some=policy(1, match="GET /some/*")))
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def proxy(limiter: LimiterEngine) -> AsyncIterator[Proxy]:
    proxy = await Proxy.at(limiter.socket)
    yield proxy
    proxy.close()


async def until_told(proxy: Proxy, path: str, policies: str) -> None:
    """Wait until the limiter counts by what it was told; asking for ``path`` must not use up what is tested."""
    async with asyncio.timeout(20):
        while (await proxy.ask(path)).headers.get("ratelimit-policy") != policies:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_each_caller_is_counted_by_each_limit_that_is_about_the_request(proxy: Proxy) -> None:
    assert await proxy.statuses(4, x_asap_issuer="dev/a") == [200, 200, 200, 429]
    assert await proxy.statuses(2, x_asap_issuer="dev/b") == [200, 200]
    assert await proxy.statuses(2, "/some/1", x_asap_issuer="dev/b") == [200, 429]
    refused = await proxy.ask("/some/2", x_asap_issuer="dev/c")
    assert refused.status == 429
    assert refused.headers["x-drystone-limit"] == "some"
    assert refused.headers["retry-after"] == "3600"
    assert refused.headers["ratelimit-policy"] == '"all";q=3;w=3600, "some";q=1;w=3600'
    # What one limit refuses uses nothing up of the other.
    assert await proxy.statuses(4, x_asap_issuer="dev/c") == [200, 200, 200, 429]


async def test_questions_in_one_piece_are_answered_in_their_order(proxy: Proxy) -> None:
    for path in ("/a", "/some/1", "/some/2", "/b"):
        proxy.send(path)
    assert [(await proxy.answer()).status for _ in range(4)] == [200, 200, 429, 200]


async def test_of_what_it_knows_nothing_it_says_so_and_the_proxy_decides(proxy: Proxy) -> None:
    assert (await proxy.ask(service="dev/unknown")).status == 503
    assert (await proxy.ask(closed=True)).status == 200, "no limit of orders is closed"


async def test_a_limit_that_changes_gives_nothing_back(
    limiter: LimiterEngine, proxy: Proxy
) -> None:
    assert await proxy.statuses(3, x_asap_issuer="dev/a") == [200, 200, 200]
    limiter.tell(
        of_orders(
            all=policy(5, header="x-asap-issuer", algorithm="sliding-window"),
            new=policy(7, match="GET /new"),
        )
    )
    await until_told(proxy, "/new", '"all";q=5;w=3600, "new";q=7;w=3600')
    assert await proxy.statuses(3, x_asap_issuer="dev/a") == [200, 200, 429]


UNUSABLE = (b"", b"{", b'{"services":{"dev/orders":{"all":{"count":-1}}}}', b" " * (LARGEST + 1))


async def test_a_file_that_cannot_be_used_changes_nothing(
    limiter: LimiterEngine, proxy: Proxy
) -> None:
    assert await proxy.statuses(2, x_asap_issuer="dev/a") == [200, 200]
    for told, content in enumerate(UNUSABLE, start=1):
        write_atomically(limiter.directory / POLICIES, content)
        async with asyncio.timeout(20):
            while limiter.log.read_bytes().count(b"what was read before goes on") < told:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert await proxy.statuses(2, x_asap_issuer="dev/a") == [200, 429]
    limiter.tell(of_orders(all=policy(9, header="x-asap-issuer")))
    await until_told(proxy, "/", '"all";q=9;w=3600')


NONSENSE = (
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x16\x03\x01 \x00 x\r\n\r\n",
    b"A" * 200_000,
    b"POST /authz/open/dev/orders/-/ HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello",
    b"POST /authz/open/dev/orders/-/ HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /authz/open/dev/orders/-/ HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n",
)


async def test_nonsense_ends_its_own_connection_alone(limiter: LimiterEngine, proxy: Proxy) -> None:
    before = limiter.status().pid
    for number, content in enumerate(NONSENSE):
        strange = await Proxy.at(limiter.socket)
        assert (await strange.raw(content))[:12] in (b"", b"HTTP/1.1 400"), content[:80]
        strange.close()
        assert (await proxy.ask(x_asap_issuer=f"dev/{number}")).status == 200
    assert limiter.status().pid == before


async def test_odd_names_are_names(proxy: Proxy) -> None:
    for name in ("", "\xff\xfe", "x" * 60_000, "\t", "a:b"):
        assert await proxy.statuses(4, x_asap_issuer=name) == [200, 200, 200, 429]
    assert await proxy.statuses(1) == [429], "who says nothing and who says nothing at all are one"


async def test_one_that_is_killed_comes_back_at_its_socket(limiter: LimiterEngine) -> None:
    known = record.read(limiter.directory / "record.json")
    assert known is not None
    os.kill(known.process.pid, signal.SIGKILL)
    await identity.wait(known.process)
    await limiter.start()
    proxy = await Proxy.at(limiter.socket)
    assert await proxy.statuses(4) == [200, 200, 200, 429]
    proxy.close()


async def test_another_platform_process_takes_it_over_with_what_was_used(
    limiter: LimiterEngine, proxy: Proxy
) -> None:
    assert await proxy.statuses(3) == [200, 200, 200]
    next_one = LimiterEngine(limiter.directory, socket=limiter.socket)
    await next_one.start()
    assert next_one.status().pid == limiter.status().pid
    assert await proxy.statuses(1) == [429]


async def test_applications_ask_by_the_api(limiter: LimiterEngine, proxy: Proxy) -> None:
    async with connect(LimitsApi, uds=limiter.socket) as api:
        check = partial(api.check, CTX, environment="dev", service="orders")
        first = await check(limit="all", key="dev/a", cost=2)
        assert (first.allowed, first.over, first.remaining, first.retry) == (True, False, 1, None)
        second = await check(limit="all", key="dev/a", cost=2)
        assert (second.allowed, second.over, second.remaining) == (False, True, 1)
        assert second.retry is not None
        assert timedelta() < second.retry <= timedelta(minutes=20)
        assert await proxy.statuses(2, x_asap_issuer="dev/a") == [200, 429], "it counts the same"
        with pytest.raises(LimitNotFound):
            await check(limit="none")
        (all_, some) = (await api.limits(CTX, environment="dev")).limits
        assert (all_.limit, all_.count, all_.period) == ("all", 3, timedelta(hours=1))
        assert (all_.admitted, all_.over, all_.names) == (2, 2, 1)
        assert all_.nearest == [NameUse("dev/a", 3, 0)]
        assert (some.match, some.nearest) == ("GET /some/*", [])


async def test_a_service_asks_for_limits_of_its_own_alone(limiter: LimiterEngine) -> None:
    for issuer, mine in (("dev/orders", True), ("dev/mail", False)):
        headers = {"x-asap-issuer": issuer}
        async with connect(LimitsApi, uds=limiter.socket, headers=headers) as api:
            check = partial(api.check, CTX, environment="dev", service="orders", limit="all")
            assert bool((await api.limits(CTX)).limits) == mine
            if mine:
                assert (await check()).allowed
            else:
                with pytest.raises(NotYourLimit):
                    await check()
