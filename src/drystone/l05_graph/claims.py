"""What a component promises, and must not come to need anything that promises less.

With alternatives, a promise is broken if the component would fall were all that promises less to fail: of a choice, the best
members that are enough count (:class:`~drystone.l05_graph.falling.Worst`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from drystone.l05_graph.findings import Rule
from drystone.l05_graph.model import Component
from drystone.l05_graph.requirements import ALWAYS, WHILE_SERVING
from drystone.l05_graph.words import Phase, Plane, Resilience

NOTHING = -1.0
"""How weak it is to promise nothing: it breaks nobody's promise."""


class Claim(msgspec.Struct, frozen=True):
    """One kind of promise.

    Attributes:
        rule: That holds it.
        at: The phases in which what is needed matters.
        advice: What else than a change of dependencies helps.
    """

    rule: Rule
    at: frozenset[Phase]
    advice: str

    def weaknesses(self, components: Sequence[Component]) -> list[float]:
        """Return how weak the promise of each is; :data:`NOTHING` for what promises nothing."""
        match self.rule:
            case Rule.TIER:
                return [NOTHING if one.tier is None else one.tier for one in components]
            case Rule.RESILIENCE:
                weak = {said: float(len(Resilience) - said.height) for said in Resilience}
                return [
                    NOTHING if one.resilience is None else weak[one.resilience]
                    for one in components
                ]
            case _:
                return [float(one.plane is Plane.CONTROL) for one in components]

    def promises(
        self, components: Sequence[Component], weaknesses: Sequence[float]
    ) -> list[float | None]:
        """Return how weak may be what each comes to need; None where that does not matter."""
        if self.rule is Rule.PLANE:
            return [0.0 if one.plane is Plane.DATA else None for one in components]
        return [None if weak == NOTHING else weak for weak in weaknesses]

    def said(self, component: Component) -> str:
        """Name its promise."""
        match self.rule:
            case Rule.TIER:
                return f"tier {component.tier}"
            case Rule.RESILIENCE:
                return str(component.resilience)
            case _:
                return f"{component.plane} plane"


CLAIMS = (
    Claim(Rule.TIER, ALWAYS, "make what is needed as important as what needs it"),
    Claim(Rule.RESILIENCE, WHILE_SERVING, "make what is needed survive as much"),
    Claim(Rule.PLANE, WHILE_SERVING, "let it go on with what it knew last"),
)
