from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.arrays import BITS, Graph, graph_of_edges
from drystone.l05_graph.model import Pillar
from drystone.l05_graph.moves import Allowed, Goal, Move, untangle
from drystone.l05_graph.words import Phase
from l05_graph.graphs import graphs


def fits(graph: Graph, kept: list[int], pins: dict[int, int]) -> bool:
    """Raise everything as high as it must lie, and see whether it comes to rest with all layers as decided."""
    layer = [pins.get(vertex, 0) for vertex in range(graph.size)]
    most = graph.size + max(pins.values(), default=0)
    while True:
        changed = False
        for edge in kept:
            source, target = int(graph.source[edge]), int(graph.target[edge])
            if layer[source] <= layer[target]:
                layer[source], changed = layer[target] + 1, True
                if source in pins or layer[source] > most:
                    return False
        if not changed:
            return True


def cheapest(graph: Graph, pins: dict[int, int], prices: dict[int, float]) -> float:
    """Try all sets of edges to cut and of layers to move."""
    hard = np.nonzero(graph.hard)[0].tolist()
    best = float("inf")
    for moved in product((False, True), repeat=len(prices)):
        gone = [vertex for vertex, is_moved in zip(prices, moved, strict=True) if is_moved]
        price = sum(prices[vertex] for vertex in gone)
        held = {vertex: at for vertex, at in pins.items() if vertex not in gone}
        for cut in product((False, True), repeat=len(hard)):
            out = [edge for edge, is_cut in zip(hard, cut, strict=True) if is_cut]
            cost = price + float(graph.cost[out].sum())
            if cost < best and fits(graph, [edge for edge in hard if edge not in out], held):
                best = cost
    return best


@settings(max_examples=60, deadline=None)
@given(graphs(most=5, most_edges=7), st.data())
def test_cutting_and_moving_layers_together_cost_the_least_there_is(
    graph: Graph, data: st.DataObject
) -> None:
    vertices = st.integers(0, max(graph.size - 1, 0))
    pins = data.draw(st.dictionaries(vertices, st.integers(0, 3), max_size=3))
    pins = {vertex: at for vertex, at in pins.items() if vertex < graph.size}
    prices = {vertex: float(data.draw(st.integers(0, 6))) for vertex in list(pins)[:2]}
    allowed = Allowed(
        moves=frozenset({Move.REMOVE, Move.LAYER}), pins=pins or {}, move_layer=prices
    )
    found = untangle(graph, Goal.NO_TANGLE, allowed)
    assert found.is_proven
    assert found.cost == pytest.approx(cheapest(graph, pins, prices))
    removed = {edge for step in found.steps for edge in step.edges.tolist()}
    moved = {step.vertex: step.layer for step in found.steps if step.move is Move.LAYER}
    assert moved.keys() <= prices.keys()
    kept = [edge for edge in np.nonzero(graph.hard)[0].tolist() if edge not in removed]
    after = pins | {
        vertex: at for vertex, at in moved.items() if vertex is not None and at is not None
    }
    assert fits(graph, kept, after)


def chain(cost: float = 10.0, **more: object) -> Graph:
    """A needs b needs c."""
    columns = {name: np.array(value) for name, value in more.items()}
    return graph_of_edges(["a", "b", "c"], [0, 1], [1, 2], [cost, cost], **columns)


def test_a_layer_is_moved_where_that_is_cheapest() -> None:
    allowed = Allowed(pins={0: 1, 2: 0}, move_layer={0: 3.0, 2: 4.0})
    found = untangle(chain(soften=[9.0, 9.0]), allowed=allowed)
    (step,) = found.steps
    assert (step.move, step.vertex, step.layer, step.cost) == (Move.LAYER, 0, 2, 3.0)
    assert step.path == (0, 1)
    assert found.is_proven


def test_a_layer_stays_where_a_dependency_is_cheaper_or_moving_is_not_allowed() -> None:
    for allowed in (
        Allowed(pins={0: 1, 2: 0}, move_layer={0: 50.0}),
        Allowed(pins={0: 1, 2: 0}),
        Allowed(moves=frozenset({Move.REMOVE}), pins={0: 1, 2: 0}, move_layer={0: 3.0}),
    ):
        (step,) = untangle(chain(), allowed=allowed).steps
        assert step.move is not Move.LAYER
        assert step.cost == 10.0


def test_a_phase_or_a_fallback_answers_a_layer_as_well() -> None:
    early = BITS[Phase.DEPLOY] | BITS[Phase.RUN]
    graph = chain(at=[early, early])
    later = Allowed(pins={0: 1, 2: 0}, later=np.array([2.0, 7.0]))
    (step,) = untangle(graph, Goal.NO_DEADLOCK, later).steps
    assert (step.move, step.edges.tolist(), step.cost) == (Move.LATER, [0], 2.0)
    pillar = Allowed(pins={0: 1, 2: 0}, pillars={1: Pillar(cost=1, adoption=1)})
    (step,) = untangle(graph, Goal.NO_TANGLE, pillar).steps
    assert (step.move, step.vertex, step.cost) == (Move.PILLAR, 1, 2.0)


def test_layers_that_nobody_can_change_or_follow_are_told() -> None:
    graph = chain(can_change=[False, False])
    found = untangle(graph, allowed=Allowed(pins={0: 1, 2: 0}))
    assert (found.steps, found.cost) == ((), 0)
    (one,) = found.contradictions
    assert (one.vertex, one.needs, one.path.tolist()) == (0, 2, [0, 1])
    assert not untangle(graph, allowed=Allowed(pins={0: 1, 2: 0}, move_layer={0: 3})).contradictions
