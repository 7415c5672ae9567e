"""What every component needs, by number: before it can serve, while it serves, and to work well.

Plain lists, so that the agent never loads numpy. A need that counts before serving must serve before the component can be
brought into place; one that counts while serving must serve for it to serve; alternatives count as one need, which is met
when enough of them serve. What serves, given what is in place, is the greatest fixpoint: whoever is in place serves,
except those that lack something; so a circle of needs while serving alone begins to serve together.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from drystone.l05_graph.model import Dependency, Key, Model
from drystone.l05_graph.words import BEFORE_SERVING, Phase, Strength


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One need that several components can meet.

    Attributes:
        of: Whose need it is.
        enough: How many of the members must serve.
        members: The components; one is there as often as there are dependencies on it.
        lines: The place of each of those dependencies among all.
        before: Whether it counts before serving.
        running: Whether it counts while serving.
    """

    of: int
    enough: int
    members: tuple[int, ...]
    lines: tuple[int, ...]
    before: bool
    running: bool


@dataclass(frozen=True, slots=True)
class Needs:
    """The needs of a model. The lists are by component; a component is in one as often as there are dependencies.

    Attributes:
        names: Of the components.
        before: What must serve before it can be brought into place.
        running: What must serve for it to serve.
        soft: What it works less well without.
        alternatives: The needs that several can meet.
        of: Which of these are its own.
        among: Which of these it is a member of.
    """

    names: Sequence[str]
    before: list[list[int]]
    running: list[list[int]]
    soft: list[list[int]]
    alternatives: list[Alternatives]
    of: list[list[int]]
    among: list[list[int]]

    @property
    def size(self) -> int:
        """How many components there are."""
        return len(self.names)

    def hard(self, one: int) -> list[int]:
        """Return everything that could hold a component up, alternatives included."""
        found = self.before[one] + self.running[one]
        for number in self.of[one]:
            found.extend(self.alternatives[number].members)
        return found

    def add(self, alternatives: Alternatives) -> None:
        """Add a need that several can meet."""
        number = len(self.alternatives)
        self.alternatives.append(alternatives)
        self.of[alternatives.of].append(number)
        for member in alternatives.members:
            self.among[member].append(number)

    def allows(self, one: int, serving: Sequence[bool]) -> bool:
        """Tell whether a component can be brought into place now."""
        return all(serving[need] for need in self.before[one]) and all(
            self.met(number, serving) for number in self.of[one] if self.alternatives[number].before
        )

    def met(self, number: int, serving: Sequence[bool]) -> bool:
        """Tell whether enough alternatives serve."""
        need = self.alternatives[number]
        return sum(serving[member] for member in need.members) >= need.enough

    def serving(self, placed: Sequence[bool]) -> list[bool]:
        """Return what serves, given what is in place: the greatest fixpoint, in linear time."""
        serves = list(placed)
        users = turned(self.running)
        have = [
            sum(serves[member] for member in need.members) if need.running else need.enough
            for need in self.alternatives
        ]
        lacking = [
            one
            for one in range(self.size)
            if serves[one]
            and not (
                all(serves[need] for need in self.running[one])
                and all(have[g] >= self.alternatives[g].enough for g in self.of[one])
            )
        ]
        for one in lacking:
            serves[one] = False
        while lacking:
            one = lacking.pop()
            hit = list(users[one])
            for number in self.among[one]:
                need = self.alternatives[number]
                have[number] -= 1
                if need.running and have[number] < need.enough:
                    hit.append(need.of)
            for user in hit:
                if serves[user]:
                    serves[user] = False
                    lacking.append(user)
        return serves


def needs_of(
    model: Model, waived: Collection[Key] = (), at: Collection[Phase] = tuple(Phase)
) -> Needs:
    """Return the needs of a model.

    Args:
        model: The model.
        waived: Dependencies that are done without, each by its key.
        at: The phases that count; what is needed at other times alone is left out.
    """
    size = len(model.components)
    before: list[list[int]] = [[] for _ in range(size)]
    running: list[list[int]] = [[] for _ in range(size)]
    soft: list[list[int]] = [[] for _ in range(size)]
    grouped: dict[tuple[str, str], list[tuple[int, Dependency]]] = {}
    numbers, left_out = model.numbers, frozenset(waived)
    early = frozenset(at) & BEFORE_SERVING
    serves = Phase.RUN in at
    for line, one in enumerate(model.dependencies):
        is_before, is_running = _when(one.at, early, serves=serves)
        if not (is_before or is_running):
            continue
        if one.group is not None:
            grouped.setdefault((one.source, one.group), []).append((line, one))
            continue
        if left_out and one.key in left_out:
            continue
        source, target = numbers[one.source], numbers[one.target]
        if one.strength is Strength.SOFT:
            soft[source].append(target)
            continue
        if is_before:
            before[source].append(target)
        if is_running:
            running[source].append(target)
    of: list[list[int]] = [[] for _ in range(size)]
    among: list[list[int]] = [[] for _ in range(size)]
    needs = Needs([one.name for one in model.components], before, running, soft, [], of, among)
    _add_groups(needs, model, grouped, early, serves=serves, waived=left_out)
    return needs


def _when(at: tuple[Phase, ...], early: frozenset[Phase], *, serves: bool) -> tuple[bool, bool]:
    is_running = serves and Phase.RUN in at
    if len(at) == 1 and is_running:
        return False, True
    return not early.isdisjoint(at), is_running


def _add_groups(
    needs: Needs,
    model: Model,
    grouped: dict[tuple[str, str], list[tuple[int, Dependency]]],
    early: frozenset[Phase],
    *,
    serves: bool,
    waived: frozenset[Key],
) -> None:
    """Add the groups; one with a hard member is hard, and a waived member is one that is there already.

    What a group is, hard or soft, and when it counts, does not change when a member is waived.
    """
    declared = {(group.component, group.name): group.at_least for group in model.groups}
    for key, members in grouped.items():
        source = model.numbers[key[0]]
        left = [(line, one) for line, one in members if one.key not in waived]
        targets = tuple(model.numbers[one.target] for _, one in left)
        if all(one.strength is Strength.SOFT for _, one in members):
            needs.soft[source].extend(targets)
            continue
        when = [_when(one.at, early, serves=serves) for _, one in members]
        enough = min(declared[key], len(members)) - (len(members) - len(left))
        if enough <= 0:
            continue
        is_before, is_running = any(b for b, _ in when), any(r for _, r in when)
        lines = tuple(line for line, _ in left)
        needs.add(Alternatives(source, enough, targets, lines, is_before, is_running))


def turned(lists: list[list[int]]) -> list[list[int]]:
    """Return for each number the lists that it is in, as often as it is there."""
    found: list[list[int]] = [[] for _ in lists]
    for one, every in enumerate(lists):
        for other in every:
            found[other].append(one)
    return found
