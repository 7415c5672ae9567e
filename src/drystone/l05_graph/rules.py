"""Rules of a sound architecture, and where a model breaks them.

Every finding has a witness, the path of dependencies that proves it, and says what can be done. A risk that somebody has
accepted covers what it is attached to until its last day; from then on it is a finding itself.

Alternatives count as what they are: a rule is broken only where too few of them keep it. Each rule takes those that are best
for it, for it holds when there is a way to hold it. What somebody forbade, or did not say, is told of each dependency.

Pure Python: a deploy asks this of a few hundred services, and the agent never loads numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from functools import cached_property, partial

from drystone.l05_graph.alternatives import Counted
from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.claims import CLAIMS, Claim
from drystone.l05_graph.falling import Worst
from drystone.l05_graph.findings import Finding, Rule, Rules, Severity
from drystone.l05_graph.followed import Followed, Ways
from drystone.l05_graph.model import Acceptance, Component, Dependency, Model, Path
from drystone.l05_graph.reach import Matters, is_hard, shown
from drystone.l05_graph.requirements import ALWAYS, WHILE_SERVING, Requirements
from drystone.l05_graph.words import Phase, Strength, TangleKind


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
        self._accepted = [line for line, one in enumerate(every) if one.accepted is not None]
        self._covered = frozenset(line for line in self._accepted if self._covers(every[line]))

    @cached_property
    def _always(self) -> Requirements:
        return Requirements(self._model, ALWAYS)

    @cached_property
    def _serving(self) -> Requirements:
        return Requirements(self._model, WHILE_SERVING)

    def _required(self, at: frozenset[Phase]) -> Requirements:
        return self._always if at == ALWAYS else self._serving

    def findings(self) -> Iterator[Finding | None]:
        every: Sequence[tuple[Callable[[], Iterator[Finding | None]], Collection[Rule]]] = (
            (self._tangles, (Rule.DEADLOCK, Rule.CO_START)),
            (self._layers, (Rule.LAYER, Rule.SAME_LAYER)),
            *((partial(self._reached, claim), (claim.rule,)) for claim in CLAIMS),
            (self._regions, (Rule.REGION,)),
            (self._patterns, (Rule.FORBIDDEN,)),
            (self._strengths, (Rule.STRENGTH,)),
            (self._withouts, (Rule.WITHOUT,)),
            (self._ran_out, (Rule.ACCEPTED,)),
            (self._slos, (Rule.SLO,)),
        )
        for look, rules in every:
            if not self._rules.levels.keys().isdisjoint(rules):
                yield from look()

    def _finding(
        self,
        rule: Rule,
        subject: str,
        sentence: str,
        proof: Path,
        advice: str,
        *,
        accepted: Acceptance | None = None,
    ) -> Finding | None:
        severity = self._rules.levels.get(rule)
        if severity is None:
            return None
        if accepted is None and self._covered and rule not in _TOLD_APART:
            accepted = next((one.accepted for one in proof if self._covers(one)), None)
        return Finding(
            rule=rule,
            severity=severity if accepted is None else Severity.NOTE,
            subject=subject,
            sentence=sentence,
            path=proof,
            advice=advice,
            accepted=accepted,
        )

    def _covers(self, one: Dependency) -> bool:
        return one.accepted is not None and self._today <= one.accepted.until

    def _tangles(self) -> Iterator[Finding | None]:
        """Tell each tangle; one that is only there because of accepted dependencies is a note."""
        counted, known = Counted(self._model), set[int]()
        whole = Followed(self._model, counted.lines) if self._model.groups else self._always.single
        left = whole
        if self._covered:
            left = Followed(self._model, Counted(self._model, self._covered).lines)
        for together in left.tangled:
            known.update(together)
            yield self._tangle(together, left, counted, is_hard)
        for together in whole.tangled:
            if not known.issuperset(together):
                yield self._tangle(together, whole, counted, self._covers)

    def _tangle(
        self, together: list[int], where: Followed, counted: Counted, through: Matters
    ) -> Finding | None:
        kind, proof = circle(where, together, counted.is_early, through)
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

    def _layers(self) -> Iterator[Finding | None]:
        """Find hard dependencies that do not lead downwards; of a choice, those that are too many."""
        layers = [one.layer for one in self._model.components]
        single = self._always.single
        for layer, targets, lines in zip(layers, single.targets, single.lines, strict=True):
            if layer is not None:
                for target, line in zip(targets, lines, strict=True):
                    if (other := layers[target]) is not None and other >= layer:
                        yield self._layer(self._model.dependencies[line])
        for choice in self._always.choices:
            layer = layers[choice.of]
            if layer is None:
                continue
            upwards = [
                (line not in self._covered, other, line)
                for line, member in zip(choice.lines, choice.members, strict=True)
                if (other := layers[member]) is not None and other >= layer
            ]
            below = len(choice.members) - len(upwards)
            for _, _, line in sorted(upwards)[: max(0, choice.at_least - below)]:
                yield self._layer(self._model.dependencies[line])

    def _layer(self, one: Dependency) -> Finding | None:
        source, target = self._model.by_name[one.source], self._model.by_name[one.target]
        is_same = target.layer == source.layer
        where = "the same layer" if is_same else "a higher layer"
        few = "" if one.group is None else f", and too few of {one.group!r} lie below"
        what = (
            f"{one.source} (layer {source.layer}) needs {one.target} on {where} ({target.layer}){few};"
            " a hard dependency leads downwards"
        )
        advice = f"soften it, remove it, or move {one.target} below layer {source.layer}"
        rule = Rule.SAME_LAYER if is_same else Rule.LAYER
        return self._finding(rule, one.source, what, (one,), advice)

    def _regions(self) -> Iterator[Finding | None]:
        components, every, single = (
            self._model.components,
            self._model.dependencies,
            self._always.single,
        )
        for number, source in enumerate(components):
            if not source.regions:
                continue
            for target, line in zip(single.targets[number], single.lines[number], strict=True):
                yield self._region(source, [components[target]], 1, every[line])
            for choice in self._always.of.get(number, ()):
                members = [components[member] for member in choice.members]
                yield self._region(source, members, choice.at_least, every[choice.lines[0]])

    def _region(
        self, source: Component, members: Sequence[Component], enough: int, one: Dependency
    ) -> Finding | None:
        """Look for regions in which too few members are; who says no region is everywhere."""
        missing = [
            region
            for region in source.regions
            if sum(not other.regions or region in other.regions for other in members) < enough
        ]
        if not missing:
            return None
        where, names = ", ".join(missing), " and ".join(dict.fromkeys(m.name for m in members))
        some = "does not" if len(members) == 1 else f"do not run at least {enough} at a time"
        what = f"{source.name} runs in {where}, where {names} {some}"
        advice = f"bring {names} to {where}, or soften the dependency"
        return self._finding(Rule.REGION, source.name, what, (one,), advice)

    def _strengths(self) -> Iterator[Finding | None]:
        every, unknown = self._model.dependencies, Strength.UNKNOWN
        for one in [one for one in every if one.strength is unknown]:
            what = f"nobody has said how much {one.source} needs {one.target}; it counts as hard"
            yield self._finding(Rule.STRENGTH, one.source, what, (one,), "say hard or soft")

    def _withouts(self) -> Iterator[Finding | None]:
        every, soft = self._model.dependencies, Strength.SOFT
        for one in [one for one in every if one.strength is soft and not one.without]:
            what = f"{one.source} can do without {one.target}, but nobody has said how"
            yield self._finding(Rule.WITHOUT, one.source, what, (one,), "write it into without")

    def _ran_out(self) -> Iterator[Finding | None]:
        for line in self._accepted:
            one = self._model.dependencies[line]
            if one.accepted is not None and line not in self._covered:
                said = one.accepted
                what = f"{said.by} had accepted {one.sentence()} until {said.until}: {said.reason}"
                advice = "mend it, or accept it anew with a new day"
                yield self._finding(Rule.ACCEPTED, one.source, what, (one,), advice)

    def _patterns(self) -> Iterator[Finding | None]:
        if not (self._rules.forbidden or self._rules.allowed):
            return
        known = self._model.by_name
        for one in self._model.dependencies:
            yield from self._fitting(one, known[one.source], known[one.target])

    def _fitting(
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

    def _reached(self, claim: Claim) -> Iterator[Finding | None]:
        """Find promises that what is needed does not keep; those that only accepted dependencies break are notes."""
        components = self._model.components
        values = claim.weaknesses(components)
        promises = claim.promises(components, values)
        strictest = min((one for one in promises if one is not None), default=None)
        if strictest is None or max(values) <= strictest:
            return
        whole = Worst(self._required(claim.at), values, strictest)
        left = whole
        if self._covered:
            required = Requirements(self._model, claim.at, without=self._covered)
            left = Worst(required, values, strictest)
        for number, claimed in enumerate(promises):
            if claimed is not None and whole.worst[number] > claimed:
                sure = left if left.worst[number] > claimed else whole
                accepted = None if sure is left else self._acceptance(whole, number)
                yield self._broken(claim, components[number], sure.way(number), accepted)

    def _broken(
        self, claim: Claim, component: Component, way: Sequence[int], accepted: Acceptance | None
    ) -> Finding | None:
        proof = tuple(self._model.dependencies[line] for line in way)
        last = self._model.by_name[proof[-1].target]
        over = f": {shown(proof)}" if len(proof) > 1 else ""
        groups = "".join(f", as too few of {one.group!r} do better" for one in proof if one.group)
        what = f"{component.name} ({claim.said(component)}) needs {last.name} ({claim.said(last)}){over}{groups}"
        advice = f"soften or remove a dependency on the way, or {claim.advice}"
        return self._finding(claim.rule, component.name, what, proof, advice, accepted=accepted)

    def _acceptance(self, whole: Worst, number: int) -> Acceptance | None:
        """Return the nearest acceptance without which a promise would be broken: it is among the reasons for that."""
        waiting = [number]
        for one in waiting:  # It grows while it is walked.
            for line in whole.reasons(one):
                if line in self._covered:
                    return self._model.dependencies[line].accepted
                target = self._model.ends[1][line]
                if target not in waiting:
                    waiting.append(target)
        return None

    def _slos(self) -> Iterator[Finding | None]:
        claiming = [one for one in self._model.components if one.slo is not None]
        if not claiming:
            return
        every = Availabilities(self._model, required=self._serving)
        numbers = self._model.numbers
        ways: dict[str, Ways] = {}
        for component in claiming:
            highest = every.bound(component.name)
            if component.slo is None or component.slo <= highest * (1 + 1e-12):
                continue
            count, weakest = every.weakest(component.name)
            if weakest not in ways:
                ways[weakest] = Ways(self._followed_at_run, [numbers[weakest]])
            proof = ways[weakest].path(numbers[component.name])
            what = (
                f"{component.name} promises {component.slo:.6g}, and can reach {highest:.6g} at most"
                f" with its {count} single points of failure; the weakest is {weakest}"
            )
            advice = f"promise less, or make it work without {weakest}"
            yield self._finding(Rule.SLO, component.name, what, proof, advice)

    @cached_property
    def _followed_at_run(self) -> Followed:
        """What is required at run time, with all alternatives: a single point of failure may lie behind each of them."""
        if not self._serving.choices:
            return self._serving.single
        every = [line for lines in self._serving.single.lines for line in lines]
        every += [line for choice in self._serving.choices for line in choice.lines]
        return Followed(self._model, sorted(every))


_TOLD_APART = (Rule.ACCEPTED, *(claim.rule for claim in CLAIMS))
"""Rules of which it is known without looking at the path whether somebody has accepted what breaks them."""


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

    def first_of(*matter: Matters) -> Dependency | None:
        # Most tangles show what they are within a few dependencies; none is looked at after that.
        edges = followed.within(inside)
        return next((one for one in edges if all(matters(one) for matters in matter)), None)

    early = first_of(is_early)
    first = (
        (early and first_of(is_early, through))
        or first_of(through)
        or next(followed.within(inside))
    )
    numbers = followed.model.numbers
    back = followed.path(numbers[first.target], numbers[first.source], inside)
    return TangleKind.DEADLOCK if early else TangleKind.CO_START, (first, *back)
