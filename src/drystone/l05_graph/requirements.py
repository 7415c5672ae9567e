"""What must work for a component to work: others, and of some others at least so many.

A hard dependency outside of a group is a requirement by itself. A group is one requirement on all of its members, if any
of them is hard: a *choice*, unless all of them must work. What is soft, or is needed in another phase, is none. By numbers and
in plain lists, so that the agent never loads numpy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

import msgspec

from drystone.l05_graph.followed import Followed
from drystone.l05_graph.model import Model
from drystone.l05_graph.words import Phase, Strength

WHILE_SERVING = frozenset({Phase.RUN})
ALWAYS = frozenset(Phase)


class Choice(msgspec.Struct, frozen=True, gc=False):
    """A requirement that fewer than all of its members meet.

    Attributes:
        of: Whose, by number.
        at_least: How many of the members must work; fewer than there are.
        members: Components by number; one is there as often as there are dependencies on it.
        lines: The place of each of those dependencies among all of the model.
    """

    of: int
    at_least: int
    members: tuple[int, ...]
    lines: tuple[int, ...]

    @property
    def spare(self) -> int:
        """How many members may fail."""
        return len(self.members) - self.at_least


class Requirements:
    """What each component of a model requires in some phases.

    A group of which fewer members are needed in these phases than must work requires all of those.

    Args:
        model: Which.
        at: The phases.
        without: The places of dependencies that are done without; an alternative among them counts as one that works.

    Attributes:
        single: What each component does not work without.
        choices: Where several can meet one requirement.
    """

    def __init__(
        self,
        model: Model,
        at: Collection[Phase] = WHILE_SERVING,
        *,
        without: Collection[int] = (),
    ) -> None:
        waived = frozenset(without)
        lines = [line for line in _alone(model, frozenset(at)) if line not in waived]
        self.choices: list[Choice] = []
        for source, at_least, members in _groups(model, frozenset(at)):
            left = [line for line in members if line not in waived]
            enough = at_least - (len(members) - len(left))
            if enough >= len(left):
                lines += left
            elif enough > 0:
                targets = tuple(model.ends[1][line] for line in left)
                self.choices.append(Choice(source, enough, targets, tuple(left)))
        if model.groups:
            lines.sort()
        self.single = Followed(model, lines)

    @cached_property
    def of(self) -> dict[int, list[Choice]]:
        """The choices of each component that has some."""
        found: dict[int, list[Choice]] = {}
        for choice in self.choices:
            found.setdefault(choice.of, []).append(choice)
        return found

    @cached_property
    def among(self) -> dict[int, list[int]]:
        """The choices, by their place, that each component is a member of, as often as it is one."""
        found: dict[int, list[int]] = {}
        for place, choice in enumerate(self.choices):
            for member in choice.members:
                found.setdefault(member, []).append(place)
        return found

    @cached_property
    def below(self) -> Sequence[Sequence[int]]:
        """All that each component may need: what it requires, and the members of its choices."""
        if not self.choices:
            return self.single.targets
        found = [list(every) for every in self.single.targets]
        for choice in self.choices:
            found[choice.of] += choice.members
        return found


def _alone(model: Model, at: frozenset[Phase]) -> list[int]:
    """Return the places of the hard dependencies of no group in these phases."""
    every, soft = model.dependencies, Strength.SOFT
    if at == ALWAYS:
        return [
            line for line, one in enumerate(every) if one.strength is not soft and one.group is None
        ]
    if len(at) == 1:
        (phase,) = at
        return [
            line
            for line, one in enumerate(every)
            if one.strength is not soft and phase in one.at and one.group is None
        ]
    return [
        line
        for line, one in enumerate(every)
        if one.strength is not soft and one.group is None and not at.isdisjoint(one.at)
    ]


def _groups(model: Model, at: frozenset[Phase]) -> Iterator[tuple[int, int, list[int]]]:
    """Find the hard groups: whose, how many must work, and the places of the dependencies in these phases."""
    if not model.groups:
        return
    members: dict[tuple[str, str], list[int]] = {}
    for line, one in enumerate(model.dependencies):
        if one.group is not None and not at.isdisjoint(one.at):
            members.setdefault((one.source, one.group), []).append(line)
    for group in model.groups:
        lines = members.get((group.component, group.name), [])
        if any(model.dependencies[line].is_hard for line in lines):
            yield model.numbers[group.component], min(group.at_least, len(lines)), lines
