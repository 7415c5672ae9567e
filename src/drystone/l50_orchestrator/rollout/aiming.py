"""Bets that win what is needed and no more.

A rollout ends once there is so much money that the canary is proven bad. What a bet would win beyond that is lost to it: a look
that makes 5,000 of 80 proves no more than one that makes 100 of it. Where errors fall on either side by chance, all that a look can
be is known beforehand, but for the number of errors: each falls on the canary with a probability ``π``, or a smaller one, if what is to be
refuted is true, so that of ``N`` errors ``e`` do with ``C(N, e)·π^e·(1-π)^(N-e)``. Bets would multiply the money by ``L(e)``, which is 1 on
average and rises with ``e``. ``min(A, c·L(e))``, with what is needed as ``A``, is 1 on average as well for one ``c ≥ 1``; and since it rises with
``e``, it is less on average where errors fall on the canary less often. So nobody wins by it what bets must not win, and those who
are right need fewer errors. It is how a gambler plays who wants a certain sum and no more (Dubins and Savage, *How to gamble if
you must*, 1965).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from drystone.l50_orchestrator.rollout import purse

MOST = 64
"""With more errors in one look, bets win what they win."""

NEAR = 0.1
"""Where less than that is wanting, or nothing, bets win what they win as well. Else they would stand still there whatever is seen."""

HAIR = 1e-9
"""A little more than what is needed is aimed at, since floating point may lose so much."""


def more(
    money: purse.Logs, ratios: Sequence[float], *, chance: float, there: int, both: int, aim: float
) -> float:
    """Return the logarithm by which to change what a look wins.

    Args:
        money: On each bet before the look, as logarithms.
        ratios: The logarithm of how many times as bad each says that the canary is.
        chance: With which an error falls on the canary, at most, if what is to be refuted is true: ``π``.
        there: The errors that fell on it.
        both: All errors of the look.
        aim: The logarithm of the money that is enough.
    """
    wanted = aim + HAIR - purse.total(money)
    if not 0 < both <= MOST or wanted <= NEAR:
        return 0.0
    lost = [math.log1p(chance * math.expm1(ratio)) for ratio in ratios]
    whole = purse.total(money)

    def wins(errors: int) -> float:
        played = [
            one + errors * ratio - both * less
            for one, ratio, less in zip(money, ratios, lost, strict=True)
        ]
        return purse.total(played) - whole

    if wins(both) <= wanted:
        return 0.0
    won = [wins(errors) for errors in range(both + 1)]
    return min(wanted, won[there] + _raised(won, _likely(both, chance), wanted)) - won[there]


def _raised(won: Sequence[float], likely: Sequence[float], wanted: float) -> float:
    """Return the logarithm of the ``c`` for which ``min(A, c·L)`` is 1 on average."""
    cut = len(won) - 1
    while True:
        rest = 1 - math.exp(wanted) * math.fsum(likely[cut:])
        below = math.fsum(
            chance * math.exp(one) for chance, one in zip(likely[:cut], won, strict=False)
        )
        if rest <= 0 or below <= 0:
            return 0.0
        raised = math.log(rest / below)
        if cut == 0 or won[cut - 1] + raised <= wanted:
            return max(0.0, raised)
        cut -= 1


def _likely(both: int, chance: float) -> list[float]:
    return [
        math.comb(both, errors) * chance**errors * (1 - chance) ** (both - errors)
        for errors in range(both + 1)
    ]
