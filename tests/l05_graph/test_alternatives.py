from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, product

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.arrays import Graph, graph_of
from drystone.l05_graph.model import Group, Model, Pillar
from drystone.l05_graph.moves import Allowed, Goal, Move, Search, break_glass, untangle
from drystone.l05_graph.recovery import recovery_order
from drystone.l05_graph.words import Phase, Risk
from l05_graph.recovering import model_of, models, need

START, RUN = Phase.START, Phase.RUN
REMOVE = Allowed(moves=frozenset({Move.REMOVE}))


def is_reached(model: Model, edges: tuple[int, ...], goal: Goal) -> bool:
    order = recovery_order(model, [model.dependencies[edge].key for edge in edges])
    return not order.never and (goal is Goal.NO_DEADLOCK or not order.together)


def cheapest(model: Model, graph: Graph, goal: Goal) -> float:
    """Try every set of dependencies to do without, the cheapest first."""
    every = [edge for edge in range(len(graph.source)) if graph.can_change[edge]]
    sets = [some for count in range(len(every) + 1) for some in combinations(every, count)]
    cost = {some: float(graph.cost[list(some)].sum()) for some in sets}
    found = (some for some in sorted(sets, key=cost.__getitem__) if is_reached(model, some, goal))
    return cost.get(next(found, (-1,)), np.inf)


@settings(deadline=None, max_examples=50)
@given(models(most=5, most_needs=9), st.randoms(use_true_random=False), st.sampled_from(Goal))
def test_nothing_cheaper_brings_everything_up_alternatives_included(
    model: Model, random: object, goal: Goal
) -> None:
    count = len(model.dependencies)
    costs = [random.randint(1, 9) for _ in range(count)]  # type: ignore[attr-defined]
    changes = [random.random() < 0.9 for _ in range(count)]  # type: ignore[attr-defined]
    graph = replace(
        graph_of(model), cost=np.array(costs, np.float64), can_change=np.array(changes, np.bool_)
    )
    wanted = cheapest(model, graph, goal)
    found = break_glass(graph) if goal is Goal.NO_DEADLOCK else untangle(graph, goal, REMOVE)
    edges = tuple(int(edge) for step in found.steps for edge in step.edges)
    if np.isinf(wanted):
        assert found.impossible
    else:
        assert is_reached(model, edges, goal)
        assert not found.impossible
        assert found.cost == found.bound == graph.cost[list(edges)].sum() == wanted


def store(*more: str, at_least: int = 1) -> Model:
    lines = [need("shop", one, START, RUN, group="store") for one in ("cache", "disk", *more)]
    back = [need(one, "shop", START, RUN) for one in ("cache", "disk")]
    group = Group(component="shop", name="store", at_least=at_least)
    return model_of(*lines, *back, groups=[group])


def test_one_free_alternative_is_enough() -> None:
    model = store()
    graph = replace(graph_of(model), cost=np.array([5.0, 6.0, 3.0, 4.0]))
    found = break_glass(graph)
    assert [(step.edges.tolist(), step.cost) for step in found.steps] == [([2], 3.0)]
    assert untangle(graph_of(store("safe"))).steps == ()
    assert break_glass(graph_of(store("safe", at_least=2))).cost == 4.0


def later(model: Model, edges: Collection[int]) -> Model:
    # Another risk, so that none of them becomes the same as one that is needed at run time alone.
    every = [
        msgspec.structs.replace(one, at=(RUN,), risk=Risk.DATA) if edge in edges else one
        for edge, one in enumerate(model.dependencies)
    ]
    return msgspec.structs.replace(model, dependencies=tuple(every))


@settings(deadline=None, max_examples=40)
@given(models(most=4, most_needs=6), st.randoms(use_true_random=False))
def test_nothing_cheaper_does_it_where_needs_may_become_later_ones(
    model: Model, random: object
) -> None:
    size = len(model.dependencies)
    costs = np.array([random.randint(2, 9) for _ in range(size)], np.float64)  # type: ignore[attr-defined]
    graph = replace(graph_of(model), cost=costs)
    moves = Allowed(moves=frozenset({Move.REMOVE, Move.LATER}), later=costs / 2)

    def parts(choice: tuple[int, ...]) -> tuple[tuple[int, ...], list[int]]:
        removed = tuple(edge for edge in range(size) if choice[edge] == 1)
        return removed, [edge for edge in range(size) if choice[edge] == 2]

    def price(choice: tuple[int, ...]) -> float:
        removed, relieved = parts(choice)
        return float(costs[list(removed)].sum() + costs[relieved].sum() / 2)

    def does_it(choice: tuple[int, ...]) -> bool:
        removed, relieved = parts(choice)
        return is_reached(later(model, relieved), removed, Goal.NO_DEADLOCK)

    can = [one.group is None and {START, RUN} <= set(one.at) for one in model.dependencies]
    choices = sorted(product(*[(0, 1, 2) if one else (0, 1) for one in can]), key=price)
    wanted = price(next(filter(does_it, choices)))
    found = untangle(graph, Goal.NO_DEADLOCK, moves)
    assert found.cost == found.bound == wanted
    of = {
        move: tuple(int(edge) for step in found.steps if step.move is move for edge in step.edges)
        for move in (Move.LATER, Move.REMOVE)
    }
    assert is_reached(later(model, of[Move.LATER]), of[Move.REMOVE], Goal.NO_DEADLOCK)


def test_a_pillar_frees_all_that_need_it() -> None:
    allowed = Allowed(
        moves=frozenset({Move.REMOVE, Move.PILLAR}), pillars={0: Pillar(cost=1.0, adoption=0.5)}
    )
    graph = graph_of(store(at_least=2))
    assert graph.names[0] == "shop"
    found = untangle(graph, Goal.NO_TANGLE, allowed)
    assert [(step.move, step.vertex, step.cost) for step in found.steps] == [(Move.PILLAR, 0, 2.0)]


def test_there_is_an_answer_that_does_it_at_any_limit() -> None:
    model = store(at_least=2)
    found = untangle(graph_of(model), allowed=REMOVE, search=Search(time_limit=timedelta()))
    edges = tuple(int(edge) for step in found.steps for edge in step.edges)
    assert is_reached(model, edges, Goal.NO_TANGLE)
    assert found.bound <= found.cost
