from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.arrays import Graph, graph_of_edges
from drystone.l05_graph.closures import Closure, Labels
from drystone.l05_graph.strong import strong_components
from l05_graph.graphs import graphs
from l05_graph.test_strong import reachable


@given(graphs(most=9, most_edges=16), st.integers(0, 3))
def test_both_say_who_needs_whom(graph: Graph, hubs: int) -> None:
    known = reachable(graph)
    bits, labels = Closure(graph), Labels(graph, hubs=hubs)
    for pair in product(range(graph.size), repeat=2):
        assert bits.needs(*pair) == (pair in known)
        assert labels.needs(*pair) == (pair in known)
    wanted = [sum(one == source for source, _ in known) for one in range(graph.size)]
    assert bits.counts().tolist() == wanted


@given(graphs(most=6), st.integers(0, 5), st.integers(0, 5))
def test_a_circle_is_closed_where_the_graph_with_the_edge_has_one(
    graph: Graph, source: int, target: int
) -> None:
    source, target = source % graph.size, target % graph.size
    sources, targets = graph.source[graph.hard], graph.target[graph.hard]
    _, of = strong_components(graph.size, np.append(sources, source), np.append(targets, target))
    assert Closure(graph, graph.hard).closes_circle(source, target) == (of[source] == of[target])
    assert Labels(graph, graph.hard).closes_circle(source, target) == (of[source] == of[target])


@pytest.mark.parametrize("hubs", [0, 64])
def test_both_agree_on_a_graph_that_is_larger_than_a_word(hubs: int) -> None:
    chance = np.random.default_rng(1)
    source, target = chance.integers(0, 700, (2, 1500))
    keep = (source > target) | (chance.random(1500) < 0.01) & (source != target)
    graph = graph_of_edges([str(n) for n in range(700)], source[keep], target[keep])
    bits, labels = Closure(graph), Labels(graph, hubs=hubs)
    pairs = chance.integers(0, 700, (5000, 2)).tolist()
    assert [bits.needs(*pair) for pair in pairs] == [labels.needs(*pair) for pair in pairs]
    assert any(bits.needs(*pair) for pair in pairs)
