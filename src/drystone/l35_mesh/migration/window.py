"""What became of requests at both sides of late, from counters that only grow."""

from __future__ import annotations

from collections import deque

from drystone.l35_mesh.migration.api import Counted

LOOKS = 10
"""How many looks back count."""


class Window:
    """The last looks at the counters of one service."""

    def __init__(self) -> None:
        self._steps: deque[tuple[Counted, Counted]] = deque(maxlen=LOOKS)
        self._last: tuple[Counted, Counted] | None = None

    def look(self, here: Counted, there: Counted) -> None:
        """Take the counters as they are now; those that have become smaller began anew."""
        if self._last is not None:
            self._steps.append((_grown(self._last[0], here), _grown(self._last[1], there)))
        self._last = (here, there)

    def clear(self) -> None:
        """Forget what was, since something changed."""
        self._steps.clear()

    @property
    def here(self) -> Counted:
        """What became of requests at this side."""
        return _sum([here for here, _ in self._steps])

    @property
    def there(self) -> Counted:
        """At the other side."""
        return _sum([there for _, there in self._steps])


def _grown(before: Counted, now: Counted) -> Counted:
    if now.answered < before.answered or now.failed < before.failed:
        return now
    return Counted(now.answered - before.answered, now.failed - before.failed)


def _sum(many: list[Counted]) -> Counted:
    return Counted(sum(one.answered for one in many), sum(one.failed for one in many))
