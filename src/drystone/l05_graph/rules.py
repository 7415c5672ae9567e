"""Rules of a sound architecture, and where a model breaks them.

Every finding has a witness, the path of dependencies that proves it, and says what can be done. A risk that somebody has
accepted covers what it is attached to until its last day; from then on it is a finding itself.

Pure Python: a deploy asks this of a few hundred services, and the agent never loads numpy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import msgspec

from drystone.l05_graph.alternatives import Counted
from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.cones import Cones, Followed, Ways
from drystone.l05_graph.findings import Finding, Rule, Rules, Severity
from drystone.l05_graph.model import Component, Dependency, Model
from drystone.l05_graph.reach import Matters, Path, is_hard, shown
from drystone.l05_graph.words import Phase, Plane, Resilience, Strength, TangleKind


def check(model: Model, rules: Rules, today: date) -> list[Finding]:
    """Find where a model breaks rules.

    Args:
        model: Which.
        rules: What to check.
        today: For acceptances.

    Returns:
        The worst first, then in the order of the rules and of the subjects in the model.
    """
    found = [one for one in _Check(model, rules, today).findings() if one is not None]
    severities = {str(one): number for number, one in enumerate(Severity)}
    order = {str(one): number for number, one in enumerate(Rule)}
    return sorted(
        found, key=lambda f: (severities[f.severity], order[f.rule], model.numbers[f.subject])
    )


class _Check:
    def __init__(self, model: Model, rules: Rules, today: date) -> None:
        self._model = model
        self._rules = rules
        self._today = today
        every = model.dependencies
        hard = [one for one in every if one.strength is not Strength.SOFT]
        self._hard = Followed(model, hard)
        self._at_run = Followed(model, [one for one in hard if Phase.RUN in one.at])
        self._counted = Counted(model)
        self._accepted = [one for one in every if one.accepted is not None]

    def findings(self) -> Iterator[Finding | None]:
        yield from self._tangles()
        for one in self._suspects():
            yield from self._direct(one)
        for claim in _CLAIMS:
            if claim.rule in self._rules.levels:
                yield from self._reached(claim)
        if Rule.SLO in self._rules.levels:
            yield from self._slos()

    def _suspects(self) -> Iterable[Dependency]:
        """Leave out dependencies of which no direct rule has anything to say, as of nearly all."""
        every = self._model.dependencies
        if self._rules.forbidden or self._rules.allowed:
            return every
        layers = {one.name: one.layer for one in self._model.components}
        regional = {one.name for one in self._model.components if one.regions}
        suspects = []
        for one in every:
            if one.accepted is None:
                if one.strength is Strength.SOFT:
                    if one.without:
                        continue
                elif one.strength is Strength.HARD and one.source not in regional:
                    above, below = layers[one.source], layers[one.target]
                    if above is None or below is None or below < above:
                        continue
            suspects.append(one)
        return suspects

    def _finding(
        self, rule: Rule, subject: str, sentence: str, proof: Path, advice: str
    ) -> Finding | None:
        severity = self._rules.levels.get(rule)
        if severity is None:
            return None
        accepted = next((one.accepted for one in proof if self._covers(one)), None)
        return Finding(
            rule=rule,
            severity=severity if accepted is None else Severity.NOTE,
            subject=subject,
            sentence=sentence,
            path=proof,
            advice=advice,
            accepted=accepted if rule is not Rule.ACCEPTED else None,
        )

    def _covers(self, one: Dependency) -> bool:
        return one.accepted is not None and self._today <= one.accepted.until

    def _tangles(self) -> Iterator[Finding | None]:
        """Tell each tangle; one that is only there because of accepted dependencies is a note."""
        every = self._counted.dependencies
        whole = Followed(self._model, every) if self._model.groups else self._hard
        known: set[int] = set()
        left = whole
        if any(map(self._covers, self._accepted)):
            left = Followed(self._model, [one for one in every if not self._covers(one)])
        for together in left.tangled:
            known.update(together)
            yield self._tangle(together, left, is_hard)
        for together in whole.tangled:
            if not known.issuperset(together):
                yield self._tangle(together, whole, self._covers)

    def _tangle(self, together: list[int], where: Followed, through: Matters) -> Finding | None:
        kind, proof = circle(where, together, self._counted.is_early, through)
        rule = Rule.DEADLOCK if kind is TangleKind.DEADLOCK else Rule.CO_START
        count = f"{len(together)} components need each other in a circle"
        if rule is Rule.DEADLOCK:
            what, advice = "none of them can be the first after a loss of all", "remove or soften a"
        else:
            what, advice = "they can only start together", "soften or remove a"
        return self._finding(
            rule,
            self._model.components[min(together)].name,
            f"{count}, so that {what}: {shown(proof)}",
            proof,
            f"{advice} dependency of it",
        )

    def _direct(self, one: Dependency) -> Iterator[Finding | None]:
        source, target = self._model.by_name[one.source], self._model.by_name[one.target]
        if one.is_hard:
            yield self._layer(one, source, target)
            yield self._region(one, source, target)
        if one.strength is Strength.UNKNOWN:
            what = f"nobody has said how much {one.source} needs {one.target}; it counts as hard"
            yield self._finding(Rule.STRENGTH, one.source, what, (one,), "say hard or soft")
        elif one.strength is Strength.SOFT and not one.without:
            what = f"{one.source} can do without {one.target}, but nobody has said how"
            yield self._finding(Rule.WITHOUT, one.source, what, (one,), "write it into without")
        if one.accepted is not None and not self._covers(one):
            said = one.accepted
            what = f"{said.by} had accepted {one.sentence()} until {said.until}: {said.reason}"
            advice = "mend it, or accept it anew with a new day"
            yield self._finding(Rule.ACCEPTED, one.source, what, (one,), advice)
        yield from self._patterns(one, source, target)

    def _layer(self, one: Dependency, source: Component, target: Component) -> Finding | None:
        if source.layer is None or target.layer is None or target.layer < source.layer:
            return None
        is_same = target.layer == source.layer
        where = "the same layer" if is_same else "a higher layer"
        what = (
            f"{one.source} (layer {source.layer}) needs {one.target} on {where} ({target.layer});"
            " a hard dependency leads downwards"
        )
        advice = f"soften it, remove it, or move {one.target} below layer {source.layer}"
        rule = Rule.SAME_LAYER if is_same else Rule.LAYER
        return self._finding(rule, one.source, what, (one,), advice)

    def _region(self, one: Dependency, source: Component, target: Component) -> Finding | None:
        missing = [region for region in source.regions if region not in target.regions]
        if not missing or not target.regions:
            return None
        what = f"{one.source} runs in {', '.join(missing)}, where {one.target} does not"
        advice = f"bring {one.target} to {', '.join(missing)}, or soften the dependency"
        return self._finding(Rule.REGION, one.source, what, (one,), advice)

    def _patterns(
        self, one: Dependency, source: Component, target: Component
    ) -> Iterator[Finding | None]:
        for pattern in self._rules.forbidden:
            if pattern.fits(one, source, target):
                why = f": {pattern.reason}" if pattern.reason else ""
                what = f"{one.sentence()} is forbidden by {pattern.sentence()}{why}"
                yield self._finding(Rule.FORBIDDEN, one.source, what, (one,), "remove it")
        mine = [pattern for pattern in self._rules.allowed if pattern.is_about(one, source)]
        if mine and not any(pattern.fits(one, source, target) for pattern in mine):
            allowed = ", ".join(pattern.goal() for pattern in mine)
            what = f"{one.sentence()} is not allowed; {one.source} may need {allowed}"
            yield self._finding(Rule.FORBIDDEN, one.source, what, (one,), "remove it, or allow it")

    def _reached(self, claim: _Claim) -> Iterator[Finding | None]:
        components = self._model.components
        values = [claim.weakness(one) for one in components]
        promises = [claim.promises(one) for one in components]
        weakest = max(values, default=0.0)
        if all(claimed is None or claimed >= weakest for claimed in promises):
            return
        cones = Cones(self._hard if claim.rule is Rule.TIER else self._at_run, values)
        for number, (component, claimed) in enumerate(zip(components, promises, strict=True)):
            if claimed is None or cones.worst[number] <= claimed:
                continue
            proof = cones.path(number)
            last = self._model.by_name[proof[-1].target]
            over = f": {shown(proof)}" if len(proof) > 1 else ""
            what = f"{component.name} ({claim.said(component)}) needs {last.name} ({claim.said(last)}){over}"
            advice = f"soften or remove a dependency on the way, or {claim.advice}"
            yield self._finding(claim.rule, component.name, what, proof, advice)

    def _slos(self) -> Iterator[Finding | None]:
        claiming = [one for one in self._model.components if one.slo is not None]
        if not claiming:
            return
        every, numbers = Availabilities(self._model), self._model.numbers
        ways: dict[str, Ways] = {}
        for component in claiming:
            highest = every.bound(component.name)
            if component.slo is None or component.slo <= highest * (1 + 1e-12):
                continue
            count, weakest = every.weakest(component.name)
            if weakest not in ways:
                ways[weakest] = Ways(self._at_run, [numbers[weakest]])
            proof = ways[weakest].path(numbers[component.name])
            what = (
                f"{component.name} promises {component.slo:.6g}, and can reach {highest:.6g} at most"
                f" with its {count} single points of failure; the weakest is {weakest}"
            )
            advice = f"promise less, or make it work without {weakest}"
            yield self._finding(Rule.SLO, component.name, what, proof, advice)


class _Claim(msgspec.Struct, frozen=True):
    """What a component promises, and must not need anything that promises less.

    ``weakness`` grows as promises become weaker; -1 for what promises nothing.
    """

    rule: Rule
    advice: str

    def weakness(self, component: Component) -> float:
        """Return how weak its promise is."""
        match self.rule:
            case Rule.TIER:
                return -1.0 if component.tier is None else component.tier
            case Rule.RESILIENCE:
                said = component.resilience
                return -1.0 if said is None else len(Resilience) - said.height
            case _:
                return float(component.plane is Plane.CONTROL)

    def promises(self, component: Component) -> float | None:
        """Return the weakest that it may need; None if anything."""
        if self.rule is Rule.PLANE:
            return 0.0 if component.plane is Plane.DATA else None
        found = self.weakness(component)
        return None if found < 0 else found

    def said(self, component: Component) -> str:
        """Name its promise."""
        match self.rule:
            case Rule.TIER:
                return f"tier {component.tier}"
            case Rule.RESILIENCE:
                return str(component.resilience)
            case _:
                return f"{component.plane} plane"


_CLAIMS = (
    _Claim(Rule.TIER, "make what is needed as important as what needs it"),
    _Claim(Rule.RESILIENCE, "make what is needed survive as much"),
    _Claim(Rule.PLANE, "let it go on with what it knew last"),
)


def circle(
    followed: Followed, together: Sequence[int], is_early: Matters, through: Matters
) -> tuple[TangleKind, Path]:
    """Return what kind of tangle a strong component is, and a short circle in it.

    Args:
        followed: Where, by which dependencies.
        together: Its members.
        is_early: Which dependencies count before serving.
        through: The circle leads through one of these, if any of them is inside.
    """
    inside = set(together)
    edges = followed.within(inside)
    before = [one for one in edges if is_early(one)]
    first = next(filter(through, before), None) or next(filter(through, edges), edges[0])
    numbers = followed.numbers
    back = followed.path(numbers[first.target], numbers[first.source], inside)
    return TangleKind.DEADLOCK if before else TangleKind.CO_START, (first, *back)
