from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.arrays import Flags, Graph, graph_of, graph_of_edges
from drystone.l05_graph.layers import assign_layers
from drystone.l05_graph.model import Group
from drystone.l05_graph.moves import Search
from drystone.testing.graphs.planted import planted
from l05_graph import recovering
from l05_graph.graphs import graphs


def fits(graph: Graph, kept: Flags, pins: dict[int, int]) -> bool:
    """Raise what lies too low until nothing does, and see whether a decided one had to."""
    layer = [0] * graph.size
    for vertex, decided in pins.items():
        layer[vertex] = decided
    for _ in range(graph.size + 1):
        low = [
            (int(source), layer[target] + 1)
            for source, target in zip(graph.source[kept], graph.target[kept], strict=True)
            if layer[source] <= layer[target]
        ]
        if not low:
            return True
        for source, height in low:
            if source in pins:
                return False
            layer[source] = max(layer[source], height)
    return False


def cheapest(graph: Graph, pins: dict[int, int]) -> float:
    hard = np.nonzero(graph.hard)[0].tolist()
    best = float("inf")
    for count in range(len(hard) + 1):
        for some in combinations(hard, count):
            cost = float(graph.cost[list(some)].sum())
            kept = graph.hard.copy()
            kept[list(some)] = False
            if cost < best and fits(graph, kept, pins):
                best = cost
    return best


@settings(max_examples=80, deadline=None)
@given(graphs(most=5, most_edges=9), st.dictionaries(st.integers(0, 4), st.integers(0, 3)))
def test_layers_follow_every_decision_at_the_least_cost(
    graph: Graph, wanted: dict[int, int]
) -> None:
    pins = {vertex: layer for vertex, layer in wanted.items() if vertex < graph.size}
    found = assign_layers(graph, pins)
    assert {vertex: int(found.layer[vertex]) for vertex in pins} == pins
    kept = graph.hard.copy()
    kept[found.violations] = False
    assert np.all(found.layer[graph.target[kept]] < found.layer[graph.source[kept]])
    assert found.cost == pytest.approx(graph.cost[found.violations].sum())
    assert found.cost == pytest.approx(cheapest(graph, pins))
    assert found.is_proven


@settings(max_examples=60, deadline=None)
@given(
    graphs(most=6, most_edges=12), st.dictionaries(st.integers(0, 5), st.integers(0, 3)), st.data()
)
def test_what_cannot_be_changed_holds_and_decisions_against_it_are_named(
    graph: Graph, wanted: dict[int, int], data: st.DataObject
) -> None:
    pins = {vertex: layer for vertex, layer in wanted.items() if vertex < graph.size}
    count = len(graph.source)
    can = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    fixed = graph_of_edges(
        graph.names, graph.source, graph.target, graph.cost, hard=graph.hard, can_change=can
    )
    found = assign_layers(fixed, pins)
    assert can[found.violations].all()
    assert found.is_proven
    for one in found.contradictions:
        assert pins[one.vertex] < one.needs
        assert not can[one.path].any()
        assert fixed.source[one.path[0]] == one.vertex
    given_up = {one.vertex for one in found.contradictions}
    held = {vertex: layer for vertex, layer in pins.items() if vertex not in given_up}
    assert {vertex: int(found.layer[vertex]) for vertex in held} == held


def test_a_decision_is_given_up_where_that_is_cheaper() -> None:
    graph = graph_of_edges(["dns", "hosting"], [0], [1], [8])
    pins = {0: 4, 1: 17}
    assert assign_layers(graph, pins).cost == 8
    moved = assign_layers(graph, pins, {1: 3})
    assert (moved.cost, moved.moved.tolist(), moved.violations.tolist()) == (3, [1], [])
    assert moved.layer[1] < moved.layer[0] == 4


def test_contradictory_decisions_come_with_the_path_between_them() -> None:
    graph = graph_of_edges(["a", "b", "c"], [0, 1], [1, 2], can_change=[False, False])
    found = assign_layers(graph, {0: 3, 2: 2})
    (one,) = found.contradictions
    assert (one.vertex, one.needs, one.path.tolist()) == (0, 4, [0, 1])
    assert found.layer.tolist() == [4, 3, 2]


def test_a_negative_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        assign_layers(graph_of_edges(["a"], [], []), {0: -2})


@pytest.mark.parametrize(("share", "noise"), [(0.0, 0), (0.1, 0), (1.0, 0), (0.1, 1), (0.3, 1)])
def test_planted_layers_are_proven_under_right_and_wrong_decisions(
    share: float, noise: int
) -> None:
    case = planted(size=400, edges=4000, layers=20, circles=30)
    chance = np.random.default_rng(3)
    some = np.nonzero(chance.random(400) < share)[0]
    layer = np.maximum(case.layer[some] + chance.integers(-noise, noise + 1, len(some)), 0)
    found = assign_layers(case.graph, dict(zip(some.tolist(), layer.tolist(), strict=True)))
    assert found.is_proven
    assert noise or found.violations.tolist() == case.planted.tolist()
    assert found.cost >= case.cost


def test_equal_input_gives_equal_layers() -> None:
    case = planted(size=200, edges=1500, layers=12, circles=20)
    pins = {vertex: int(case.layer[vertex]) // 2 for vertex in range(0, 200, 7)}
    first, second = (assign_layers(case.graph, pins, search=Search(seed=3)) for _ in range(2))
    assert first.violations.tolist() == second.violations.tolist()
    assert first.layer.tolist() == second.layer.tolist()


def taken(graph: Graph, out: frozenset[int]) -> Iterator[Flags]:
    """Take the alternatives that are left in every way, without some edges."""
    assert graph.group is not None
    alone = graph.hard & (graph.group < 0)
    alone[list(out)] = False
    ways = []
    for group, at_least in enumerate(graph.at_least.tolist()):
        members = np.nonzero(graph.group == group)[0].tolist()
        if graph.hard[members].any():
            left = [edge for edge in members if edge not in out]
            ways.append(combinations(left, max(0, at_least - len(members) + len(left))))
    for picks in product(*ways):
        kept = alone.copy()
        kept[[edge for pick in picks for edge in pick]] = True
        yield kept


def with_groups(chance: Random) -> tuple[Graph, dict[int, int]]:
    """Draw a graph in which most needs are alternatives, and some decided layers."""
    size = chance.randint(3, 4)
    pairs = [(u, v) for u in range(size) for v in range(size) if u != v and chance.random() < 0.7]
    source, target = np.array(pairs or [(0, 1)]).T
    cost = [chance.randint(1, 9) for _ in source]
    is_in = np.array([chance.random() < 0.8 for _ in source])
    members = [int((is_in & (source == vertex)).sum()) for vertex in range(size)]
    graph = replace(
        graph_of_edges([f"c{number}" for number in range(size)], source, target, cost),
        group=np.where(is_in, source, -1),
        at_least=np.array([chance.randint(1, max(1, count)) for count in members]),
    )
    pins = {v: chance.randint(0, 3) for v in range(size) if chance.random() < 0.5}
    return graph, pins


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_layers_cost_the_least_however_alternatives_are_taken(seed: int) -> None:
    graph, pins = with_groups(Random(seed))  # noqa: S311 - not a secret
    count = len(graph.source)
    found = assign_layers(graph, pins)
    sets = (frozenset(some) for n in range(count + 1) for some in combinations(range(count), n))
    costs = [
        float(graph.cost[list(out)].sum())
        for out in sets
        if any(fits(graph, kept, pins) for kept in taken(graph, out))
    ]
    assert found.cost == found.bound == min(costs)
    assert found.cost == graph.cost[found.violations].sum()
    assert {vertex: int(found.layer[vertex]) for vertex in pins} == pins
    below = found.layer[graph.target] < found.layer[graph.source]
    assert any(below[kept].all() for kept in taken(graph, frozenset(found.violations.tolist())))


def test_an_alternative_above_violates_nothing_while_enough_others_lie_below() -> None:
    lines = [recovering.need("shop", one, group="store") for one in ("high", "low")]
    group = Group(component="shop", name="store")
    one = graph_of(recovering.model_of(*lines, groups=[group]))
    pins = {one.number("shop"): 2, one.number("high"): 5, one.number("low"): 1}
    assert assign_layers(one, pins).violations.tolist() == []
    both = graph_of(
        recovering.model_of(*lines, groups=[Group(component="shop", name="store", at_least=2)])
    )
    assert assign_layers(both, pins).violations.tolist() == [0]
    fixed = replace(both, can_change=np.zeros(2, np.bool_))
    (told,) = assign_layers(fixed, pins).contradictions
    assert (told.vertex, told.needs, told.path.tolist()) == (one.number("shop"), 6, [0])


def test_a_layer_that_is_given_up_does_not_excuse_what_lies_below_it() -> None:
    graph = graph_of_edges(["a", "b", "c"], [0, 1], [1, 2], [10.0, 20.0])
    layers = assign_layers(graph, {0: 1, 1: 5}, giving_up={1: 1.0})
    assert (layers.violations.tolist(), layers.moved.tolist(), layers.cost) == ([0], [], 10.0)
    assert layers.is_proven
