"""A search that somebody stops gives what it has."""

from __future__ import annotations

import threading
from datetime import timedelta

import numpy as np
import pytest

from drystone.l05_graph.arrays import Graph, graph_of_edges
from drystone.l05_graph.cut import feedback_arc_set
from drystone.l05_graph.limits import Effort, Limit, Progress
from drystone.l05_graph.moves import Search, untangle
from drystone.l05_graph.strong import strong_components

ENDLESS = timedelta(days=1)


def hard() -> Graph:
    """A tangle whose cheapest cut nobody proves in a minute."""
    chance = np.random.default_rng(5)
    source, target = chance.integers(0, 150, (2, 900))
    apart = source != target
    cost = chance.integers(1, 20, len(source))[apart]
    return graph_of_edges([f"v{n}" for n in range(150)], source[apart], target[apart], cost)


@pytest.mark.timeout(120)
def test_a_search_without_an_end_that_is_stopped_gives_a_cut_and_a_bound() -> None:
    graph, stop = hard(), threading.Event()

    def watch(progress: Progress) -> None:
        if progress.bound > 0:
            # Later, when the solver is at work, which hears of nothing.
            threading.Timer(0.3, stop.set).start()

    cut = feedback_arc_set(graph, time_limit=ENDLESS, on_progress=watch, stop=stop)

    kept = np.setdiff1d(np.arange(len(graph.source)), cut.edges)
    count, _ = strong_components(graph.size, graph.source[kept], graph.target[kept])
    assert count == graph.size
    assert 0 < cut.bound < cut.cost == graph.cost[cut.edges].sum()


def test_a_search_that_is_stopped_before_it_begins_gives_some_answer() -> None:
    graph, stop = hard(), threading.Event()
    stop.set()

    found = untangle(graph, search=Search(stop=stop))

    assert found.cost >= found.bound


def test_what_nobody_can_stop_is_left_to_itself() -> None:
    stop, begun, end = threading.Event(), threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return end.wait(60)

    def stop_it() -> None:
        begun.wait(60)
        stop.set()

    threading.Thread(target=stop_it).start()
    assert Limit(None, stop=stop).attend(work) is None
    end.set()


def test_what_is_attended_to_gives_its_result_or_its_error() -> None:
    def fail() -> None:
        raise ValueError("no")

    for stop in (None, threading.Event()):
        limit = Limit(ENDLESS, stop=stop)
        assert limit.attend(lambda: 3) == 3
        assert limit.part(0.5).attend(lambda: 4) == 4
        with pytest.raises(ValueError, match="no"):
            limit.attend(fail)


def test_a_stopped_limit_is_over() -> None:
    stop = threading.Event()
    limit = Limit(None, stop=stop).part(0.5)
    assert (limit.is_over, limit.left) == (False, float("inf"))
    stop.set()
    assert (limit.is_over, limit.left) == (True, 0.0)


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.2])
def test_a_search_that_is_limited_by_effort_is_the_same_everywhere(seconds: float) -> None:
    graph = hard()

    def found() -> tuple[list[int], float, float]:
        cut = feedback_arc_set(graph, time_limit=timedelta(seconds=seconds), clock=Effort())
        return cut.edges.tolist(), cut.cost, cut.bound

    first = found()
    assert found() == first
    assert 0 < first[2] < first[1]


def test_more_effort_finds_better_answers() -> None:
    graph = hard()
    costs, bounds = [], []
    for seconds in (0.0, 0.03, 0.3):
        cut = feedback_arc_set(graph, time_limit=timedelta(seconds=seconds), clock=Effort())
        costs.append(cut.cost)
        bounds.append(cut.bound)
    assert costs == sorted(costs, reverse=True)
    assert bounds == sorted(bounds)
    assert costs[0] > costs[-1]
    assert bounds[0] < bounds[-1]
