"""May this dependency be added? What it would do, before anybody adds it."""

from __future__ import annotations

from datetime import date

import msgspec

from drystone.l05_graph.alternatives import Counted
from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.changes import AddDependency, apply
from drystone.l05_graph.findings import Finding, Rules, Severity
from drystone.l05_graph.followed import Followed
from drystone.l05_graph.model import Dependency, Model, Path
from drystone.l05_graph.rules import check
from drystone.l05_graph.words import TangleKind


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
    hard, soft = _Circles(after, is_hard=True), _Circles(after, is_hard=False)
    now = hard if hard.has(dependency) and hard.around(dependency) else soft
    members = now.around(dependency)
    if not members:
        return verdict
    then = _Circles(model, is_hard=now is hard)
    old = then.around(dependency)
    tangled = {number for together in then.followed.tangled for number in together}
    numbers, names = model.numbers, list(model.by_name)
    return msgspec.structs.replace(
        verdict,
        tangle=now.kind(members),
        was=then.kind(old) if old else None,
        members=tuple(names[number] for number in sorted(members)),
        joins=tuple(names[number] for number in sorted(members - tangled)),
        circle=(
            dependency,
            *now.followed.path(numbers[dependency.target], numbers[source], members),
        ),
    )


class _Circles:
    """The circles of a model, by what is counted on or by every dependency."""

    def __init__(self, model: Model, *, is_hard: bool) -> None:
        self._is_hard, self._counted = is_hard, Counted(model)
        every = self._counted.lines if is_hard else range(len(model.dependencies))
        self.followed = Followed(model, every)
        self._numbers = model.numbers

    def has(self, one: Dependency) -> bool:
        """Whether a dependency is counted on."""
        return one in self.followed.over(self._numbers[one.source])

    def around(self, one: Dependency) -> set[int]:
        """Return the tangle that both ends of a dependency are in; nothing when there is none."""
        source, target = self._numbers[one.source], self._numbers[one.target]
        for together in self.followed.tangled:
            inside = set(together)
            if source in inside and target in inside:
                return inside
        return set()

    def kind(self, inside: set[int]) -> TangleKind:
        """Return the kind of a tangle."""
        if not self._is_hard:
            return TangleKind.SOFT
        early = map(self._counted.is_early, self.followed.within(inside))
        return TangleKind.DEADLOCK if any(early) else TangleKind.CO_START
