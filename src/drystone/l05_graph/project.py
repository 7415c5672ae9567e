"""A project: activities that take time, come after one another, and share people or machines.

The resource-constrained project scheduling problem with one mode (Brucker et al., European J. Operational Research 112,
1999): find starts so that no activity begins before those that it comes after have ended, no resource is asked for more
than it has at any time, and the last end is as early as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drystone.l00_kernel.errors import Invalid
from drystone.l05_graph.circles import circles
from drystone.l05_graph.needs import turned


class ProjectInvalid(Invalid):
    """The project contradicts itself."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """Activities 0 to ``size`` - 1. Times and amounts are whole numbers in units of their own.

    Attributes:
        durations: How long each activity takes, at least 0.
        after: What each activity comes after.
        demands: How much of each resource each activity takes while it goes on.
        capacities: How much there is of each resource.
    """

    durations: Sequence[int]
    after: Sequence[Sequence[int]]
    demands: Sequence[Sequence[int]]
    capacities: Sequence[int]

    @property
    def size(self) -> int:
        """How many activities there are."""
        return len(self.durations)

    def reversed(self) -> Project:
        """Return the project with time running backwards."""
        before = turned([list(every) for every in self.after])
        return Project(
            durations=self.durations,
            after=before,
            demands=self.demands,
            capacities=self.capacities,
        )


def check(project: Project) -> None:
    """Check that a project has a schedule.

    Raises:
        ProjectInvalid: It has none, or its columns do not fit together; the message says which activity.
    """
    size, kinds = project.size, len(project.capacities)
    if len(project.after) != size or len(project.demands) != size:
        raise ProjectInvalid("durations, after and demands have different lengths")
    for one in range(size):
        if project.durations[one] < 0:
            raise ProjectInvalid(
                f"activity {one} takes {project.durations[one]}, less than nothing"
            )
        if len(project.demands[one]) != kinds:
            raise ProjectInvalid(f"activity {one} asks for other than {kinds} resources")
        for kind, demand in enumerate(project.demands[one]):
            if not 0 <= demand <= project.capacities[kind]:
                raise ProjectInvalid(
                    f"activity {one} asks for {demand} of resource {kind}, of which there is"
                    f" {project.capacities[kind]}"
                )
        for other in project.after[one]:
            if not 0 <= other < size:
                raise ProjectInvalid(f"activity {one} comes after {other}, which is not there")
    in_order(project)


def in_order(project: Project) -> list[int]:
    """Return the activities, each after what it comes after.

    Raises:
        ProjectInvalid: Some come after each other in a circle.
    """
    after = [list(every) for every in project.after]
    found = []
    for group in circles(after):
        if len(group) > 1 or group[0] in after[group[0]]:
            raise ProjectInvalid(f"these activities come after each other: {sorted(group)}")
        found.append(group[0])
    return found


def heads(project: Project, order: Sequence[int]) -> list[int]:
    """Return how much time must pass before each activity, whatever the resources."""
    found = [0] * project.size
    for one in order:
        for other in project.after[one]:
            found[one] = max(found[one], found[other] + project.durations[other])
    return found


def tails(project: Project, order: Sequence[int]) -> list[int]:
    """Return how much time must pass after the end of each activity, whatever the resources."""
    found = [0] * project.size
    for one in reversed(order):
        behind = found[one] + project.durations[one]
        for other in project.after[one]:
            found[other] = max(found[other], behind)
    return found


def mistake_of(project: Project, starts: Sequence[int]) -> str | None:
    """Say what is wrong with a schedule, by the definition; None when nothing is."""
    ends = [start + lasts for start, lasts in zip(starts, project.durations, strict=True)]
    for one in range(project.size):
        if starts[one] < 0:
            return f"activity {one} starts before 0"
        for other in project.after[one]:
            if ends[other] > starts[one]:
                return f"activity {one} starts before the end of {other}"
    for moment in sorted(set(starts)):
        going = [one for one in range(project.size) if starts[one] <= moment < ends[one]]
        for kind, capacity in enumerate(project.capacities):
            if sum(project.demands[one][kind] for one in going) > capacity:
                return f"resource {kind} is asked for more than {capacity} at {moment}"
    return None
