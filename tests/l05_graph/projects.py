"""Projects that tests are made with."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from hypothesis import strategies as st

from drystone.l05_graph.project import Project
from drystone.l05_graph.schedule_generation import Scheme


@st.composite
def projects(draw: st.DrawFn, *, most: int = 6) -> Project:
    """Draw a small project, at times with activities of no length."""
    size = draw(st.integers(1, most))
    capacities = draw(st.lists(st.integers(1, 4), max_size=2))
    return Project(
        durations=draw(st.lists(st.integers(0, 5), min_size=size, max_size=size)),
        after=[
            sorted(draw(st.sets(st.integers(0, one - 1), max_size=2))) if one else []
            for one in range(size)
        ],
        demands=[[draw(st.integers(0, most_of)) for most_of in capacities] for _ in range(size)],
        capacities=capacities,
    )


def orders(project: Project) -> Iterator[tuple[int, ...]]:
    """Give every list of the activities in which each comes after what it comes after."""
    for order in itertools.permutations(range(project.size)):
        place = {one: number for number, one in enumerate(order)}
        if all(place[other] < place[one] for one in order for other in project.after[one]):
            yield order


def shortest(project: Project) -> int:
    """Return the least makespan: some list gives it by the serial scheme."""
    scheme = Scheme(project)
    return min(scheme.makespan(scheme.serial(order)) for order in orders(project))


def random_project(size: int, seed: int, *, kinds: int = 4, strength: float = 0.3) -> Project:
    """Make a project with about two predecessors an activity.

    Args:
        size: How many activities.
        seed: Of everything random.
        kinds: How many resources.
        strength: How much there is of each: 0 what the greediest activity asks for, 1 what all would ask for at once.
    """
    source = random.Random(seed)  # noqa: S311
    demands = [
        [source.choice((0, source.randint(1, 10))) for _ in range(kinds)] for _ in range(size)
    ]
    capacities = []
    for kind in range(kinds):
        most = max(every[kind] for every in demands)
        total = sum(every[kind] for every in demands) // max(1, size // 8)
        capacities.append(max(1, round(most + strength * max(0, total - most))))
    after = [
        sorted({source.randrange(max(0, one - 12), one) for _ in range(2)}) if one else []
        for one in range(size)
    ]
    durations = [source.randint(1, 10) for _ in range(size)]
    return Project(durations=durations, after=after, demands=demands, capacities=capacities)
