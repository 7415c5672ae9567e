"""Does a failure follow the release, or who asks? A trial of those who get nothing but errors on the canary.

A tenant that gets nothing but errors on the canary is one sign. It may be a tenant that the new release
cannot serve, or one that is broken by itself, perhaps since the very moment it came there, and no number of its errors tells which: they are all on the same side.
What tells is to change sides. So the canary's users are sent back to stable and to the canary again, as a lot is drawn for each
period (a crossover trial, with its periods drawn by lot). Whoever is broken by itself does not know the lot: whether it is broken or well in a period, that
fits what was drawn with a probability of at most a half, whatever came before. A bet that doubles with each period in which it fits, and is lost with the first
in which it does not, wins nothing on average then. Where the release is the cause, it doubles each time.

Nothing is bet in the first period, in which they are on stable: most who fail everywhere are found out by that. Of several at once each has its part of the stake, so that it does not help to be one of many. What a period has to show are some answers on the side that was
drawn, beginning a moment after the lot, since what was asked before is answered and written down later.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import timedelta

import msgspec

PART = 0.1
"""Of all money, where users are told apart: what is bet in trials."""

STAKE = 0.9
"""Of that, what is bet in one trial; the rest is for the next."""

AWAY = 0.0001
"""The share of the canary while its users are back. With none at all, proxies would not write down who asks."""

ANSWERS = 3
"""So many of each are waited for in a period."""

SETTLING = timedelta(seconds=2)
"""What is answered so soon after a lot may have been asked before."""

PATIENCE = timedelta(minutes=1)
"""For those answers. Who does not come in that time is tried no longer."""

MOST_DONE = 32
"""So many are tried in a rollout. While they are, it does not go on, which takes up to a minute for each who does not come again."""

Answers = Mapping[str, tuple[int, int]]
"""Of those who got nothing but errors of the canary, and none of stable: good answers of stable and bad ones of the canary since then."""


class Trial(msgspec.Struct, frozen=True):
    """A trial that goes on.

    Attributes:
        stake: What was bet.
        tried: Who.
        left: Those of them who did as was foretold in each period.
        periods: How many are over in which something was bet.
        is_there: Whether they are on the canary now.
        is_bet: Whether something is bet in this one.
        since: When this period began.
        before: What each had been answered on the side that was drawn, a moment after that; None until then.
    """

    stake: float
    tried: tuple[str, ...]
    left: tuple[str, ...]
    periods: int
    is_there: bool
    since: timedelta
    before: dict[str, int] | None = None
    is_bet: bool = False

    @property
    def worth(self) -> float:
        """What has become of the stake."""
        return self.stake * len(self.left) / len(self.tried) * 2.0**self.periods


class Crossing(msgspec.Struct, frozen=True):
    """All trials of a rollout.

    Attributes:
        money: What is not bet now.
        lots: How many were drawn.
        done: Who was tried; nobody is tried again.
        trial: The one that goes on.
    """

    money: float = 1.0
    lots: int = 0
    done: tuple[str, ...] = ()
    trial: Trial | None = None

    @property
    def log_e(self) -> float:
        """The evidence that the canary is the cause, a natural logarithm."""
        return math.log(self.money + (self.trial.worth if self.trial else 0.0))

    def begun(self, now: Answers, at: timedelta) -> Crossing:
        """Return the same with a trial of those who were not tried yet; without one where there is nobody.

        Args:
            now: Who might be tried.
            at: Since the rollout began.
        """
        tried = tuple(sorted(now.keys() - set(self.done)))[: MOST_DONE - len(self.done)]
        if not tried or self.trial is not None:
            return self
        return Crossing(
            money=(1 - STAKE) * self.money,
            lots=self.lots,
            done=(*self.done, *tried),
            trial=Trial(STAKE * self.money, tried, tried, 0, is_there=False, since=at),
        )

    def after(self, now: Answers, at: timedelta, *, is_there: bool) -> Crossing:
        """Return the trials after one more look.

        Args:
            now: Those who still got no error of stable, and nothing else of the canary.
            at: Since the rollout began.
            is_there: The lot for the next period, which counts if this one is over.
        """
        trial = self.trial
        if trial is None:
            return self
        left = tuple(who for who in trial.left if who in now)
        if not left:
            refund = 0.0 if trial.is_bet else trial.stake
            return msgspec.structs.replace(self, money=self.money + refund, trial=None)
        tried = trial.tried if trial.is_bet else left
        trial = msgspec.structs.replace(trial, tried=tried, left=left)
        side = 1 if trial.is_there else 0
        got = {who: now[who][side] for who in left}
        if trial.before is None:
            if at - trial.since >= SETTLING:
                trial = msgspec.structs.replace(trial, before=got)
            return msgspec.structs.replace(self, trial=trial)
        before = trial.before
        came = tuple(who for who in left if got[who] - before.get(who, got[who]) >= ANSWERS)
        if len(came) < len(left) and at - trial.since < PATIENCE:
            return msgspec.structs.replace(self, trial=trial)
        if not came:
            return msgspec.structs.replace(self, trial=trial).ended()
        periods, tried = trial.periods + trial.is_bet, trial.tried if trial.is_bet else came
        fresh = Trial(trial.stake, tried, came, periods, is_there, at, is_bet=True)
        return msgspec.structs.replace(self, lots=self.lots + 1, trial=fresh)

    def ended(self) -> Crossing:
        """Return the same without what goes on; what was won by then stays."""
        worth = self.trial.worth if self.trial else 0.0
        return msgspec.structs.replace(self, money=self.money + worth, trial=None)


def lot(seed: int, number: int) -> bool:
    """Draw a lot: whether the canary gets its share in a period."""
    drawn = hashlib.blake2b(f"{seed} {number}".encode(), digest_size=1).digest()
    return bool(drawn[0] & 1)
