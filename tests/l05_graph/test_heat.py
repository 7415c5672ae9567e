from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.arrays import Graph, graph_of, graph_of_edges
from drystone.l05_graph.heat import (
    heat,
    single_edges,
    single_vertices,
    strong_articulation_points,
    strong_bridges,
)
from drystone.l05_graph.model import Model
from drystone.l05_graph.strong import strong_components
from drystone.l05_graph.tangles import TangleKind, tangles
from l05_graph import recovering
from l05_graph.graphs import graphs

Edges = tuple[int, np.ndarray, np.ndarray]


@st.composite
def strong_graphs(draw: st.DrawFn) -> Edges:
    """Draw a strongly connected graph: from 0 a way to each, from each a way to 0, and more."""
    size = draw(st.integers(2, 7))
    edges = draw(st.lists(st.tuples(*[st.integers(0, size - 1)] * 2), max_size=6))
    for vertex in range(1, size):
        below = st.integers(0, vertex - 1)
        edges += [(draw(below), vertex), (vertex, draw(below))]
    ends = np.array([(a, b) for a, b in edges if a != b])
    return size, ends[:, 0], ends[:, 1]


def is_strong(size: int, source: np.ndarray, target: np.ndarray) -> bool:
    return strong_components(size, source, target)[0] == 1


@given(strong_graphs())
def test_the_bridges_are_the_edges_without_which_it_falls_apart(edges: Edges) -> None:
    size, sources, targets = edges
    every = np.arange(len(sources))
    wanted = [
        edge
        for edge in every.tolist()
        if not is_strong(size, sources[every != edge], targets[every != edge])
    ]
    assert strong_bridges(size, sources.tolist(), targets.tolist()) == wanted


@given(strong_graphs())
def test_the_articulation_points_are_the_vertices_without_which_it_falls_apart(
    edges: Edges,
) -> None:
    size, sources, targets = edges
    wanted = []
    for vertex in range(size):
        keep = (sources != vertex) & (targets != vertex)
        source, target = sources[keep], targets[keep]
        source, target = source - (source > vertex), target - (target > vertex)
        if size > 2 and not is_strong(size - 1, source, target):
            wanted.append(vertex)
    assert strong_articulation_points(size, sources.tolist(), targets.tolist()) == wanted


@given(graphs())
def test_heat_lies_on_tangled_edges_alone_and_the_cut_is_hottest(graph: Graph) -> None:
    cut = np.arange(len(graph.source)) % 3 == 0
    found = heat(graph, cut)
    inside = np.zeros(len(graph.source), np.bool_)
    for tangle in tangles(graph):
        if tangle.kind is not TangleKind.SOFT:
            inside[tangle.edges] = True
    assert ((found.edges > 0) == inside).all()
    assert ((found.circles > 0) <= inside).all()
    assert ((found.edges > 0.5) == (inside & cut)).all()
    assert found.edges.max(initial=0) <= 1
    assert found.vertices.max(initial=0) in {0, 1}


@given(recovering.models())
def test_alternatives_that_are_spare_are_cold(model: Model) -> None:
    graph = graph_of(model)
    hot = np.nonzero(heat(graph).edges)[0].tolist()
    hard = [one for one in tangles(graph) if one.kind is not TangleKind.SOFT]
    assert hot == sorted(edge for tangle in hard for edge in tangle.edges.tolist())


def test_the_edge_on_most_circles_for_its_cost_is_the_hottest() -> None:
    # Three circles share the edge from a to b.
    ends = [("a", "b"), ("b", "c"), ("c", "a"), ("b", "d"), ("d", "a"), ("b", "e"), ("e", "a")]
    source, target = zip(*((ord(x) - 97, ord(y) - 97) for x, y in ends), strict=True)
    graph = graph_of_edges(list("abcde"), source, target)
    found = heat(graph)
    assert int(found.edges.argmax()) == 0
    # Each of the other six has its circle, which leads through the shared edge; that one has its own as well.
    assert found.circles[0] == 7
    (tangle,) = tangles(graph)
    best = single_edges(graph, tangle)[0]
    assert (best.number, best.left) == (0, 0)
    assert [one.number for one in single_vertices(graph, tangle)][:2] == [0, 1]


def test_a_graph_without_edges_is_cold() -> None:
    assert heat(graph_of_edges(["a"], [], [])).vertices.tolist() == [0.0]
