from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.limits import Progress
from drystone.l05_graph.project import Project, ProjectInvalid, check, mistake_of
from drystone.l05_graph.schedule import schedule
from drystone.l05_graph.schedule_bounds import Bounder
from drystone.l05_graph.schedule_generation import Justifier, Scheme
from l05_graph.projects import orders, projects, random_project, shortest

LONG = timedelta(minutes=5)


def plain_serial(project: Project, order: tuple[int, ...]) -> list[int]:
    """Start each activity at the first moment at which nothing speaks against it."""
    starts: dict[int, int] = {}

    def fits(one: int, moment: int) -> bool:
        lasts = project.durations[one]
        if any(moment < starts[n] + project.durations[n] for n in project.after[one]):
            return False
        for now in range(moment, moment + lasts):
            going = [n for n in starts if starts[n] <= now < starts[n] + project.durations[n]]
            for kind, capacity in enumerate(project.capacities):
                if sum(project.demands[n][kind] for n in (*going, one)) > capacity:
                    return False
        return True

    for one in order:
        starts[one] = next(moment for moment in itertools.count() if fits(one, moment))
    return [starts[one] for one in range(project.size)]


@given(projects(), st.data())
def test_the_serial_scheme_starts_everything_as_early_as_it_can(
    project: Project, data: st.DataObject
) -> None:
    order = data.draw(st.sampled_from(list(itertools.islice(orders(project), 50))))
    assert Scheme(project).serial(order) == plain_serial(project, order)


@given(projects(), st.lists(st.integers(0, 9), min_size=6, max_size=6))
def test_both_schemes_and_the_justified_schedules_are_feasible(
    project: Project, urgency: list[int]
) -> None:
    scheme, justifier = Scheme(project), Justifier(project)
    for starts in (scheme.parallel(urgency), scheme.serial(next(orders(project)))):
        assert mistake_of(project, starts) is None
        better = justifier.improved(starts)
        assert mistake_of(project, better) is None
        assert scheme.makespan(better) <= scheme.makespan(starts)
        again = scheme.serial(justifier.order_of(better))
        assert all(now <= then for now, then in zip(again, better, strict=True))


@settings(max_examples=60, deadline=None)
@given(projects(), st.integers(0, 3))
def test_a_small_project_is_scheduled_as_short_as_can_be(project: Project, seed: int) -> None:
    best = shortest(project)
    found = schedule(project, LONG, seed, most_schedules=400)
    assert mistake_of(project, found.starts) is None
    assert found.makespan == best
    assert found.lower_bound <= best


@settings(max_examples=60, deadline=None)
@given(projects())
def test_no_bound_lies_above_the_shortest_schedule(project: Project) -> None:
    best, bounder = shortest(project), Bounder(project)
    bounds = bounder.bounds()
    assert bounds.best <= best
    assert bounder.refuted_up_to(bounds.best, best + 3, lambda: True) <= best
    assert not bounder.is_refuted(best)


def test_activities_that_can_not_go_on_together_bound_the_end() -> None:
    """Each pair asks for more than there is of some resource, though none alone does for long."""
    demands = [[3, 3, 0], [3, 0, 3], [0, 3, 3]]
    project = Project(durations=[4] * 3, after=[[]] * 3, demands=demands, capacities=[5] * 3)
    bounds = Bounder(project).bounds()
    assert (bounds.critical_path, bounds.energy, bounds.disjunctive) == (4, 5, 12)
    assert schedule(project, LONG).is_optimal


def test_windows_that_leave_no_room_raise_the_bound() -> None:
    """Two pairs, one after the other, of which each member takes one machine alone."""
    project = Project(
        durations=[3, 3, 5, 5],
        after=[[], [], [0], [1]],
        demands=[[2, 0], [2, 0], [0, 2], [0, 2]],
        capacities=[3, 3],
    )
    assert schedule(project, LONG).lower_bound == shortest(project) == 13


def test_equal_seeds_give_equal_schedules_and_the_bound_and_the_best_never_cross() -> None:
    project = random_project(40, seed=5, strength=0.1)
    told: list[Progress] = []
    first = schedule(project, LONG, seed=3, most_schedules=1500, on_progress=told.append)
    assert schedule(project, LONG, seed=3, most_schedules=1500) == first
    assert mistake_of(project, first.starts) is None
    assert all(one.bound <= one.cost for one in told)
    for earlier, later in itertools.pairwise(told):
        assert later.cost <= earlier.cost
        assert later.bound >= earlier.bound
    assert first.makespan == told[-1].cost < told[0].cost


@pytest.mark.parametrize("limit", [timedelta(), timedelta(milliseconds=1)])
def test_there_is_a_feasible_answer_at_any_limit(limit: timedelta) -> None:
    project = random_project(300, seed=1)
    found = schedule(project, limit)
    assert mistake_of(project, found.starts) is None
    assert found.lower_bound <= found.makespan


def test_the_limit_is_meant_in_the_time_of_the_clock() -> None:
    ticks = itertools.count()
    project = random_project(40, seed=5, strength=0.1)
    found = schedule(project, timedelta(seconds=60), clock=lambda: float(next(ticks)))
    assert found.schedules <= 3 * 60


def test_a_project_without_activities_ends_at_once() -> None:
    nothing = Project(durations=[], after=[], demands=[], capacities=[])
    assert schedule(nothing, LONG).makespan == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"durations": [1, -1]}, "activity 1 takes -1"),
        ({"after": [[1], [0]]}, r"come after each other: \[0, 1\]"),
        ({"after": [[0], []]}, r"come after each other: \[0\]"),
        ({"after": [[7], []]}, "activity 0 comes after 7, which is not there"),
        ({"demands": [[1], [9]]}, "activity 1 asks for 9 of resource 0, of which there is 2"),
        ({"demands": [[1], []]}, "activity 1 asks for other than 1 resources"),
        ({"demands": [[1]]}, "different lengths"),
    ],
)
def test_a_project_without_a_schedule_is_refused(change: dict[str, object], message: str) -> None:
    parts = {"durations": [1, 1], "after": [[], [0]], "demands": [[1], [1]], "capacities": [2]}
    with pytest.raises(ProjectInvalid, match=message):
        check(Project(**{**parts, **change}))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_longer_searches_are_never_worse(seed: int) -> None:
    project = random_project(120, seed=seed, strength=0.1)
    short = schedule(project, LONG, seed, most_schedules=500)
    assert schedule(project, LONG, seed, most_schedules=5_000).makespan <= short.makespan
