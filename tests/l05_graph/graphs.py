"""Graphs and models that tests are made with."""

from __future__ import annotations

from hypothesis import strategies as st

from drystone.l05_graph.arrays import ANY_PHASE, Graph, graph_of_edges


@st.composite
def graphs(draw: st.DrawFn, *, most: int = 8, most_edges: int = 20) -> Graph:
    """Draw a small graph, often with tangles of every kind."""
    size = draw(st.integers(1, most))
    vertex = st.integers(0, size - 1)
    edge = st.tuples(vertex, vertex, st.booleans(), st.integers(1, ANY_PHASE), st.integers(0, 9))
    edges = [one for one in draw(st.lists(edge, max_size=most_edges)) if one[0] != one[1]]
    source, target, hard, at, cost = zip(*edges, strict=True) if edges else ((),) * 5
    return graph_of_edges(
        [f"c{number}" for number in range(size)], source, target, cost, hard=hard, at=at
    )
