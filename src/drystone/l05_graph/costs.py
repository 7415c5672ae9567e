"""What it costs to change a dependency, where nobody has said: a rule that can be argued with.

The risk gives the base: what deploys, and what holds source or artefacts, is woven deepest into how a team works. The
tier of whoever has to change makes it dearer. Costs have no unit; only their ratios matter.
"""

from __future__ import annotations

from drystone.l05_graph.model import Component, Dependency
from drystone.l05_graph.words import Risk

BASE = {
    Risk.DEPLOYMENTS: 8.0,
    Risk.SOURCE: 5.0,
    Risk.ARTIFACTS: 5.0,
    Risk.BUILDS: 5.0,
    Risk.CONFIGURATION: 4.0,
    Risk.LOGGING: 2.0,
    Risk.AUTH: 6.0,
    Risk.NETWORK: 6.0,
    Risk.DATA: 8.0,
    Risk.OTHER: 4.0,
}
TIER_FACTOR = {0: 2.0, 1: 1.5}
SOFTEN_SHARE = 0.5
"""Making a dependency soft costs so much of removing it."""


def cost_remove(one: Dependency, source: Component) -> float:
    """Return what it costs to remove a dependency."""
    if one.cost_remove is not None:
        return one.cost_remove
    factor = TIER_FACTOR.get(source.tier, 1.0) if source.tier is not None else 1.0
    return BASE[one.risk] * factor


def cost_soften(one: Dependency, source: Component) -> float:
    """Return what it costs to make a dependency soft."""
    if one.cost_soften is not None:
        return one.cost_soften
    return SOFTEN_SHARE * cost_remove(one, source)
