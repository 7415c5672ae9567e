"""May this dependency be added? What it would do, before anybody adds it."""

from __future__ import annotations

from datetime import date

import msgspec

from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.changes import AddDependency, apply
from drystone.l05_graph.circles import circles_of
from drystone.l05_graph.findings import Finding, Rules, Severity
from drystone.l05_graph.model import Dependency, Model
from drystone.l05_graph.reach import Matters, Path, every_one, is_hard, path
from drystone.l05_graph.rules import check
from drystone.l05_graph.words import BEFORE_SERVING, TangleKind


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a new dependency would do.

    Attributes:
        dependency: Which.
        tangle: The kind of the tangle that it would be part of; None if of none.
        was: The kind of the tangle that its two ends are part of together already, if there is one.
        members: All of that tangle, in the order of the model.
        joins: Those of them that are in no tangle of hard dependencies yet (in no circle at all, if it is a soft one).
        circle: The dependency and the shortest way back.
        findings: What breaks a rule with it and does not without.
        before: How available its source can be now, at most.
        after: How available with it.
    """

    dependency: Dependency
    tangle: TangleKind | None
    was: TangleKind | None
    members: tuple[str, ...]
    joins: tuple[str, ...]
    circle: Path
    findings: tuple[Finding, ...]
    before: float
    after: float

    @property
    def is_welcome(self) -> bool:
        """Whether it makes no tangle, makes none worse, and breaks no rule so that it is an error."""
        tangles = self.tangle is not None and (bool(self.joins) or self.tangle is not self.was)
        return not tangles and all(one.severity is not Severity.ERROR for one in self.findings)


def may_add(model: Model, dependency: Dependency, rules: Rules, today: date) -> Verdict:
    """Tell what a new dependency would do.

    Args:
        model: To which it would be added.
        dependency: Which.
        rules: What to check.
        today: For acceptances.

    Raises:
        ModelInvalid: It cannot be added: an end is missing, it is there already, or contradicts itself.
    """
    after = apply(model, [AddDependency(dependency)])
    known = {finding.key for finding in check(model, rules, today)}
    new = [finding for finding in check(after, rules, today) if finding.key not in known]
    matters, back = _way_back(model, dependency)
    source = dependency.source
    verdict = Verdict(
        dependency=dependency,
        tangle=None,
        was=None,
        members=(),
        joins=(),
        circle=(),
        findings=tuple(new),
        before=Availabilities(model).of(source).highest,
        after=Availabilities(after).of(source).highest,
    )
    if back is None:
        return verdict
    members, kind, was = _tangle(model, after, dependency, matters)
    tangled = {name for every in _circles(model, matters) if len(every) > 1 for name in every}
    return msgspec.structs.replace(
        verdict,
        tangle=kind,
        was=was,
        members=tuple(members),
        joins=tuple(name for name in members if name not in tangled),
        circle=(dependency, *back),
    )


def _way_back(model: Model, one: Dependency) -> tuple[Matters, Path | None]:
    """Return the way back over hard dependencies if it is one itself and there is such a way, otherwise over any."""
    back = path(model, one.target, one.source, is_hard) if one.is_hard else None
    if back is not None:
        return is_hard, back
    return every_one, path(model, one.target, one.source, every_one)


def _circles(model: Model, matters: Matters) -> list[list[str]]:
    return circles_of(
        model.by_name,
        lambda name: [one.target for one in model.needs.get(name, ()) if matters(one)],
    )


def _tangle(
    model: Model, after: Model, dependency: Dependency, matters: Matters
) -> tuple[list[str], TangleKind, TangleKind | None]:
    def of(where: Model) -> tuple[set[str], TangleKind]:
        inside = set(next(c for c in _circles(where, matters) if dependency.source in c))
        if matters is every_one:
            return inside, TangleKind.SOFT
        before = any(
            one.target in inside and one.is_hard and not BEFORE_SERVING.isdisjoint(one.at)
            for name in inside
            for one in where.needs.get(name, ())
        )
        return inside, TangleKind.DEADLOCK if before else TangleKind.CO_START

    old, old_kind = of(model)
    inside, kind = of(after)
    was = old_kind if dependency.target in old else None
    return [name for name in model.by_name if name in inside], kind, was
