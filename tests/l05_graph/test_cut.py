from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.arcs import grain
from drystone.l05_graph.arrays import Flags, Graph, graph_of_edges
from drystone.l05_graph.cut import Cut, feedback_arc_set
from drystone.l05_graph.limits import Progress
from drystone.l05_graph.strong import strong_components
from drystone.testing.graphs.planted import planted
from l05_graph.graphs import graphs


def cheapest(graph: Graph) -> float:
    """Try every order of the vertices."""
    best = float("inf")
    for order in permutations(range(graph.size)):
        place = np.array(order)
        up = graph.hard & (place[graph.source] < place[graph.target])
        best = min(best, float(graph.cost[up].sum()))
    return best


def on_cycles(graph: Graph, kept: Flags) -> Flags:
    _, of = strong_components(graph.size, graph.source[kept], graph.target[kept])
    found: Flags = kept & (of[graph.source] == of[graph.target])
    return found


def without(graph: Graph, cut: Cut) -> Flags:
    kept = graph.hard.copy()
    kept[cut.edges] = False
    return kept


def random_graph(size: int, count: int, seed: int) -> Graph:
    chance = np.random.default_rng(seed)
    pairs = chance.choice(size * size, 2 * count, replace=False)
    pairs = pairs[pairs // size != pairs % size][:count]
    names = [str(number) for number in range(size)]
    return graph_of_edges(names, pairs // size, pairs % size, chance.integers(1, 11, len(pairs)))


@settings(max_examples=150, deadline=None)
@given(graphs(most=6))
def test_the_cut_is_as_cheap_as_the_best_of_all_orders(graph: Graph) -> None:
    cut = feedback_arc_set(graph)
    assert not on_cycles(graph, without(graph, cut)).any()
    assert cut.cost == pytest.approx(graph.cost[cut.edges].sum())
    assert cut.cost == pytest.approx(cheapest(graph))
    assert cut.is_proven
    kept = np.nonzero(without(graph, cut))[0]
    assert np.all(cut.place[graph.target[kept]] < cut.place[graph.source[kept]])


@settings(max_examples=60, deadline=None)
@given(graphs(most=6, most_edges=14), st.data())
def test_what_cannot_be_changed_is_not_cut_and_a_cycle_of_nothing_else_is_named(
    graph: Graph, data: st.DataObject
) -> None:
    count = len(graph.source)
    can = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    held = set(zip(graph.source[~can].tolist(), graph.target[~can].tolist(), strict=True))
    beside = [
        pair in held for pair in zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    ]
    fixed = graph_of_edges(
        graph.names, graph.source, graph.target, graph.cost, hard=graph.hard, can_change=can
    )
    cut = feedback_arc_set(fixed)
    assert can[cut.edges].all()
    left = on_cycles(fixed, without(fixed, cut))
    assert not (left & ~np.array(beside, np.bool_)).any()
    assert bool(cut.impossible) == bool(on_cycles(fixed, fixed.hard & ~can).any())
    for cycle in cut.impossible:
        assert sorted(fixed.source[cycle]) == sorted(fixed.target[cycle])
        assert not can[cycle].any()
    assert cut.is_proven


@pytest.mark.parametrize(("circles", "cheapest", "dearest"), [(60, 1, 4), (100, 5, 20)])
def test_planted_edges_are_found_and_proven(circles: int, cheapest: int, dearest: int) -> None:
    case = planted(
        size=600, edges=8000, layers=30, circles=circles, cheapest=cheapest, dearest=dearest
    )
    cut = feedback_arc_set(case.graph)
    assert (cut.cost, cut.bound) == (case.cost, case.cost)


@pytest.mark.slow
@pytest.mark.parametrize("circles", [60, 200, 500])
@pytest.mark.parametrize(("cheapest", "dearest"), [(1, 4), (5, 20)])
def test_planted_edges_of_a_large_graph_are_found_and_proven(
    circles: int, cheapest: int, dearest: int
) -> None:
    case = planted(circles=circles, cheapest=cheapest, dearest=dearest)
    cut = feedback_arc_set(case.graph)
    assert (cut.cost, cut.bound) == (case.cost, case.cost)


def test_equal_graphs_and_seeds_give_equal_cuts() -> None:
    graph = random_graph(40, 150, seed=3)
    first, second = feedback_arc_set(graph, seed=7), feedback_arc_set(graph, seed=7)
    assert first.edges.tolist() == second.edges.tolist()
    assert (first.cost, first.bound) == (second.cost, second.bound)


def test_every_bound_on_the_way_lies_below_every_cost() -> None:
    seen: list[Progress] = []
    cut = feedback_arc_set(random_graph(40, 160, seed=5), on_progress=seen.append)
    assert cut.is_proven
    assert seen
    assert max(one.bound for one in seen if one.doing) <= cut.cost


def test_no_time_at_all_still_gives_a_cut_and_a_bound() -> None:
    graph = random_graph(300, 1500, seed=2)
    cut = feedback_arc_set(graph, time_limit=timedelta())
    assert not on_cycles(graph, without(graph, cut)).any()
    assert 0 <= cut.bound <= cut.cost
    assert 0 <= cut.gap <= 1


def test_current_layers_are_where_the_search_begins() -> None:
    case = planted(size=300, edges=3000, layers=20, circles=40)
    cut = feedback_arc_set(case.graph, layers=case.layer, time_limit=timedelta())
    assert cut.cost == case.cost


def test_the_witnesses_are_cycles_that_no_cheaper_cut_could_meet() -> None:
    ring = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)]
    source, target = zip(*ring, strict=True)
    graph = graph_of_edges(list("abcdef"), source, target, [3, 2, 4, 1, 5, 5])
    cut = feedback_arc_set(graph)
    assert (cut.cost, cut.edges.tolist()) == (3, [1, 3])
    assert sorted(sorted(cycle.tolist()) for cycle in cut.witnesses) == [[0, 1, 2], [3, 4, 5]]


def test_a_graph_without_edges_or_vertices_needs_no_cut() -> None:
    for graph in (graph_of_edges([], [], []), graph_of_edges(["a"], [], [])):
        cut = feedback_arc_set(graph)
        assert (cut.cost, cut.bound, cut.edges.tolist()) == (0, 0, [])


def test_costs_have_a_grain() -> None:
    assert grain(np.array([2.0, 4.0, np.inf])) == 2
    assert grain(np.array([0.5, 0.75])) == 0.25
    assert grain(np.array([0.1, 0.3])) == pytest.approx(0.1)
    assert grain(np.array([np.pi])) == 0


def test_the_three_services_of_a_ticket_shop_that_call_each_other_need_two_cuts() -> None:
    calls = [("seat", "travel"), ("travel", "seat"), ("seat", "travel2"), ("travel2", "seat")]
    names = ["seat", "travel", "travel2"]
    source, target = zip(
        *((names.index(one), names.index(other)) for one, other in calls), strict=True
    )
    cut = feedback_arc_set(graph_of_edges(names, source, target))
    assert (cut.cost, cut.bound, len(cut.edges)) == (2, 2, 2)
