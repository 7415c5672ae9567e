"""Does a release keep its objective? For when stable is the broken one, and nothing can be learnt from comparing with it.

If a request is bad with a probability of at most ``b``, in each look another one, then a bet on ``q > b`` that is multiplied by
``(q/b)^e · ((1-q)/(1-b))^(n-e)`` wins nothing on average: ``(1 + (p-b)(q-b)/(b(1-b)))^n ≤ 1``. The same for ``p ≥ b`` and ``q < b``.
"""

from __future__ import annotations

import math

import msgspec

from drystone.l50_orchestrator.rollout import purse
from drystone.l50_orchestrator.rollout.looks import Arm

OVER = (2.0, 5.0, 20.0, 100.0)
WITHIN = (0.1, 0.3, 0.6)
"""In proportion to what is allowed: what the bets say of a release that breaks its objective, and of one that keeps it."""

MOST_OVER = 0.99
"""The largest share of bad requests that is bet on."""

KEPT = 0.1
"""The part that is kept out of all bets, so that there is something to spread later."""

OVER_START = purse.split((KEPT, *[(1 - KEPT) / len(OVER)] * len(OVER)))
WITHIN_START = purse.split((KEPT, *[(1 - KEPT) / len(WITHIN)] * len(WITHIN)))

CEILING = math.log(1_000.0)
"""What is won beyond is given away, so that a release that recovers, or falls ill, is seen soon. It can only make bets poorer."""


class Budget(msgspec.Struct, frozen=True):
    """Bets on whether one release keeps its objective, now.

    Attributes:
        allowed: The share of requests that may be bad, between 0 and 1.
        over: What lies on the bets that it is broken.
        within: What lies on the bets that it is kept.
    """

    allowed: float
    over: purse.Logs = OVER_START
    within: purse.Logs = WITHIN_START

    @property
    def log_over(self) -> float:
        """The evidence that more than the allowed share is bad."""
        return purse.total(self.over)

    @property
    def log_within(self) -> float:
        """The evidence that less than the allowed share is bad."""
        return purse.total(self.within)

    def after(self, seen: Arm) -> Budget:
        """Return the bets after one more look."""
        highest = max(MOST_OVER, (1 + self.allowed) / 2)
        over = [min(highest, times * self.allowed) for times in OVER]
        within = [times * self.allowed for times in WITHIN]
        return Budget(
            self.allowed,
            _capped(purse.won(self.over, [0.0, *(self._factor(one, seen) for one in over)])),
            _capped(purse.won(self.within, [0.0, *(self._factor(one, seen) for one in within)])),
        )

    def spread(self, part: float) -> Budget:
        """Split a part of the money, above 0, at most 1, as at the beginning: what was long so may not be so now."""
        return Budget(
            self.allowed,
            purse.spread(self.over, OVER_START, part),
            purse.spread(self.within, WITHIN_START, part),
        )

    def _factor(self, share: float, seen: Arm) -> float:
        good = math.log1p(-share) - math.log1p(-self.allowed)
        return seen.bad * math.log(share / self.allowed) + (seen.n - seen.bad) * good


def _capped(logs: purse.Logs) -> purse.Logs:
    """Leave at most :data:`CEILING` on each bet, and no more than there was at first out of all bets."""
    kept, *bets = logs
    return (min(kept, 0.0), *(min(one, CEILING) for one in bets))
