"""Whether two things fail together more often than chance would have it.

The question is asked of two series over the same buckets of time: which share of the calls to a dependency failed, and which
share of the caller's own answers. Calls of one bucket are not independent, nor are buckets of one outage, so that a test that
counts calls or buckets (Fisher's) would find connections that are none. Instead the one series is shifted against the other:
under the hypothesis that they have nothing to do with each other, every shift is as likely as the one that was seen, whatever
the outages look like. This is an exact randomisation test (E. S. Edgington, Randomization Tests, 1987; for series with
correlation in time: shifts on a circle, as for point processes in H. W. Lotwick and B. W. Silverman, J. R. Statist. Soc. B 44,
1982). Days are shifted independently of each other.

Many dependencies are tested at once; :func:`accepted` bounds the expected share of false findings among all findings
(Y. Benjamini and Y. Hochberg, J. R. Statist. Soc. B 57, 1995).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 9999
"""So many combinations of shifts are drawn where there are several days."""
FALSE_SHARE = 0.05
"""At most this share of what is found is found by chance, on average."""
SHORTEST = 12
"""A stretch of fewer buckets is put to the one before it."""

Floats = NDArray[np.float64]


def chance(one: Floats, other: Floats, stretches: Sequence[int], seed: int = 0) -> float:
    """Return the probability that two series that have nothing to do with each other meet as much as these do.

    Args:
        one: A series without negative values, shape ``(n,)``.
        other: Another over the same buckets.
        stretches: How many buckets each day has, in order; they add up to ``n``.
        seed: Of the draws.

    Returns:
        The share of shifts of the second series under which the sum of products is at least what it is: exact for one
        stretch; for several of :data:`DRAWS` draws, and the one that was seen, which keeps it a valid probability
        (B. Phipson and G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010).
    """
    ends = np.cumsum(_joined(stretches))
    products = [
        _products(one[begin:end], other[begin:end])
        for begin, end in zip(np.r_[0, ends[:-1]].tolist(), ends.tolist(), strict=True)
    ]
    seen = float(sum(every[0] for every in products))
    least = seen - 1e-9 * max(1.0, seen)
    if len(products) == 1:
        return float(np.mean(products[0] >= least))
    random = np.random.default_rng(seed)
    drawn = np.zeros(DRAWS)
    for every in products:
        drawn += every[random.integers(0, len(every), DRAWS)]
    return float((1 + np.count_nonzero(drawn >= least)) / (1 + DRAWS))


def _products(one: Floats, other: Floats) -> Floats:
    """Return the sum of products for each shift on the circle, the one of nothing first."""
    spectrum = np.conj(np.fft.rfft(one)) * np.fft.rfft(other)
    found: Floats = np.fft.irfft(spectrum, len(one))
    return found


def _joined(stretches: Sequence[int]) -> list[int]:
    """Put short stretches together, since few shifts tell little."""
    found: list[int] = []
    for length in stretches:
        if found and (length < SHORTEST or found[-1] < SHORTEST):
            found[-1] += length
        else:
            found.append(length)
    return found


def accepted(probabilities: Sequence[float], share: float = FALSE_SHARE) -> list[bool]:
    """Tell which of many tests count as findings, so that at most this share of the findings is false on average.

    Args:
        probabilities: Of each test, under the hypothesis that there is nothing.
        share: The share.
    """
    ordered = sorted(probabilities)
    count = len(ordered)
    limit = -1.0
    for place, probability in enumerate(ordered, 1):
        if probability <= share * place / count:
            limit = probability
    return [probability <= limit for probability in probabilities]
