"""Counting in a real Valkey that two limiters share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec
import pytest

from drystone.l10_engines.cache.resp import connected
from drystone.l10_engines.cache.server import Valkey
from drystone.l35_mesh.limits.counter import Outcome
from drystone.l35_mesh.limits.engine import LimiterEngine
from drystone.l35_mesh.limits.errors import NobodyCounts
from drystone.l35_mesh.limits.policies import Policy
from drystone.l35_mesh.limits.store import InStore
from drystone.testing.conformance.engines import started
from l35_mesh.limits.asking import Proxy

HOUR = 3_600_000_000


def period() -> int:
    """Return about an hour, no window of which ends while a test runs."""
    now = time.time_ns() // 1000
    return next(long for long in range(HOUR, 0, -HOUR // 16) if now % long < long // 2)


ALGORITHMS = ("token-bucket", "gcra", "fixed-window", "sliding-window")


@pytest.fixture
async def valkey() -> AsyncIterator[Valkey]:
    async with started(lambda home: Valkey("limits", home / "valkey")) as engine:
        yield engine


@pytest.fixture
async def stores(valkey: Valkey) -> AsyncIterator[tuple[InStore, InStore]]:
    """Two limiters' ways to one store."""
    url = valkey.access().url()
    async with AsyncExitStack() as stack:
        made = InStore(url), InStore(url)
        for store in made:
            await stack.enter_async_context(store.working())
        for store in made:
            await until_up(store)
        yield made


async def ask(store: InStore, name: str = "", *, cost: int = 1) -> Outcome:
    limits = list((store.limits("dev/orders") or {}).values())
    return await store.decide(limits, [name] * len(limits), cost)


async def until_up(store: InStore) -> None:
    """Wait until a store can be asked; what is asked is nobody's limit."""
    store.load({"dev/orders": {"probe": Policy(1_000_000, HOUR, "token-bucket")}})
    async with asyncio.timeout(20):
        while True:
            with suppress(NobodyCounts):
                await ask(store)
                break
            await asyncio.sleep(0.02)


def tell(stores: tuple[InStore, ...], **limits: Policy) -> None:
    for store in stores:
        store.load({"dev/orders": limits})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_two_limiters_share_one_limit_to_the_last_call(
    stores: tuple[InStore, InStore], algorithm: str
) -> None:
    limit = msgspec.convert({"count": 100, "period": period(), "algorithm": algorithm}, Policy)
    tell(stores, all=limit)
    outcomes = await asyncio.gather(*(ask(stores[n % 2], "a") for n in range(150)))
    assert sum(passes for passes, _ in outcomes) == 100
    assert sorted(v.remaining for passes, (v,) in outcomes if passes) == list(range(100))
    refused = next(v for passes, (v,) in outcomes if not passes)
    assert refused.remaining == 0
    assert refused.retry is not None
    assert 0 < refused.retry <= HOUR * 17 // 16
    assert (await ask(stores[0], "b"))[0], "another name has its own"
    assert (await ask(stores[1], "c", cost=101))[1][0].retry is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_limit_that_changes_gives_nothing_back_in_whatever_way_it_counts_then(
    stores: tuple[InStore, InStore], algorithm: str
) -> None:
    def limit(count: int, long: int, algorithm: str) -> Policy:
        return msgspec.convert({"count": count, "period": long, "algorithm": algorithm}, Policy)

    long = period()
    for after in ALGORITHMS:
        tell(stores, all=limit(3, long, algorithm))
        passed = [(await ask(stores[0], after))[0] for _ in range(4)]
        assert passed == [True, True, True, False]
        tell(stores, all=limit(5, 2 * long, after))
        passed = [(await ask(stores[1], after))[0] for _ in range(3)]
        assert passed == [True, True, False], after
        tell(stores, all=limit(2, long, algorithm))
        assert not (await ask(stores[1], after))[0], after


async def test_a_longer_window_that_began_long_ago_is_not_forgotten_when_it_is_short_again(
    stores: tuple[InStore, InStore],
) -> None:
    now = time.time_ns() // 1000
    # The second half of the long window has begun, so that it began longer ago than the short one lasts.
    short = next(long for long in range(HOUR, 0, -1_000_003) if now % (2 * long) > long * 5 // 4)
    for after in ALGORITHMS:
        tell(stores, all=Policy(5, 2 * short, "fixed-window"))
        assert [(await ask(stores[0], after))[0] for _ in range(3)] == [True] * 3
        tell(stores, all=msgspec.convert({"count": 3, "period": short, "algorithm": after}, Policy))
        assert not (await ask(stores[0], after))[0], after


async def test_of_several_limits_a_call_uses_each_or_none(
    stores: tuple[InStore, InStore],
) -> None:
    tell(
        stores,
        few=Policy(2, HOUR, "token-bucket"),
        many=Policy(9, HOUR, "sliding-window"),
        shadow=Policy(1, period(), "fixed-window", shadow=True),
    )
    passed = [(await ask(stores[n % 2]))[0] for n in range(5)]
    assert passed == [True, True, False, False, False]
    _, (_, many, shadow) = await ask(stores[0])
    assert many.remaining == 9 - 2 - 1, "as it would be after this call, which was refused"
    assert not shadow.admitted


async def test_what_was_given_back_is_gone_from_the_store(
    valkey: Valkey, stores: tuple[InStore, InStore]
) -> None:
    tell(stores, all=Policy(1000, 1_000_000, "token-bucket", burst=1))
    assert (await ask(stores[0], "a"))[0]
    async with asyncio.timeout(20):
        async with connected(valkey.access()) as connection:
            while await connection.call("EXISTS", "drystone:limits:{dev/orders}:all:b:a"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_clock_that_was_wrong_locks_nobody_out(
    valkey: Valkey, stores: tuple[InStore, InStore]
) -> None:
    tell(stores, all=Policy(2, HOUR, "token-bucket"))
    key = "drystone:limits:{dev/orders}:all:b:a"
    next_year = "9" * 16
    async with connected(valkey.access()) as connection:
        await connection.call("HSET", key, "used", "1", "at", next_year)
    assert [(await ask(stores[0], "a"))[0] for _ in range(2)] == [True, False]
    async with connected(valkey.access()) as connection:
        kept = await connection.call("HGET", key, "at")
    assert isinstance(kept, str)
    assert kept < next_year, "from here on it fills again"


async def test_a_store_that_dies_is_told_and_comes_back(home: Path, valkey: Valkey) -> None:
    limiter = LimiterEngine(
        home / "limiter", socket=home / "limiter.sock", store=valkey.access().url()
    )
    limiter.tell({"dev/orders": {"all": Policy(3, HOUR, "token-bucket")}})
    await limiter.start()
    try:
        proxy = await Proxy.at(limiter.socket)

        async def until_status(status: int) -> None:
            async with asyncio.timeout(20):
                while (await proxy.ask()).status != status:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

        await until_status(429)
        await valkey.stop()
        await until_status(503)
        assert b"the store of limits cannot be asked" in limiter.log.read_bytes()
        await valkey.start()
        await until_status(200)
        password = valkey.access().password.encode()
        assert password not in limiter.log.read_bytes()
        proxy.close()
    finally:
        await limiter.stop()
