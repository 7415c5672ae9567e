"""What a deploy does to the dependencies on the platform: what is new, with the path that proves it.

New is what would not be there without the change; what was wrong before is counted and stays with who owns it. A new tangle
of hard dependencies and a new hard dependency that does not lead downwards refuse the deploy, unless somebody has accepted
the risk and the last day of that is not over. An acceptance that has run out refuses the next deploy of the service that
has it, and of no other: for that, what is deployed is looked at as if the service's own acceptances had no end.

Looked at are those that something new may be found about, which their standings tell at once (:mod:`.suspects`), and all that
these need. Mostly that is nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from functools import partial

import msgspec

from drystone.l05_graph.alternatives import Counted
from drystone.l05_graph.findings import LEVELS, Finding, Rule, Rules, Severity
from drystone.l05_graph.followed import Followed
from drystone.l05_graph.model import Component, Dependency, Model
from drystone.l05_graph.reach import every_one
from drystone.l05_graph.rules import check, circle
from drystone.l05_graph.words import TangleKind
from drystone.l25_deployer.api import DependencyFinding
from drystone.l25_deployer.dependencies.landscape import Landscape, Matters, holds_up
from drystone.l25_deployer.dependencies.model import Part
from drystone.l25_deployer.dependencies.suspects import suspects
from drystone.l25_deployer.dependencies.verdict import Tangle, Verdict, of_rule, of_tangle

RULES = Rules(
    levels={
        rule: LEVELS[rule]
        for rule in (
            *(Rule.LAYER, Rule.SAME_LAYER, Rule.TIER, Rule.RESILIENCE, Rule.REGION),
            *(Rule.PLANE, Rule.ACCEPTED, Rule.SLO),
        )
    }
)
_SEVERITIES = list(Severity)


def check_deploy(landscape: Landscape, part: Part, today: date) -> Verdict:
    """Tell what is new if a service were as described.

    Args:
        landscape: What is deployed.
        part: What the service would bring in; its first component is the service.
        today: For acceptances.
    """
    return _Check(landscape, part, today).verdict()


def _without_end(part: Part) -> Part:
    """Let acceptances last for ever."""
    if all(one.accepted is None for one in part.dependencies):
        return part
    return msgspec.structs.replace(
        part,
        dependencies=tuple(
            one
            if one.accepted is None
            else msgspec.structs.replace(
                one, accepted=msgspec.structs.replace(one.accepted, until=date.max)
            )
            for one in part.dependencies
        ),
    )


def is_covered(one: Dependency, today: date) -> bool:
    """Tell whether somebody accepts what is wrong with a dependency."""
    return one.accepted is not None and today <= one.accepted.until


def _is_uncovered(one: Dependency, today: date) -> bool:
    return not is_covered(one, today)


class _Check:
    def __init__(self, landscape: Landscape, new: Part, today: date) -> None:
        name = new.components[0].name
        was = landscape.part(name)
        self._landscape, self._name, self._today = landscape, name, today
        self._old, self._new = _without_end(was or Part((), ())), new
        over = any(one.accepted and not is_covered(one, today) for one in new.dependencies)
        self._is_same = was == new and not over
        self._above = landscape.above(name)
        self._found: list[DependencyFinding] = []
        self._older = 0

    def verdict(self) -> Verdict:
        before, after = _targets(self._old), _targets(self._new)
        is_in_a_circle = not self._above.isdisjoint(before | after)
        whole = self._tangles() if is_in_a_circle else Tangle()
        if not self._is_same and after - before:
            self._circles(whole, after - before)
        users = set() if self._is_same else self._above
        if is_in_a_circle or _is_accepting(self._old) or _is_accepting(self._new):
            # Then what is new of others depends on the whole ways from them.
            self._rules({self._name, *users})
        else:
            self._rules(suspects(self._landscape, self._new, users))
        return Verdict(self._name, tuple(self._found), self._older)

    # Tangles

    def _tangles(self) -> Tangle:
        """Look for tangles of hard dependencies; return the one that is there whatever is accepted."""
        uncovered = partial(_is_uncovered, today=self._today)
        hard, was = self._tangle(self._new, uncovered), self._tangle(self._old, uncovered)
        if hard.kind is not None and not _is_known(hard, was):
            self._found.append(of_tangle(hard, self._name, self._today))
        self._older += was.kind is not None and _is_known(hard, was)
        covered = partial(is_covered, today=self._today)
        whole = self._tangle(self._new, every_one, covered)
        if not whole.members <= hard.members:
            accepted = (one.accepted for one in whole.path if covered(one))
            if (risk := next(accepted, None)) is not None:
                self._found.append(of_tangle(whole, self._name, self._today, risk))
        return whole

    def _circles(self, whole: Tangle, new: Collection[str]) -> None:
        """Look for circles of dependencies of any strength, which only a need of something new can close."""
        if self._landscape.around(self._name).isdisjoint(new):
            return
        around, before = self._circle(self._new), self._circle(self._old)
        if not around.members <= before.members | whole.members:
            soft = msgspec.structs.replace(around, kind=TangleKind.SOFT)
            self._found.append(of_tangle(soft, self._name, self._today))

    def _tangle(self, part: Part, counts: Matters, through: Matters | None = None) -> Tangle:
        """Return the tangle of hard dependencies that the service is part of."""

        def may_hold_up(one: Dependency) -> bool:
            return holds_up(one) and counts(one)

        model = self._around(part, self._above, may_hold_up)
        if any(one.group is not None for one in model.dependencies):
            # Which alternatives are spare is told by all that comes up below.
            names = self._landscape.below(model.by_name, holds_up, part)
            model = self._landscape.model(names, holds_up, part)
        left_out = [line for line, one in enumerate(model.dependencies) if not counts(one)]
        counted = Counted(model, left_out)
        return self._told_of(Followed(model, counted.lines), model, counted.is_early, through)

    def _circle(self, part: Part) -> Tangle:
        """Return the circle of dependencies of any strength that the service is part of."""
        model = self._around(part, self._landscape.around(self._name), every_one)
        lines = range(len(model.dependencies))
        return self._told_of(Followed(model, lines), model, every_one, None)

    def _around(self, part: Part, above: Collection[str], matters: Matters) -> Model:
        """Return the model of the service and of all that it needs and that needs it."""
        if not part.components:
            return Model(components=(Component(name=self._name),))
        inside = self._landscape.between(self._name, above, matters, part)
        return self._landscape.model(inside, matters, part)

    def _told_of(
        self, followed: Followed, model: Model, is_early: Matters, through: Matters | None
    ) -> Tangle:
        """Return the tangle of the service, with a circle through what is new in it if there is something."""
        mine = next((one for one in followed.tangled if model.numbers[self._name] in one), None)
        if mine is None:
            return Tangle()
        known = {*self._old.dependencies}

        def is_new(one: Dependency) -> bool:
            return one.source == self._name and one not in known

        kind, path = circle(followed, mine, is_early, through or is_new)
        return Tangle(kind, frozenset(model.components[one].name for one in mine), path)

    # Rules

    def _rules(self, subjects: Collection[str]) -> None:
        if not subjects:
            return
        found = [one for one in self._findings(self._new, subjects) if one.subject in subjects]
        before = found if self._is_same else self._findings(self._old, subjects)
        known = {one.key: one.severity for one in before}
        for one in self._sorted(found):
            mine = one.subject == self._name
            if _is_worse(one, known.get(one.key)):
                told = of_rule(one, self._today)
                if mine or told.refuses or told.accepted is None:
                    self._found.append(told)
            elif one.accepted is not None and self._is_mine(one):
                self._found.append(of_rule(one, self._today))
            else:
                self._older += mine and one.severity is not Severity.NOTE

    def _sorted(self, found: list[Finding]) -> Iterator[Finding]:
        """Put what the owner of the service has to act on first."""
        yield from sorted(found, key=lambda one: one.subject != self._name)

    def _findings(self, part: Part, subjects: Collection[str]) -> list[Finding]:
        names = self._landscape.below(sorted(subjects), holds_up, part)
        return check(self._landscape.model(names, holds_up, part), RULES, self._today)

    def _is_mine(self, finding: Finding) -> bool:
        return any(one.source == self._name and one.accepted for one in finding.path)


def _targets(part: Part) -> set[str]:
    return {one.target for one in part.dependencies}


def _is_accepting(part: Part) -> bool:
    return any(one.accepted is not None for one in part.dependencies)


def _is_known(now: Tangle, was: Tangle) -> bool:
    """Tell whether a tangle is no larger and no worse than before."""
    order = list(TangleKind)
    if was.kind is None or now.kind is None:
        return now.kind is was.kind
    return now.members <= was.members and order.index(now.kind) >= order.index(was.kind)


def _is_worse(finding: Finding, known: Severity | None) -> bool:
    return known is None or _SEVERITIES.index(finding.severity) < _SEVERITIES.index(known)
