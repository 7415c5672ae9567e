"""What it costs to change a dependency, where nobody has said: a rule that can be argued with.

The risk gives the base: what deploys, and what holds source or artefacts, is woven deepest into how a team works. The
tier of whoever has to change makes it dearer. Costs have no unit; only their ratios matter.
"""

from __future__ import annotations

from drystone.l05_graph.model import Component
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


def factor(source: Component) -> float:
    """Return how much dearer a change is for whoever has to make it."""
    return 1.0 if source.tier is None else TIER_FACTOR.get(source.tier, 1.0)
