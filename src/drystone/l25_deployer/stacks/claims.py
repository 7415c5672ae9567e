"""What a service claims of itself, as its stack holds it."""

from __future__ import annotations

import msgspec

from drystone.l05_graph.model import BreakGlass, Estimate
from drystone.l05_graph.words import Plane, Resilience


class Claims(msgspec.Struct, frozen=True):
    """What a service claims of itself, for the dependency graph.

    Attributes:
        plane: Which half of the platform it is part of.
        regions: Where it runs; the region of the deploy when None.
        resilience: What it claims to survive.
        slo: Share of requests that are to succeed.
        availability: Share of the time in which it works by itself.
        recovery: How long it takes to bring it back.
        break_glass: How it comes back without what it needs.
        crew: Who brings it back.
        products: What it is a part of.
        groups: How many of each group of alternatives it needs.
    """

    plane: Plane | None = None
    regions: tuple[str, ...] | None = None
    resilience: Resilience | None = None
    slo: float | None = None
    availability: float | None = None
    recovery: Estimate | None = None
    break_glass: BreakGlass | None = None
    crew: str | None = None
    products: tuple[str, ...] | None = None
    groups: dict[str, int] = {}
