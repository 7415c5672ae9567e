from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given

from drystone.l05_graph.arrays import Graph
from drystone.l05_graph.strong import closure, condensed, heights, spans
from l05_graph.graphs import graphs


def reachable(graph: Graph) -> set[tuple[int, int]]:
    """Find who reaches whom by adding edge to edge until nothing is new (the definition, slowly)."""
    edges = set(zip(graph.source.tolist(), graph.target.tolist(), strict=True))
    found = {(one, one) for one in range(graph.size)} | edges
    while True:
        more = {(a, d) for (a, b), (c, d) in product(found, edges) if b == c} - found
        if not more:
            return found
        found |= more


@given(graphs())
def test_two_components_are_one_where_each_reaches_the_other(graph: Graph) -> None:
    found = condensed(graph.size, graph.source, graph.target)
    reach = reachable(graph)
    for one, other in product(range(graph.size), repeat=2):
        assert (found.of[one] == found.of[other]) == ({(one, other), (other, one)} <= reach)


@given(graphs())
def test_the_closure_says_who_reaches_whom(graph: Graph) -> None:
    found = condensed(graph.size, graph.source, graph.target)
    rows = closure(found)
    reach = reachable(graph)
    for one, other in product(range(graph.size), repeat=2):
        row, column = int(found.of[one]), int(found.of[other])
        bit = int(rows[row, column >> 6]) >> (column & 63) & 1
        assert bool(bit) == ((one, other) in reach)


@given(graphs())
def test_everything_lies_right_above_the_highest_that_it_needs(graph: Graph) -> None:
    found = condensed(graph.size, graph.source, graph.target)
    height = heights(found.count, found.source, found.target)
    for one in range(found.count):
        below = height[found.target[found.source == one]]
        assert height[one] == (below.max() + 1 if len(below) else 0)


def test_a_long_chain_has_as_many_heights_as_links() -> None:
    chain = np.arange(5000)
    assert (heights(5000, chain[1:], chain[:-1]) == chain).all()


def test_a_cycle_has_no_heights() -> None:
    with pytest.raises(ValueError, match="cycle"):
        heights(3, np.array([0, 1, 2]), np.array([1, 0, 1]))


def test_ranges_follow_each_other() -> None:
    begins, ends = np.array([3, 7, 0]), np.array([5, 7, 2])
    assert spans(begins, ends).tolist() == [3, 4, 0, 1]
