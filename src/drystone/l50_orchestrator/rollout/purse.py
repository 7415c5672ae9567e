"""Money that is split over bets, as natural logarithms: what all tests of a rollout rest on.

A test bets against what it would refute. If that is true, no bet can win on average, whatever was seen before; so the money, which is
1 at the beginning, is 100 or more at any time with a probability of at most 1 in 100 (Ville 1939; "e-value": Grünwald, de
Heide and Koolen, *Safe testing*, 2024). Between two looks the money may be split anew at will, since that wins nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Logs = tuple[float, ...]
"""Natural logarithms of what lies on each bet."""


def split(shares: Iterable[float]) -> Logs:
    """Split money of 1 in these proportions, all above zero."""
    given = list(shares)
    whole = math.fsum(given)
    return tuple(math.log(share / whole) for share in given)


def total(logs: Sequence[float]) -> float:
    """Return the logarithm of all the money, without ever leaving the range of floating point."""
    most = max(logs)
    return most + math.log(math.fsum(math.exp(one - most) for one in logs))


def won(logs: Sequence[float], factors: Sequence[float]) -> Logs:
    """Multiply each bet; the factors are logarithms as well."""
    return tuple(one + factor for one, factor in zip(logs, factors, strict=True))


def weighted(parts: Iterable[tuple[float, float]]) -> float:
    """Return the logarithm of a sum of weights times money, given as pairs of weight and logarithm."""
    return total([math.log(weight) + log for weight, log in parts])


def spread(logs: Sequence[float], start: Logs, part: float) -> Logs:
    """Take a part of all the money, above 0, at most 1, and split it as at the start; the rest stays where it is."""
    whole = total(logs) + math.log(part)
    if part >= 1:
        return tuple(whole + share for share in start)
    kept = math.log1p(-part)
    return tuple(total((one + kept, whole + share)) for one, share in zip(logs, start, strict=True))
