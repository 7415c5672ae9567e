"""How often each thing was tried in vain, in bounded memory however fast and whatever a service tries.

Each caller has room of its own, so that one that tries every address there is pushes out nothing but its own attempts: of
these the most frequent stay, and then the latest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from heapq import nlargest

import msgspec

from drystone.l35_mesh.observed.attempts import Attempt

MOST_OF_ONE = 64
"""So many different attempts are kept of one caller."""
MOST_CALLERS = 4096
FORGOTTEN = timedelta(hours=24)
"""What nobody has tried for so long is not told any more."""


class Times(msgspec.Struct, frozen=True):
    """How often, and when.

    Attributes:
        count: How often.
        first: When first.
        last: When last.
    """

    count: int
    first: datetime
    last: datetime

    def joined(self, other: Times) -> Times:
        """Put two counts of one thing together."""
        first, last = min(self.first, other.first), max(self.last, other.last)
        return Times(self.count + other.count, first, last)


class Tally:
    """What was tried, and how often."""

    def __init__(self) -> None:
        self._of: dict[str, dict[Attempt, Times]] = {}
        self._left_out: dict[str, int] = {}

    def add(self, attempts: Iterable[tuple[datetime, Attempt]]) -> None:
        """Count attempts; their order does not matter as long as they fit."""
        for at, attempt in attempts:
            self.put(attempt, Times(1, at, at))
        for caller, kept in self._of.items():
            if len(kept) > MOST_OF_ONE:
                self._shrink(caller)

    def put(self, attempt: Attempt, times: Times) -> None:
        """Count an attempt that was made several times."""
        kept = self._of.get(attempt.caller)
        if kept is None:
            if len(self._of) >= MOST_CALLERS:
                self._left_out[""] = self._left_out.get("", 0) + times.count
                return
            kept = self._of[attempt.caller] = {}
        before = kept.get(attempt)
        kept[attempt] = times if before is None else before.joined(times)
        if len(kept) >= 4 * MOST_OF_ONE:
            self._shrink(attempt.caller)

    def forget(self, now: datetime) -> None:
        """Forget what was last tried long ago."""
        since = now - FORGOTTEN
        for caller, kept in list(self._of.items()):
            self._of[caller] = {one: times for one, times in kept.items() if times.last >= since}
            if not self._of[caller]:
                del self._of[caller]
                self._left_out.pop(caller, None)

    def __iter__(self) -> Iterator[tuple[Attempt, Times]]:
        """Yield every attempt that is kept."""
        for kept in self._of.values():
            yield from kept.items()

    def left_out(self, caller: str | None = None) -> int:
        """Return how many attempts were made that are not kept: by one caller, or by all."""
        if caller is None:
            return sum(self._left_out.values())
        return self._left_out.get(caller, 0)

    def _shrink(self, caller: str) -> None:
        kept = self._of[caller]
        best = nlargest(MOST_OF_ONE, kept.items(), key=lambda one: (one[1].count, one[1].last))
        lost = sum(times.count for times in kept.values()) - sum(t.count for _, t in best)
        self._left_out[caller] = self._left_out.get(caller, 0) + lost
        self._of[caller] = dict(best)
