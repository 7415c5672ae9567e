from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.arcs import Arcs, merged, without_opposites
from drystone.l05_graph.arrays import Graph
from drystone.l05_graph.orders import cost_of
from drystone.l05_graph.shrinking import shrunk
from l05_graph.graphs import graphs


def cheapest(arcs: Arcs) -> float:
    return min(cost_of(arcs, np.array(order)) for order in permutations(range(arcs.size)))


def ring(size: int, dear: float = 3.0) -> Arcs:
    """A ring with one arc that is cheaper."""
    every = np.arange(size)
    cost = np.where(every == size // 2, 1.0, dear)
    return merged(size, every, (every + 1) % size, cost)[0]


@settings(max_examples=150, deadline=None)
@given(graphs(most=6), st.integers(0, 2**32))
def test_no_cut_becomes_cheaper_or_dearer(graph: Graph, seed: int) -> None:
    every, _ = merged(graph.size, graph.source, graph.target, graph.cost)
    arcs, _, _ = without_opposites(every)
    small = shrunk(arcs)
    assert cheapest(arcs) == pytest.approx(small.paid + cheapest(small.arcs))
    place = np.random.default_rng(seed).permutation(small.arcs.size)
    whole = small.expanded(place)
    assert sorted(whole.tolist()) == list(range(arcs.size))
    assert cost_of(arcs, whole) == pytest.approx(small.paid + cost_of(small.arcs, place))
    for circle in small.circles:
        assert arcs.target[circle].tolist() == np.roll(arcs.source[circle], -1).tolist()


@settings(max_examples=50, deadline=None)
@given(graphs(most=6))
def test_an_arc_that_is_left_stands_for_a_path(graph: Graph) -> None:
    every, _ = merged(graph.size, graph.source, graph.target, graph.cost)
    arcs, _, _ = without_opposites(every)
    small = shrunk(arcs)
    for arc, path in enumerate(small.paths):
        assert arcs.source[path[0]] == small.vertices[small.arcs.source[arc]]
        assert arcs.target[path[-1]] == small.vertices[small.arcs.target[arc]]
        assert arcs.target[path[:-1]].tolist() == arcs.source[path[1:]].tolist()


def test_a_ring_however_long_is_paid_for_at_once() -> None:
    small = shrunk(ring(20_000))
    assert (small.paid, small.arcs.size, len(small.circles)) == (1.0, 0, 1)
    assert len(small.circles[0]) == 20_000


def test_what_cannot_be_cut_is_not_paid_for() -> None:
    arcs = ring(5, dear=np.inf)
    small = shrunk(arcs)
    place = small.expanded(np.zeros(0, np.int64))
    assert small.paid == cost_of(arcs, place) == 1.0
