"""About whom a change of one service may say something new, found from standings alone.

Of those that need the service nobody can be worse off than before as long as the service itself promises and needs nothing
weaker, so that mostly nobody has to be looked at. Who is named here is looked at with all that it needs; who is not, has
nothing new. That holds while the service is in no circle and no risk is accepted.
"""

from __future__ import annotations

from collections.abc import Collection

from drystone.l05_graph.claims import CLAIMS, Claim
from drystone.l05_graph.model import Component, Dependency
from drystone.l25_deployer.dependencies.landscape import Landscape, holds_up
from drystone.l25_deployer.dependencies.model import Part
from drystone.l25_deployer.dependencies.standing import Standing


def suspects(landscape: Landscape, part: Part, above: Collection[str]) -> set[str]:
    """Return whom to look at.

    Args:
        landscape: What is deployed.
        part: What the service would bring in; its first component is the service.
        above: Those that it could hold up.
    """
    look = _Look(landscape, part, above)
    now = landscape.standings.would_be(part, part.components[0].name)
    found = {part.components[0].name} if look.is_broken(now) else set()
    return found | look.worse(now) if above else found


class _Look:
    def __init__(self, landscape: Landscape, part: Part, above: Collection[str]) -> None:
        self._landscape, self._standings = landscape, landscape.standings
        self._part, self._above = part, above
        self._component = part.components[0]
        self._name = self._component.name
        self._worse: set[str] = set()

    def is_broken(self, now: Standing) -> bool:
        """Tell whether the service itself may break a rule."""
        mine = self._component
        for claim, weakest in zip(CLAIMS, now.weakest, strict=True):
            promised = _promised(claim, mine)
            if promised is not None and weakest > promised:
                return True
        own = {one.name: one for one in self._part.components}
        if mine.slo is not None:
            shares = {name: _works(one) for name, one in own.items()}
            if mine.slo > self._standings.share(now.falls_with, shares):
                return True
        return any(
            _breaks(one, mine, own.get(one.target) or self._landscape.component(one.target))
            for one in self._part.dependencies
            if one.source == self._name
        )

    def worse(self, now: Standing) -> set[str]:
        """Return those that need the service and may be worse off than before."""
        was = self._standings.of(self._name)
        for place, claim in enumerate(CLAIMS):
            weakest = now.weakest[place]
            if weakest <= was.weakest[place]:
                continue
            for name in self._above:
                promised = _promised(claim, self._landscape.component(name))
                if promised is None or weakest <= promised:
                    continue
                if weakest > self._standings.of(name).weakest[place]:
                    self._worse.add(name)
        self._look_at_promises(was.falls_with, now.falls_with)
        self._look_at_users()
        return self._worse

    def _look_at_promises(self, was: int, now: int) -> None:
        """Find those that can no longer be as available as they promise; what is added counts fully."""
        before = self._landscape.component(self._name)
        less = min(1.0, _works(self._component) / _works(before))
        if less == 1.0 and not now & ~was:
            return
        own = {one.name: _works(one) for one in self._part.components}
        for name in self._above:
            promised = self._landscape.component(name).slo
            if promised is None:
                continue
            more = now & ~was & ~self._standings.of(name).falls_with
            share = less * self._standings.share(more, own)
            if share < 1.0 and promised > self._standings.bound(name) * share:
                self._worse.add(name)

    def _look_at_users(self) -> None:
        """Find dependencies on the service that break a rule by themselves, and did not."""
        before = self._landscape.component(self._name)
        if (before.layer, before.regions) == (self._component.layer, self._component.regions):
            return
        for one in self._landscape.users(self._name):
            if _breaks(one, self._landscape.component(one.source), self._component):
                self._worse.add(one.source)


def _promised(claim: Claim, component: Component) -> float | None:
    return claim.promises([component], claim.weaknesses([component]))[0]


def _works(component: Component) -> float:
    return 1.0 if component.availability is None else component.availability


def _breaks(one: Dependency, source: Component, target: Component) -> bool:
    """Tell whether a dependency may break a rule by itself."""
    if not holds_up(one):
        return False
    if source.layer is not None and target.layer is not None and target.layer >= source.layer:
        return True
    return bool(target.regions) and any(one not in target.regions for one in source.regions)
