"""Is the canary worse than stable? A test that may be looked at after every request.

Somebody bets that errors fall on the canary. Let a look have ``n_c`` and ``n_s`` requests of both releases, of which ``e_c`` and ``e_s``
are bad, and suppose what is to be refuted: that a request of the canary is bad with a probability ``p_c ≤ r·p_s``, where
``p_s`` may be another one in every look (a failing database makes both bad at once).

*Relative bets*, one for each ratio k. With ``π = r·n_c / (r·n_c + n_s)`` and ``π_k`` the same with ``k·r`` for ``r``, the bet is multiplied by
``(π_k/π)^e_c · ((1-π_k)/(1-π))^e_s``: how much better "the canary is k times as bad" foretells on which side the errors are. On
average that is ``(1 + p_c(a-1))^n_c · (1 + p_s(b-1))^n_s`` with ``a = π_k/π > 1`` and ``b = (1-π_k)/(1-π) < 1``, which is at most
``exp(p_s·(r·n_c·(a-1) + n_s·(b-1))) = exp(0) = 1``. It holds for every ``p_s``, rare or not, and stable without a single error
is nothing special.

*The outage bet* asks how well "of the canary ``θ_c`` fail, of stable ``θ_s``" foretells all answers, the good ones of stable as well, against
the nearest pair ``(r·φ, φ)`` of what is to be refuted. Its average is ``(B + p_c(A-B))^n_c · (D - p_s(D-C))^n_s`` with the ratios
``A, B`` of a bad and a good answer of the canary and ``C, D`` of stable. Its logarithm is concave in ``p_s`` along ``p_c = r·p_s``, and zero
at ``φ``; choosing ``φ`` so that it has its peak there makes it nowhere positive. A canary that always fails is found after two to
four requests where a tenth of the traffic or less goes to it, and after six or seven where half of it does.

*Where the share is known.* Requests that a proxy parts by chance fall on the canary with the probability ``s`` that it was told, whatever came
before. Then each error falls there with ``π = r·s / (r·s + 1 - s)`` if what is to be refuted is true, however many requests happened to come since
the last look, and relative bets take this ``π``: the average of a request's factor is ``1 + p_c·s·(a-1) + p_s·(1-s)·(b-1) ≤ 1``. If two
requests of the canary come with hardly any to stable between them, that is no reason any more to doubt what they say. A share
that is smaller than ``s`` makes bets poorer, never richer.

*Aimed bets.* Money beyond what proves a canary bad is of no use, since the rollout ends there; where a look would win more,
:mod:`~drystone.l50_orchestrator.rollout.aiming` takes what is too much from what would be won, and gives it to the other outcomes of
that look. So bets reach their aim sooner, and the promise is used up and not half of it only.

A look in which one side has no request foretells nothing: it waits and is counted with the next ones. When that happens depends on
requests alone and not on errors, so nothing is won by it. It must not wait for long: what is counted together is taken to have
happened under the same circumstances.
"""

from __future__ import annotations

import math

import msgspec

from drystone.l50_orchestrator.rollout import aiming, purse
from drystone.l50_orchestrator.rollout.looks import Arm, Counted

RATIOS = (1.5, 2.0, 3.0, 5.0, 8.0, 16.0, 1000.0)
"""How many times as bad the canary may be, from hardly worse to not working."""

PARTS = (0.07, 0.09, 0.17, 0.22, 0.15, 0.10, 0.15)
"""In which proportion money lies on each of these at first. Most is in the middle: between 3 and 8 times a canary is bad enough to
matter, and not so bad that anything finds it. The last one is to find an outage before much is known."""

OUT_CANARY, OUT_STABLE = 0.95, 0.02
"""What the outage bet says of both."""

KEPT, OUTAGE = 0.02, 0.12
"""The same of what is kept out of all bets, so that there is something to spread later, and of the outage bet."""

START = purse.split((KEPT, *PARTS, OUTAGE))

MOST_TOLERATED = 10.0
"""With more, the outage bet would say nothing that tolerance does not allow."""


class Race(msgspec.Struct, frozen=True):
    """The bets on one metric, after some looks.

    Attributes:
        tolerate: How many times as bad as stable is still good (``r``), 1 to :data:`MOST_TOLERATED`.
        money: What lies on each bet.
        waiting: What was seen since both sides last had a request.
        aim: The logarithm of the money that is enough, where more than that is not wanted.
    """

    tolerate: float = 1.0
    money: purse.Logs = START
    waiting: Counted = Counted()
    aim: float | None = None

    @property
    def log_e(self) -> float:
        """The evidence that the canary is worse: the natural logarithm of all the money."""
        return purse.total(self.money)

    def after(self, seen: Counted) -> Race:
        """Return the bets after one more look."""
        waiting = self.waiting.plus(seen)
        is_whole = bool(waiting.canary.n and waiting.stable.n)
        if seen.share is None and not is_whole:
            return msgspec.structs.replace(self, waiting=waiting)
        if seen.share is None:
            parted = (float(waiting.canary.n), float(waiting.stable.n))
            counted = waiting
        else:
            parted, counted = (seen.share, 1 - seen.share), seen
        factors = [
            0.0,
            *(_relative(self.tolerate, ratio, parted, counted) for ratio in RATIOS),
            _outage(self.tolerate, waiting.canary, waiting.stable) if is_whole else 0.0,
        ]
        if seen.share is not None and self.aim is not None:
            more = self._more(seen, seen.share, self.aim)
            factors = [*(one + more for one in factors[:-1]), factors[-1]]
        return msgspec.structs.replace(
            self,
            money=purse.won(self.money, factors),
            waiting=Counted() if is_whole else waiting,
        )

    def _more(self, seen: Counted, share: float, aim: float) -> float:
        """Return by how much more the relative bets win together where they aim at what is enough."""
        bad, there = seen.canary.bad, self.tolerate * share
        return aiming.more(
            self.money[:-1],
            (0.0, *map(math.log, RATIOS)),
            chance=there / (there + 1 - share),
            there=bad,
            both=bad + seen.stable.bad,
            aim=aim,
        )

    def without_waiting(self) -> Race:
        """Return the bets without what waits."""
        return msgspec.structs.replace(self, waiting=Counted())

    def spread(self, part: float) -> Race:
        """Split a part of the money, above 0, at most 1, as at the beginning.

        Bets on a canary that was good for long have lost what they had. What is spread is there for one that turns bad now.
        """
        return msgspec.structs.replace(self, money=purse.spread(self.money, START, part))


class Proof(msgspec.Struct, frozen=True):
    """Is the canary good? The same the other way: bets against it being ``worse`` times as bad as stable, or more.

    Attributes:
        worse: The ratio that is to be refuted.
        money: What lies on each bet.
        waiting: What was seen since both sides last had a request.
    """

    worse: float = 2.0
    money: purse.Logs = purse.split((1.0, 1.0, 1.0))
    waiting: Counted = Counted()

    @property
    def log_e(self) -> float:
        """The evidence that the canary is not that bad: the natural logarithm of all the money."""
        return purse.total(self.money)

    def after(self, seen: Counted) -> Proof:
        """Return the bets after one more look."""
        seen = self.waiting.plus(seen)
        parted = (seen.canary.n, seen.stable.n)
        if not all(parted):
            return msgspec.structs.replace(self, waiting=seen)
        factors = [
            _relative(self.worse, ratio / self.worse, parted, seen) for ratio in BETTER_RATIOS
        ]
        return Proof(self.worse, purse.won(self.money, factors))

    def without_waiting(self) -> Proof:
        """Return the bets without what waits."""
        return msgspec.structs.replace(self, waiting=Counted())


BETTER_RATIOS = (0.25, 0.5, 1.0)
"""What :class:`Proof` bets on."""


def _relative(base: float, ratio: float, parted: tuple[float, float], seen: Counted) -> float:
    """Return the logarithm by which the bet on ``ratio · base`` times as bad wins against ``base``.

    Args:
        base: What is to be refuted.
        ratio: What is bet on, in proportion to that.
        parted: How many there were of the canary and of stable, or in which proportion.
        seen: How many of them were bad.
    """
    # π_k/π = k·(r·n_c + n_s)/(k·r·n_c + n_s), and (1-π_k)/(1-π) the same without k: no difference of near numbers.
    there = base * parted[0]
    lost = math.log((there + parted[1]) / (ratio * there + parted[1]))
    return seen.canary.bad * (math.log(ratio) + lost) + seen.stable.bad * lost


def _outage(tolerate: float, canary: Arm, stable: Arm) -> float:
    """Return the logarithm by which the outage bet wins."""
    near = _nearest(tolerate, canary.n, stable.n)
    return (
        canary.bad * math.log(OUT_CANARY / (tolerate * near))
        + (canary.n - canary.bad) * math.log((1 - OUT_CANARY) / (1 - tolerate * near))
        + stable.bad * math.log(OUT_STABLE / near)
        + (stable.n - stable.bad) * math.log((1 - OUT_STABLE) / (1 - near))
    )


def _nearest(tolerate: float, canary: int, stable: int) -> float:
    """Solve ``n_c·(θ_c - r·φ)·(1 - φ) = n_s·(φ - θ_s)·(1 - r·φ)``; the one solution between ``θ_s`` and ``θ_c/r``."""
    square = tolerate * (canary + stable)
    linear = canary * (OUT_CANARY + tolerate) + stable * (1 + tolerate * OUT_STABLE)
    constant = canary * OUT_CANARY + stable * OUT_STABLE
    return 2 * constant / (linear + math.sqrt(linear * linear - 4 * square * constant))
