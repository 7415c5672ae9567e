from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given

from drystone.l05_graph.arrays import BITS, Graph, graph_of, graph_of_edges
from drystone.l05_graph.findings import Rule, Rules
from drystone.l05_graph.model import Group, Model
from drystone.l05_graph.recovery import recovery_order
from drystone.l05_graph.rules import check
from drystone.l05_graph.tangles import TangleKind, circle_in, tangles
from drystone.l05_graph.words import BEFORE_SERVING, Phase
from l05_graph.graphs import graphs
from l05_graph.recovering import model_of, models, need

DEPLOY, RUN = BITS[Phase.DEPLOY], BITS[Phase.RUN]


def recovered(graph: Graph) -> tuple[set[int], set[int]]:
    """Bring up what can be, step by step, as people would; returns what is in place and what serves."""
    placed: set[int] = set()
    serving: set[int] = set()
    hard = [e for e in range(len(graph.source)) if graph.hard[e]]
    before = graph.needed_at(*BEFORE_SERVING)
    running = graph.needed_at(Phase.RUN)
    while True:
        now_placed = {
            v
            for v in range(graph.size)
            if all(graph.target[e] in serving for e in hard if graph.source[e] == v and before[e])
        }
        # Whoever is in place is taken to serve, until something that it needs at run time does not: the greatest fixpoint.
        now_serving = set(now_placed)
        while lacking := {
            int(graph.source[e])
            for e in hard
            if running[e] and graph.source[e] in now_serving and graph.target[e] not in now_serving
        }:
            now_serving -= lacking
        if (now_placed, now_serving) == (placed, serving):
            return placed, serving
        placed, serving = now_placed, now_serving


@given(graphs())
def test_a_graph_without_a_deadlock_recovers_whole_and_no_member_of_one_ever_serves(
    graph: Graph,
) -> None:
    placed, serving = recovered(graph)
    deadlocks = [found for found in tangles(graph) if found.kind is TangleKind.DEADLOCK]
    members = {int(v) for found in deadlocks for v in found.members}
    assert not members & serving
    if not deadlocks:
        assert serving == set(range(graph.size))
    assert not {int(v) for found in deadlocks for v in found.stuck} & placed


@given(graphs())
def test_every_edge_of_a_tangle_leads_from_a_member_to_a_member(graph: Graph) -> None:
    for found in tangles(graph):
        members = set(found.members.tolist())
        assert {int(v) for e in found.edges for v in (graph.source[e], graph.target[e])} == members
        if found.kind is not TangleKind.SOFT:
            assert graph.hard[found.edges].all()


@given(graphs())
def test_hard_tangles_share_no_member(graph: Graph) -> None:
    hard = [found.members for found in tangles(graph) if found.kind is not TangleKind.SOFT]
    together = np.concatenate(hard) if hard else np.zeros(0)
    assert len(together) == len(set(together.tolist()))


def test_the_worst_kind_and_the_largest_come_first() -> None:
    ring = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 3), (5, 6), (6, 5), (7, 8), (8, 7)]
    source, target = zip(*ring, strict=True)
    at = [RUN] * 3 + [RUN, DEPLOY] + [RUN] * 2 + [RUN] * 2
    hard = [True] * 7 + [True, False]
    graph = graph_of_edges(list("abcdefghi"), source, target, hard=hard, at=at)
    found = [(t.kind, t.members.tolist(), t.stuck.tolist()) for t in tangles(graph)]
    assert found == [
        (TangleKind.DEADLOCK, [3, 4], [4]),
        (TangleKind.CO_START, [0, 1, 2], []),
        (TangleKind.CO_START, [5, 6], []),
        (TangleKind.SOFT, [7, 8], []),
    ]


def test_a_soft_tangle_around_a_hard_one_is_named_and_one_that_is_the_same_is_not() -> None:
    pairs = [(0, 1), (1, 0), (1, 0), (1, 2), (2, 1)]
    source, target = zip(*pairs, strict=True)
    hard = [True, True, False, False, True]
    graph = graph_of_edges(["a", "b", "c"], source, target, hard=hard)
    found = [(t.kind, t.members.tolist()) for t in tangles(graph)]
    assert found == [(TangleKind.CO_START, [0, 1]), (TangleKind.SOFT, [0, 1, 2])]
    same = graph.only(np.array([0, 1, 2]))
    assert [t.kind for t in tangles(same)] == [TangleKind.CO_START]


def test_an_empty_graph_has_no_tangle() -> None:
    assert tangles(graph_of_edges([], [], [])) == []
    assert tangles(graph_of_edges(["a"], [], [])) == []


@given(graphs())
def test_the_circle_of_a_tangle_leads_around_inside_it_and_shows_its_kind(graph: Graph) -> None:
    for found in tangles(graph):
        edges = circle_in(graph, found).tolist()
        assert set(edges) <= set(found.edges.tolist())
        starts = [int(graph.source[edge]) for edge in edges]
        assert [int(graph.target[edge]) for edge in edges] == starts[1:] + starts[:1]
        assert len(set(starts)) == len(starts)
        if found.kind is TangleKind.DEADLOCK:
            assert graph.needed_at(*BEFORE_SERVING)[edges].any()
        if found.kind is TangleKind.SOFT:
            assert not graph.hard[edges].all()


@given(models())
def test_somebody_is_in_a_deadlock_where_somebody_never_comes_up_alternatives_included(
    model: Model,
) -> None:
    found, order = tangles(graph_of(model)), recovery_order(model)
    names = [one.name for one in model.components]
    members = {
        kind: {frozenset(names[v] for v in one.members) for one in found if one.kind is kind}
        for kind in TangleKind
    }
    assert bool(members[TangleKind.DEADLOCK]) == bool(order.never)
    assert set().union(*members[TangleKind.DEADLOCK]) <= set(order.never)
    rules = [one.rule for one in check(model, Rules(), date(2026, 1, 1))]
    assert rules.count(Rule.DEADLOCK) == len(members[TangleKind.DEADLOCK])
    assert rules.count(Rule.CO_START) == len(members[TangleKind.CO_START])
    if not order.never:
        assert {frozenset(one.members) for one in order.together} == members[TangleKind.CO_START]


def test_an_alternative_that_can_do_without_lets_nobody_wait() -> None:
    lines = [
        need("shop", "cache", Phase.START, group="store"),
        need("shop", "disk", Phase.START, group="store"),
        need("cache", "shop", Phase.START),
    ]
    one = model_of(*lines, groups=[Group(component="shop", name="store", at_least=1)])
    assert [tangle.kind for tangle in tangles(graph_of(one))] == [TangleKind.SOFT]
    both = model_of(*lines, groups=[Group(component="shop", name="store", at_least=2)])
    assert [tangle.kind for tangle in tangles(graph_of(both))] == [TangleKind.DEADLOCK]
