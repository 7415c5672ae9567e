"""How long calls took of late: what a proxy has counted, less what it had counted some minutes before.

A proxy counts from its start on. After a week, an hour in which everything was slow changes none of its percentiles.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from drystone.l35_mesh.observed.statistics import Bucket, Spread

WITHIN = timedelta(minutes=5)
"""What is told is of so many minutes at least, and of twice as many at most."""

Spreads = Mapping[tuple[str, str], Spread]
"""By who called and who was called."""


class _Kept(NamedTuple):
    at: datetime
    spreads: Spreads


class Recent:
    """Remembers what was counted some minutes ago."""

    def __init__(self) -> None:
        self._kept: deque[_Kept] = deque(maxlen=3)

    def is_due(self, now: datetime) -> bool:
        """Tell whether it is time to remember what is counted now."""
        return not self._kept or not self._kept[-1].at <= now < self._kept[-1].at + WITHIN

    def keep(self, now: datetime, spreads: Spreads) -> None:
        """Remember what is counted now."""
        if self._kept and now < self._kept[-1].at:
            self._kept.clear()  # the clock was set back: what was kept lies in the future
        self._kept.append(_Kept(now, spreads))

    def of_late(self, now: datetime, spreads: Spreads) -> tuple[datetime | None, Spreads]:
        """Return what was counted of late.

        Args:
            now: The time.
            spreads: What is counted now.

        Returns:
            From when on, and the calls since then; None and all of them where nothing was remembered.
        """
        past = [kept for kept in self._kept if kept.at + WITHIN <= now]
        if not self._kept:
            return None, spreads
        before = past[-1] if past else self._kept[0]
        return before.at, {
            way: since(spread, before.spreads.get(way, Spread())) for way, spread in spreads.items()
        }


def since(now: Spread, before: Spread) -> Spread:
    """Return what was counted in between; all of it where the proxy has begun anew."""
    if not before.buckets:
        return now
    if [one.bound for one in now.buckets] != [one.bound for one in before.buckets]:
        return now
    buckets = tuple(
        Bucket(one.bound, one.count - two.count)
        for one, two in zip(now.buckets, before.buckets, strict=True)
    )
    counts = [bucket.count for bucket in buckets]
    if counts != sorted(counts) or min(counts) < 0:
        return now
    return Spread(buckets, now.count - before.count)
