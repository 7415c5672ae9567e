"""How errors would part if both releases were equally good, where a proxy parts requests by chance. Pure.

The share that the proxy was told is known before any request comes, so it is a better yardstick than the few requests that
happened to come between two looks. It is held against what was counted: whoever chooses the canary by a header, or a
proxy that parts otherwise, would make it too small, and errors would seem to say more than they do.
"""

from __future__ import annotations

import math

from drystone.l50_orchestrator.rollout.looks import Counted

SURPRISE = 4.0
"""So many standard deviations, and requests, beyond what is expected are taken for chance."""


def share_of(told: float, tried: Counted) -> float | None:
    """Return the part of the canary.

    Args:
        told: The share that the proxy was told.
        tried: What came at this step, of which the requests count alone.

    Returns:
        What it was told, or what was counted where that is more than chance makes of it; None where nothing is parted.
    """
    if not 0 < told < 1:
        return None
    canary, stable = tried.canary.n, tried.stable.n
    expected = (canary + stable) * told
    if canary <= expected + SURPRISE * (1 + math.sqrt(expected * (1 - told))):
        return told
    return canary / (canary + stable) if stable else None
