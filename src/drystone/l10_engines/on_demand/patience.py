"""How long to wait before a program that failed is started again."""

from __future__ import annotations

from datetime import timedelta

import msgspec

NOTHING = timedelta()


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How a program is started again that ends without having been asked to.

    Attributes:
        pardoned: So many failures in a row are followed by a start at once.
        first_pause: Pause after the next one; it doubles with each further one.
        longest_pause: Where the doubling ends.
        healthy_after: A program that ran this long begins anew.
        grace: How long one that is told to end may take.
    """

    pardoned: int = 1
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(minutes=1)
    healthy_after: timedelta = timedelta(minutes=1)
    grace: timedelta = timedelta(seconds=3)

    def pause(self, failures: int) -> timedelta:
        """Return how long to wait after so many failures in a row."""
        beyond = failures - self.pardoned
        if beyond <= 0:
            return NOTHING
        times: int = 2 ** min(beyond - 1, 32)  # beyond that the bound has long been reached
        return min(self.first_pause * times, self.longest_pause)
