"""What two releases did while one of them was tried: sums of what counters have risen by, which outlive all who count.

Counters belong to proxies, instances and logs; each begins anew when its owner does. A tally keeps the last reading of each
beside the sums, in one document: whoever goes on after a death counts nothing twice, and loses what a proxy had counted between
the last reading and its own end, a second at most.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from drystone.l25_deployer.held_words import Arm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_EVENTS = 100

BOUNDS = tuple(
    one / 1000
    for one in (
        *(0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000),
        *(300_000, 600_000, 1_800_000, 3_600_000),
    )
)
"""Upper bounds of the classes of times, in seconds: those of Envoy's histograms."""


class Reading(msgspec.Struct, frozen=True):
    """What counters of one arm show now, by whose they are.

    Attributes:
        answered: Attempts that were answered below 500.
        failed: All others.
        times: How many answers took no longer than each bound, and all of them last; milliseconds are the proxy's.
        restarts: Ends of instances.
        log_errors: Lines at the level error.
        calls: Calls of its own that were answered below 500.
    """

    answered: Mapping[str, int] = {}
    failed: Mapping[str, int] = {}
    times: Mapping[str, tuple[int, ...]] = {}
    restarts: Mapping[str, int] = {}
    log_errors: Mapping[str, int] = {}
    calls: Mapping[str, int] = {}


class Tally(msgspec.Struct, frozen=True):
    """Sums of both arms, and what counters showed when they were last read.

    Attributes:
        key: Of what is tried.
        since: When that was up.
        stable: Sums of the release that serves.
        canary: Sums of the one that is tried.
        read: What counters showed, by arm and owner; one that is not there has shown nothing.
        events: The latest things that went wrong.
    """

    key: str
    since: datetime
    stable: Arm = Arm()
    canary: Arm = Arm()
    read: dict[str, int] = {}
    events: tuple[str, ...] = ()

    def after(self, stable: Reading, canary: Reading, *, is_first: bool) -> Tally:
        """Return the sums after a reading.

        Args:
            stable: Of the release that serves.
            canary: Of the one that is tried.
            is_first: Whether nothing that is shown has happened since the beginning.
        """
        read: dict[str, int] = {}
        sums = []
        for name, arm, reading in (
            ("stable", self.stable, stable),
            ("canary", self.canary, canary),
        ):
            risen = _Risen(self.read, read, name, is_first=is_first)
            answered = risen.by("answered", reading.answered)
            failed = risen.by("failed", reading.failed)
            sums.append(
                Arm(
                    requests=arm.requests + answered + failed,
                    errors=arm.errors + failed,
                    times=_joined(arm.times, _classes(risen, reading.times)),
                    restarts=arm.restarts + risen.by("restarts", reading.restarts),
                    log_errors=arm.log_errors + risen.by("log-errors", reading.log_errors),
                    calls=arm.calls + risen.by("calls", reading.calls),
                )
            )
        return msgspec.structs.replace(
            self, stable=sums[0], canary=sums[1], read={**self.read, **read}
        )

    def told(self, *events: str) -> Tally:
        """Return the tally with more things that went wrong, of which only so many are kept."""
        return msgspec.structs.replace(self, events=(*self.events, *events)[-MOST_EVENTS:])


class _Risen:
    """Tells by how much counters have risen, and writes down what they show."""

    def __init__(
        self, before: Mapping[str, int], now: dict[str, int], arm: str, *, is_first: bool
    ) -> None:
        self._before = before
        self._now = now
        self._arm = arm
        self._is_first = is_first

    def by(self, what: str, shown: Mapping[str, int]) -> int:
        """Return by how much counters have risen together; one that fell was begun anew."""
        whole = 0
        for owner, value in shown.items():
            name = f"{self._arm} {what} {owner}"
            self._now[name] = value
            before = self._before.get(name, value if self._is_first else 0)
            whole += value - before if value >= before else value
        return whole


def _classes(risen: _Risen, shown: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    """Return how many answers more are in each class; what is shown counts all up to a bound."""
    count = len(BOUNDS) + 1
    sums = [
        risen.by(f"time-{i}", {owner: counts[i] for owner, counts in shown.items()})
        for i in range(count)
    ]
    return (sums[0], *(max(0, b - a) for a, b in pairwise(sums)))


def _joined(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one or (0,) * len(other), other, strict=True))
