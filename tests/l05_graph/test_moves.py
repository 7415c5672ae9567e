from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings

from drystone.l05_graph.arrays import BITS, Flags, Graph, graph_of_edges
from drystone.l05_graph.costs import SOFTEN_SHARE
from drystone.l05_graph.model import Pillar
from drystone.l05_graph.moves import LATER_SHARE, Allowed, Goal, Move, break_glass, untangle
from drystone.l05_graph.tangles import TangleKind, tangles
from drystone.l05_graph.words import BEFORE_SERVING, Phase
from drystone.testing.graphs.planted import planted
from l05_graph.graphs import graphs

DEPLOY, RUN = BITS[Phase.DEPLOY], BITS[Phase.RUN]


def is_reached(graph: Graph, goal: Goal) -> bool:
    kinds = {found.kind for found in tangles(graph)}
    unwanted = {TangleKind.DEADLOCK}
    if goal is Goal.NO_TANGLE:
        unwanted.add(TangleKind.CO_START)
    return not kinds & unwanted


def cheapest(graph: Graph, goal: Goal) -> float:
    """Try every set of hard edges to remove."""
    hard = np.nonzero(graph.hard)[0].tolist()
    best = float("inf")
    for count in range(len(hard) + 1):
        for some in combinations(hard, count):
            kept: Flags = np.ones(len(graph.source), np.bool_)
            kept[list(some)] = False
            cost = float(graph.cost[list(some)].sum())
            if cost < best and is_reached(graph.only(kept), goal):
                best = cost
    return best


def changed(graph: Graph, steps: tuple[object, ...]) -> Graph:
    kept, at = np.ones(len(graph.source), np.bool_), graph.at.copy()
    for step in steps:
        if step.move is Move.LATER:  # type: ignore[attr-defined]
            at[step.edges] = RUN  # type: ignore[attr-defined]
        else:
            kept[step.edges] = False  # type: ignore[attr-defined]
    return graph_of_edges(
        graph.names,
        graph.source[kept],
        graph.target[kept],
        graph.cost[kept],
        hard=graph.hard[kept],
        at=at[kept],
    )


@settings(max_examples=60, deadline=None)
@given(graphs(most=5, most_edges=9))
def test_removing_reaches_each_goal_at_the_least_cost(graph: Graph) -> None:
    for goal in Goal:
        found = untangle(graph, goal, Allowed(moves=frozenset({Move.REMOVE})))
        assert is_reached(changed(graph, found.steps), goal)
        assert found.cost == pytest.approx(cheapest(graph, goal))
        assert found.cost == pytest.approx(sum(step.cost for step in found.steps))
        assert found.is_proven
        assert not found.impossible


@settings(max_examples=60, deadline=None)
@given(graphs(most=6, most_edges=14))
def test_more_kinds_of_moves_never_cost_more_and_reach_the_goal_too(graph: Graph) -> None:
    for goal in Goal:
        few = untangle(graph, goal, Allowed(moves=frozenset({Move.REMOVE})))
        pillars = {vertex: Pillar(cost=3, adoption=1) for vertex in range(graph.size)}
        many = untangle(graph, goal, Allowed(pillars=pillars))
        assert many.cost <= few.cost + 1e-6
        assert many.is_proven
        assert many.cost == pytest.approx(sum(step.cost for step in many.steps))
        assert is_reached(changed(graph, many.steps), goal)


@settings(max_examples=60, deadline=None)
@given(graphs(most=7, most_edges=18))
def test_a_recovery_waives_no_more_than_an_untangling_cuts(graph: Graph) -> None:
    waived = break_glass(graph)
    assert is_reached(changed(graph, waived.steps), Goal.NO_DEADLOCK)
    assert waived.cost <= untangle(graph).cost + 1e-6


def test_two_that_deploy_each_other_are_parted_by_needing_one_at_run_time_only() -> None:
    graph = graph_of_edges(
        ["registry", "orchestrator"], [0, 1], [1, 0], [8, 8], at=[DEPLOY | RUN, RUN], soften=[5, 5]
    )
    found = untangle(graph, Goal.NO_DEADLOCK)
    assert [(step.move, step.edges.tolist()) for step in found.steps] == [(Move.LATER, [0])]
    assert found.cost == pytest.approx(5 * LATER_SHARE)
    none = untangle(graph, Goal.NO_TANGLE)
    assert [step.move for step in none.steps] == [Move.SOFTEN]


def test_a_deadlock_that_nobody_can_change_is_named_and_the_rest_is_resolved() -> None:
    pairs = [(0, 1), (1, 0), (2, 3), (3, 2)]
    source, target = zip(*pairs, strict=True)
    graph = graph_of_edges(
        list("abcd"), source, target, at=[DEPLOY] * 4, can_change=[False, False, True, True]
    )
    found = untangle(graph, Goal.NO_DEADLOCK, Allowed(moves=frozenset({Move.REMOVE})))
    assert [sorted(cycle.tolist()) for cycle in found.impossible] == [[0, 1]]
    assert found.cost == 1
    assert found.steps[0].edges[0] in (2, 3)


def test_what_is_waived_may_be_given_by_cost() -> None:
    graph = graph_of_edges(["a", "b"], [0, 1], [1, 0], [1, 9], at=[DEPLOY, DEPLOY])
    dear_first = break_glass(graph, np.array([np.inf, 2.0]))
    assert (dear_first.cost, dear_first.steps[0].edges.tolist()) == (2, [1])


def test_planted_pillars_are_found_exactly() -> None:
    case = planted(size=500, edges=5000, layers=30, circles=20, pillars=3, consumers=12)
    pillars = {vertex: Pillar(cost=20, adoption=1) for vertex in range(case.graph.size)}
    moves = frozenset({Move.REMOVE, Move.PILLAR})
    found = untangle(case.graph, Goal.NO_TANGLE, Allowed(moves=moves, pillars=pillars))
    made = [step for step in found.steps if step.move is Move.PILLAR]
    assert [step.vertex for step in made] == case.pillars.tolist()
    assert {len(step.edges) for step in made} == {12}
    assert found.cost == found.bound == case.cost - 3 * (12 * 6 - 20 - 12)


def test_softening_costs_less_than_removing_by_default() -> None:
    assert 0 < SOFTEN_SHARE * LATER_SHARE < SOFTEN_SHARE < 1
    assert Phase.RUN not in BEFORE_SERVING
