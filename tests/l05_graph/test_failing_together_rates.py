"""How often failing together is told where nothing is, and how often it is told where something is, by simulation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from drystone.l05_graph.coincidence import FALSE_SHARE
from drystone.l05_graph.evidence import Batch, Bucket, Detail, Evidence, Observation, merged
from drystone.l05_graph.failing_together import Verdict, judged
from drystone.l05_graph.forms import survey

PER_DAY = 288
"""Buckets of five minutes."""
FIRST = 20_610 * PER_DAY


@dataclass(frozen=True, kw_only=True)
class World:
    """A caller with soft dependencies, and how all of them fail.

    Attributes:
        days: For how long they are watched.
        soft: How many soft dependencies the caller has.
        outages: How many outages of half an hour each has, on average, in all that time.
        calls: Calls in a bucket, on average.
        noise: Share of all calls that fail for no reason.
        bound: How many of the dependencies really take the caller with them.
        with_it: Share of the caller's answers that fail then.
    """

    days: int = 3
    soft: int = 10
    outages: float = 3.0
    calls: float = 50.0
    noise: float = 0.01
    bound: int = 0
    with_it: float = 0.5

    def told(self, seed: int) -> set[int]:
        """Let it happen, and return the dependencies that are told to fail together with their caller."""
        random = np.random.default_rng(seed)
        length = self.days * PER_DAY
        outages = [self._outages(random, length) for _ in range(self.soft + 1)]
        own = np.where(outages[-1], 0.6, self.noise)
        for down in outages[: self.bound]:
            own = np.where(down, np.maximum(own, self.with_it), own)
        series = {("external:clients", "shop"): self._calls(random, own)}
        for number, down in enumerate(outages[:-1]):
            series["shop", f"s{number}"] = self._calls(random, np.where(down, 0.8, self.noise))
        needs = ", ".join(f"s{number}: soft" for number in range(self.soft))
        names = "".join(f"  s{number}:\n" for number in range(self.soft))
        model = survey.read(f"components:\n  shop: {{needs: {{{needs}}}}}\n{names}")
        return {
            int(one.dependency.target[1:])
            for one in judged(model, _evidence(series))
            if one.verdict is Verdict.TOGETHER
        }

    def _outages(self, random: np.random.Generator, length: int) -> NDArray[Any]:
        down = np.zeros(length, np.bool_)
        for begin in random.integers(0, length, random.poisson(self.outages)):
            down[begin : begin + random.integers(2, 12)] = True
        return down

    def _calls(self, random: np.random.Generator, failing: NDArray[Any]) -> NDArray[Any]:
        calls = random.poisson(self.calls, len(failing))
        return np.column_stack([calls, random.binomial(calls, failing)])


def _evidence(series: dict[tuple[str, str], NDArray[Any]]) -> Evidence:
    observations = tuple(
        Observation(
            caller=caller,
            callee=callee,
            calls=int(cells[:, 0].sum()),
            errors=int(cells[:, 1].sum()),
            buckets=tuple(
                Bucket(FIRST + place, calls, errors)
                for place, (calls, errors) in enumerate(cells.tolist())
                if calls
            ),
        )
        for (caller, callee), cells in sorted(series.items())
    )
    return merged(
        Batch(source="s", digest="d", detail=Detail.FIVE_MINUTES, observations=observations)
    )


def alarms(world: World, runs: int) -> float:
    """Return the share of runs in which something is told; where nothing is, all of it is false."""
    return sum(len(world.told(seed)) > 0 for seed in range(runs)) / runs


def power(world: World, runs: int) -> tuple[float, float]:
    """Return which share of what is there is told, and which share of what is told is not there."""
    found = [world.told(seed) for seed in range(runs)]
    told = sum(len(one) for one in found)
    right = sum(number < world.bound for one in found for number in one)
    return right / (runs * world.bound), (told - right) / max(1, told)


def few(runs: int) -> float:
    """Return how large the share of runs with false alarms may be, three standard errors above what is promised."""
    return FALSE_SHARE + 3 * math.sqrt(FALSE_SHARE * (1 - FALSE_SHARE) / runs)


@pytest.mark.parametrize("world", [World(), World(outages=10, days=2)], ids=["rare", "often"])
def test_where_nothing_fails_together_hardly_ever_something_is_told(world: World) -> None:
    assert alarms(world, 20) <= few(20)


def test_what_fails_together_is_nearly_always_told_and_little_else() -> None:
    found, false = power(World(bound=2), 12)
    assert found >= 0.8
    assert false <= few(24)


@pytest.mark.slow
@pytest.mark.parametrize(
    "world",
    [
        World(),
        World(days=1),
        World(outages=10),
        World(outages=30),
        World(calls=2),
        World(calls=0.3),
        World(noise=0.1),
        World(days=7, soft=30),
        World(days=1, soft=300),
    ],
    ids=str,
)
def test_false_alarms_are_as_rare_as_they_are_said_to_be(world: World) -> None:
    assert alarms(world, 400) <= few(400)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "least"),
    [
        (World(bound=2), 0.85),
        (World(bound=2, calls=3), 0.65),
        (World(bound=2, days=7), 0.85),
        (World(bound=2, days=7, soft=50), 0.8),
        (World(bound=2, with_it=0.2, outages=10, days=7), 0.6),
    ],
    ids=str,
)
def test_what_is_there_is_found_at_sizes_that_there_are(world: World, least: float) -> None:
    found, false = power(world, 100)
    assert found >= least, found
    assert false <= few(200), false
