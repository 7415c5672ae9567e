"""What a deploy does to the dependencies on the platform: what is new, with the path that proves it.

New is what would not be there without the change; what was wrong before is counted and stays with who owns it. A new tangle
of hard dependencies and a new hard dependency that does not lead downwards refuse the deploy, unless somebody has accepted
the risk and the last day of that is not over. An acceptance that has run out refuses the next deploy of the service that
has it, and of no other: for that, what is deployed is looked at as if the service's own acceptances had no end.

Looked at are the service, what needs it over any number of steps, and all that these need; nothing else can change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import partial

import msgspec

from drystone.l05_graph.alternatives import Counted
from drystone.l05_graph.findings import LEVELS, Finding, Rule, Rules, Severity
from drystone.l05_graph.followed import Followed
from drystone.l05_graph.model import Acceptance, Component, Dependency, Model, Path
from drystone.l05_graph.reach import every_one, shown
from drystone.l05_graph.rules import check, circle
from drystone.l05_graph.words import TangleKind
from drystone.l25_deployer.dependency_model import PLATFORM, Part, name_of
from drystone.l25_deployer.landscape import Landscape, Matters
from drystone.l25_deployer.stacks.model import EnvironmentStack

_RULES = Rules(
    levels={
        rule: LEVELS[rule]
        for rule in (
            *(Rule.LAYER, Rule.SAME_LAYER, Rule.TIER, Rule.RESILIENCE, Rule.REGION),
            *(Rule.PLANE, Rule.ACCEPTED, Rule.SLO),
        )
    }
)
_SEVERITIES = list(Severity)
_MOST_OTHERS = 3
"""So many findings about other services are told one by one."""


NEEDED_NOW = frozenset({"deploy", "start", "runtime"})
"""Moments at which the other service must be there already when this one is deployed."""


class Verdict(msgspec.Struct, frozen=True):
    """What the check found.

    Attributes:
        refused: Reasons against the deploy.
        notes: What does not stop it.
        older: How many findings about the service there are that it had before.
    """

    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    older: int = 0


class _Tangle(msgspec.Struct, frozen=True):
    kind: TangleKind | None
    members: frozenset[str]
    path: Path = ()


_NONE = _Tangle(None, frozenset())


def check_deploy(landscape: Landscape, part: Part, today: date) -> Verdict:
    """Tell what is new if a service were as described.

    Args:
        landscape: What is deployed.
        part: What the service would bring in; its first component is the service.
        today: For acceptances.
    """
    name = part.components[0].name
    old = _without_end(landscape.part(name) or Part((), ()))
    checked = _Check(landscape, name, old, part, today)
    return checked.verdict()


def _without_end(part: Part) -> Part:
    """Let acceptances last for ever."""
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


def _is_covered(one: Dependency, today: date) -> bool:
    return one.accepted is not None and today <= one.accepted.until


def _is_uncovered(one: Dependency, today: date) -> bool:
    return not _is_covered(one, today)


def _follows(one: Dependency) -> bool:
    return one.is_hard or one.group is not None


class _Check:
    def __init__(self, landscape: Landscape, name: str, old: Part, new: Part, today: date) -> None:
        self._landscape, self._name, self._today = landscape, name, today
        self._old, self._new = old, new
        self._is_same = _is_same(landscape.part(name), new, today)
        # Others are only looked at when there is something about the service that could change them.
        self._above = set() if self._is_same else landscape.above(name, _follows)
        self._refused: list[str] = []
        self._notes: list[str] = []
        self._older = 0

    def verdict(self) -> Verdict:
        self._tangles()
        self._rules()
        return Verdict(tuple(self._refused), tuple(self._notes), self._older)

    # Tangles

    def _tangles(self) -> None:
        uncovered = partial(_is_uncovered, today=self._today)
        hard, was = self._tangle(self._new, uncovered), self._tangle(self._old, uncovered)
        if hard.kind is not None and not _is_known(hard, was):
            self._refused.append(f"{_told(hard)}; remove or soften one of these dependencies")
        self._older += was.kind is not None and _is_known(hard, was)
        covered = partial(_is_covered, today=self._today)
        whole = self._tangle(self._new, every_one, covered)
        if not whole.members <= hard.members:
            accepted = [one.accepted for one in whole.path if one.accepted and covered(one)]
            self._notes += [f"{self._until(one)}: {_told(whole)}" for one in accepted[:1]]
        if self._is_same:
            return
        around, before = self._circle(self._new), self._circle(self._old)
        if not around.members <= before.members | whole.members:
            self._notes.append(
                f"soft tangle: {shown(around.path)}; it slows a recovery down and does not prevent it"
            )

    def _tangle(self, part: Part, counts: Matters, through: Matters | None = None) -> _Tangle:
        """Return the tangle of hard dependencies that the service is part of."""

        def may_hold_up(one: Dependency) -> bool:
            return _follows(one) and counts(one)

        model = self._around(part, may_hold_up)
        if any(one.group is not None for one in model.dependencies):
            # Which alternatives are spare is told by all that comes up below.
            names = self._landscape.below(model.by_name, _follows, part)
            model = self._landscape.model(names, _follows, part)
        counted = Counted(model)
        lines = [line for line in counted.lines if counts(model.dependencies[line])]
        return self._told_of(Followed(model, lines), model, counted.is_early, through)

    def _circle(self, part: Part) -> _Tangle:
        """Return the circle of dependencies of any strength that the service is part of."""
        model = self._around(part, every_one)
        lines = range(len(model.dependencies))
        return self._told_of(Followed(model, lines), model, every_one, None)

    def _around(self, part: Part, matters: Matters) -> Model:
        """Return the model of the service and of all that it needs and that needs it."""
        if not part.components:
            return Model(components=(Component(name=self._name),))
        below = self._landscape.below([self._name], matters, part)
        inside = self._landscape.above(self._name, matters) & below.keys()
        return self._landscape.model([self._name, *sorted(inside)], matters, part)

    def _told_of(
        self, followed: Followed, model: Model, is_early: Matters, through: Matters | None
    ) -> _Tangle:
        """Return the tangle of the service, with a circle through what is new in it if there is something."""
        mine = next((one for one in followed.tangled if model.numbers[self._name] in one), None)
        if mine is None:
            return _NONE
        known = {*self._old.dependencies}

        def is_new(one: Dependency) -> bool:
            return one.source == self._name and one not in known

        kind, path = circle(followed, mine, is_early, through or is_new)
        return _Tangle(kind, frozenset(model.components[one].name for one in mine), path)

    # Rules

    def _rules(self) -> None:
        scope = {self._name, *self._above}
        found = [one for one in self._findings(self._new) if one.subject in scope]
        if not found:
            return
        before = found if self._is_same else self._findings(self._old)
        known = {one.key: one.severity for one in before}
        new = []
        for one in found:
            if _is_worse(one, known.get(one.key)):
                new.append(one)
            elif one.accepted is not None and self._is_mine(one):
                self._notes.append(f"{self._until(one.accepted)}: {one.sentence}")
            else:
                self._older += one.subject == self._name and one.severity is not Severity.NOTE
        self._tell(new)

    def _findings(self, part: Part) -> list[Finding]:
        landscape = self._landscape
        scope = [self._name, *sorted(self._above)]
        names = landscape.below(scope, _follows, part)
        return check(landscape.model(names, _follows, part), _RULES, self._today)

    def _is_mine(self, finding: Finding) -> bool:
        return any(one.source == self._name and one.accepted for one in finding.path)

    def _tell(self, new: list[Finding]) -> None:
        mine = [one for one in new if one.subject == self._name or self._refuses(one)]
        for one in mine:
            if one.accepted is not None:
                self._notes.append(f"{self._until(one.accepted)}: {one.sentence}")
            elif self._refuses(one):
                self._refused.append(_sentence(one))
            else:
                self._notes.append(_sentence(one))
        others = [one for one in new if one not in mine and one.accepted is None]
        self._notes += [_sentence(one) for one in others[:_MOST_OTHERS]]
        if len(others) > _MOST_OTHERS:
            more = len(others) - _MOST_OTHERS
            self._notes.append(f"and {more} more about services that need {self._name}")

    def _refuses(self, finding: Finding) -> bool:
        """Tell whether it is a dependency upwards; what the platform adds by itself is nobody's choice."""
        return (
            finding.rule in {Rule.LAYER, Rule.SAME_LAYER}
            and finding.severity is Severity.ERROR
            and not finding.path[0].target.startswith(f"{PLATFORM}/")
        )

    def _until(self, accepted: Acceptance) -> str:
        left = (accepted.until - self._today).days
        days = "today is the last day" if left == 0 else f"{left} day{'s' * (left != 1)} left"
        return f"accepted by {accepted.by} until {accepted.until} ({days}; {accepted.reason})"


def _is_same(old: Part | None, new: Part, today: date) -> bool:
    """Tell whether a service stays as it is, and no acceptance of it has run out."""
    over = any(one.accepted and not _is_covered(one, today) for one in new.dependencies)
    return old == new and not over


def _is_known(now: _Tangle, was: _Tangle) -> bool:
    """Tell whether a tangle is no larger and no worse than before."""
    order = list(TangleKind)
    if was.kind is None or now.kind is None:
        return now.kind is was.kind
    return now.members <= was.members and order.index(now.kind) >= order.index(was.kind)


def _is_worse(finding: Finding, known: Severity | None) -> bool:
    return known is None or _SEVERITIES.index(finding.severity) < _SEVERITIES.index(known)


def _told(tangle: _Tangle) -> str:
    count = len(tangle.members)
    what = (
        "none of them can be the first after a loss of all"
        if tangle.kind is TangleKind.DEADLOCK
        else "they could only come up together"
    )
    return f"tangle: {shown(tangle.path)} ({tangle.kind} of {count} services: {what})"


def _sentence(finding: Finding) -> str:
    return f"{finding.rule}: {finding.sentence}; {finding.advice}"


def check_missing(landscape: Landscape, stack: EnvironmentStack) -> Verdict:
    """Find what a service needs and is not deployed; of a group of alternatives, enough suffice."""
    refused, notes = [], []
    there = {
        target: landscape.part(name_of((need.environment or stack.name, target))) is not None
        for target, need in stack.dependencies.items()
    }
    met = Counter(
        stack.dependencies[target].group for target, is_there in there.items() if is_there
    )
    for target, need in stack.dependencies.items():
        if there[target]:
            continue
        where = f"'{target}', which is not deployed in {need.environment or stack.name}"
        enough = need.group is not None and met[need.group] >= stack.claims.groups[need.group]
        if need.needs == "hard" and not NEEDED_NOW.isdisjoint(need.at) and not enough:
            refused.append(
                f"{stack.service} needs {where} (hard, at {', '.join(need.at)}): deploy it first,"
                " or make the dependency soft and say what happens without it"
            )
        else:
            notes.append(f"{stack.service} would use {where} ({need.needs})")
    return Verdict(tuple(refused), tuple(notes))


def older(verdict: Verdict, name: str) -> Iterator[str]:
    """Say how many findings there were before."""
    if verdict.older:
        stand = "finding stands" if verdict.older == 1 else "findings stand"
        yield f"{verdict.older} older {stand} about {name}; `drystone deps lint` shows what"
