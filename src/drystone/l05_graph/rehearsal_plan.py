"""What all rehearsals of a disaster share: who needs what, what is lost, who works on what, and what is urgent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from drystone.l05_graph.circles import circles
from drystone.l05_graph.disaster import Crew, Disaster, crew_of, lost
from drystone.l05_graph.model import Model
from drystone.l05_graph.needs import Needs, needs_of, turned
from drystone.l05_graph.working_time import WorkingTime


class Reason(StrEnum):
    """Why work on a component began when it did, and no earlier."""

    BEGIN = "begin"
    """It could begin at once."""
    NEED = "need"
    """Something that it needs began to serve."""
    CREW = "crew"
    """Its crew worked on something else."""
    ASLEEP = "asleep"
    """Its crew was asleep."""
    BREAK_GLASS = "break-glass"
    """It would never come up by itself, so that it was brought up without what it needs."""
    EVENT = "event"
    """Something happened that nobody had planned."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work on a component, from begin to end or until something stopped it."""

    component: int
    crew: int
    begins: int
    ends: int
    reason: Reason
    because: int
    is_break_glass: bool
    is_done: bool


class Plan:
    """What all runs of a disaster share: who needs what, who is lost, who works on what.

    Args:
        model: The components.
        disaster: What happens to them.

    Raises:
        ModelInvalid: They do not fit together.
    """

    def __init__(self, model: Model, disaster: Disaster) -> None:
        self.model, self.disaster = model, disaster
        self.needs: Needs = needs_of(model, disaster.waived)
        gone = lost(model, disaster)
        self.lost = [one.name in gone for one in model.components]
        numbers: dict[str, int] = {}
        self.crew = [numbers.setdefault(crew_of(one), len(numbers)) for one in model.components]
        for crew in disaster.crews:
            numbers.setdefault(crew.name, len(numbers))
        self.crew_numbers = numbers
        known = {crew.name: crew for crew in disaster.crews}
        self.crews = [known.get(name, Crew(name=name, people=disaster.people)) for name in numbers]
        self.times = [WorkingTime(crew.awake, disaster.begins) for crew in self.crews]
        self.likely = self._durations()
        self.glass = [
            None if one.break_glass is None else int(one.break_glass.takes.total_seconds())
            for one in model.components
        ]
        self.waiving = {model.numbers[key[0]] for key in disaster.waived if key[0] in model.numbers}
        self._index()

    def _durations(self) -> list[int]:
        data = frozenset(self.disaster.data)
        return [
            int(
                (one.recovery or self.disaster.recovery).likely.total_seconds()
                * (self.disaster.data_factor if one.name in data else 1)
            )
            for one in self.model.components
        ]

    def _index(self) -> None:
        needs = self.needs
        self.early_users, self.late_users = turned(needs.before), turned(needs.running)
        late = [list(every) for every in needs.running]
        for group in needs.alternatives:
            if group.running:
                late[group.of].extend(group.members)
        self.units = circles(late)
        self.unit = [0] * needs.size
        for number, members in enumerate(self.units):
            for one in members:
                self.unit[one] = number
        self.late_units = [
            [self.unit[user] for user in every if self.unit[user] != self.unit[one]]
            for one, every in enumerate(self.late_users)
        ]
        # A unit with alternatives inside may serve before all of its members are in place.
        self.is_mixed = [False] * len(self.units)
        for group in needs.alternatives:
            mine = self.unit[group.of]
            if group.running and any(self.unit[member] == mine for member in group.members):
                self.is_mixed[mine] = True
        self.urgency = _urgency(needs, self.likely, self.lost)
        waived = needs_of(self.model)
        self.all_early = [waived.before[one] for one in range(needs.size)]


def _urgency(needs: Needs, likely: Sequence[int], gone: Sequence[bool]) -> list[int]:
    """Return the longest chain of work that begins with each component, a circle counted once."""
    hard = [needs.hard(one) for one in range(needs.size)]
    groups = circles(hard)
    place = [0] * needs.size
    for number, members in enumerate(groups):
        for one in members:
            place[one] = number
    own = [max((likely[one] for one in members if gone[one]), default=0) for members in groups]
    chain = list(own)
    for number in range(len(groups) - 1, -1, -1):  # users come later, so from the last to the first
        for one in groups[number]:
            for need in hard[one]:
                below = place[need]
                if below != number:
                    chain[below] = max(chain[below], chain[number] + own[below])
    return [chain[place[one]] for one in range(needs.size)]
