"""The present, counted on from when something was first looked at, so that a clock that is set ends no wait.

All times are the database's, and that of a machine may be set, by an hour or by a day, while a release soaks. A process that looks at it
more than once knows better how long that was: by its monotonic clock, which nobody sets. One that has begun anew believes the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

_MOST = 10_000


class Counted:
    """Presents by what is waited for.

    Args:
        monotonic: Seconds that only go on.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._first: dict[str, tuple[float, datetime]] = {}

    def present(self, what: str, now: datetime) -> datetime:
        """Return the present for something.

        Args:
            what: Its id.
            now: By the database; believed the first time.
        """
        while len(self._first) >= _MOST and what not in self._first:
            self._first.pop(next(iter(self._first)))
        since, first = self._first.setdefault(what, (self._monotonic(), now))
        return first + timedelta(seconds=self._monotonic() - since)

    def forget(self, what: str) -> None:
        """Forget something that is not waited for any more."""
        self._first.pop(what, None)
