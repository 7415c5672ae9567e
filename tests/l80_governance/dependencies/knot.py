"""A small model in which something is wrong, and what tries things with it."""

from __future__ import annotations

from datetime import timedelta

from drystone.l05_graph.model import (
    BreakGlass,
    Component,
    Dependency,
    Estimate,
    Model,
    checked,
)
from drystone.l05_graph.words import Phase, Strength

QUICK = Estimate(least=timedelta(minutes=10), likely=timedelta(minutes=30), most=timedelta(hours=2))
HOSTILE = "<script>alert('x')</script>\u202e|*_`\"&;"


def knot(*, glass: bool = False) -> Model:
    """An orchestrator and a registry that deploy each other, and what stands upon them."""
    step = BreakGlass(takes=timedelta(hours=1), cost=4, runbook="runbooks/registry.md")
    names = ("network", "registry", "orchestrator", "shop", HOSTILE)
    components = [
        Component(
            name=name,
            owner="delivery" if name == "registry" else "platform",
            availability=0.99,
            recovery=QUICK,
            products=("Shop",) if name == "shop" else (),
            break_glass=step if glass and name == "registry" else None,
        )
        for name in names
    ]
    edges = [
        ("registry", "network", Phase.RUN),
        ("registry", "orchestrator", Phase.DEPLOY),
        ("orchestrator", "registry", Phase.DEPLOY),
        ("shop", "orchestrator", Phase.DEPLOY),
        ("shop", HOSTILE, Phase.RUN),
    ]
    needs = [
        Dependency(source=source, target=target, at=(at,), strength=Strength.HARD)
        for source, target, at in edges
    ]
    return checked(components, needs, title="A knot")
