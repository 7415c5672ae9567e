"""How long calls took of late, from counts that only grow."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.contract import ANONYMOUS, Context
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l35_mesh.observed.landscape import Landscape
from drystone.l35_mesh.observed.recent import since
from drystone.l35_mesh.observed.service import Observed
from drystone.l35_mesh.observed.statistics import Bucket, Spread

BOUNDS = (0.001, 0.01, 0.1, 1.0)
CTX = Context(ANONYMOUS)


def spread(*counts: int) -> Spread:
    """So many in each bucket, and not up to it."""
    sums = [sum(counts[: n + 1]) for n in range(len(counts))]
    pairs = zip(BOUNDS, sums, strict=True)
    return Spread(tuple(Bucket(bound, count) for bound, count in pairs), sums[-1])


COUNTS = st.tuples(*[st.integers(0, 10**6)] * len(BOUNDS))


@given(COUNTS, COUNTS)
def test_what_was_counted_in_between_is_what_was_added(
    before: tuple[int, ...], more: tuple[int, ...]
) -> None:
    now = spread(*(one + two for one, two in zip(before, more, strict=True)))
    assert since(now, spread(*before)) == spread(*more)
    assert since(now, Spread()) == now


@given(COUNTS, COUNTS)
def test_no_count_is_ever_negative(now: tuple[int, ...], before: tuple[int, ...]) -> None:
    """A proxy that has begun anew has counted less than the one before it."""
    found = since(spread(*now), spread(*before))
    counts = [0, *(bucket.count for bucket in found.buckets), found.count]
    assert counts == sorted(counts)


class Proxy:
    """What an Envoy says of one service's calls to another."""

    def __init__(self) -> None:
        self.slow = self.fast = 0
        self.answers = True

    async def counted(self, _pattern: str) -> bytes:
        if not self.answers:
            raise ProxyUnavailable("it starts")
        buckets = [
            {"upper_bound": 1, "cumulative": self.fast},
            {"upper_bound": 1000, "cumulative": self.fast + self.slow},
        ]
        name = "http.outbound/desk.dev>billing.dev.downstream_rq_time"
        return json.dumps(
            {"stats": [{"histograms": [{"name": name, "buckets": buckets}]}]}
        ).encode()


async def test_a_slow_minute_is_seen_however_long_the_proxy_has_run(tmp_path: Path) -> None:
    proxy, clock = Proxy(), ManualClock()
    observed = Observed(tmp_path / "log", Landscape, clock, counted=proxy.counted)
    proxy.fast = 1_000_000
    first = await observed.durations(CTX)
    assert (first.since, first.durations[0].calls) == (None, 1_000_000)
    begun = clock.now()
    for _ in range(5):
        await observed.remember()
        await clock.advance(timedelta(minutes=2))
    proxy.slow = 100
    told = await observed.durations(CTX)
    (desk,) = told.durations
    assert told.since is not None
    assert begun <= told.since <= clock.now() - timedelta(minutes=5)
    assert desk.calls == 100
    assert desk.p50 is not None
    assert desk.p50 > 0.1
    proxy.slow, proxy.fast = 0, 7  # it has begun anew
    assert (await observed.durations(CTX)).durations[0].calls == 7


async def test_while_nobody_calls_nothing_is_told_and_nothing_is_remembered_of_no_answer(
    tmp_path: Path,
) -> None:
    proxy, clock = Proxy(), ManualClock()
    observed = Observed(tmp_path / "log", Landscape, clock, counted=proxy.counted)
    proxy.fast, proxy.answers = 10, False
    await observed.remember()
    assert (await observed.durations(CTX)).durations == []
    proxy.answers = True
    told = await observed.durations(CTX)
    assert (told.since, told.durations[0].calls) == (None, 10)
    await observed.remember()
    assert (await observed.durations(CTX)).durations == []
    await clock.advance(timedelta(minutes=1))
    proxy.fast = 15
    assert (await observed.durations(CTX)).durations[0].calls == 5
