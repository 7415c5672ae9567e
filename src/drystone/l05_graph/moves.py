"""Untangle a model: the cheapest moves after which no tangle, or no deadlock, is left.

Edges are removed, made soft, or needed no longer before serving but at run time only; or a *pillar* is made: a low fallback
that those who need a component take in its place, dear once and cheap for each. The choice among them is exact
(:mod:`~drystone.l05_graph.covering`) and comes with a lower bound.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from drystone.l05_graph.arcs import Arcs, merged
from drystone.l05_graph.arrays import BITS, Costs, Flags, Graph, Numbers
from drystone.l05_graph.covering import Answer, Prover
from drystone.l05_graph.cut import representatives
from drystone.l05_graph.limits import Limit, OnProgress, say_nothing
from drystone.l05_graph.loosening import Lines, Loosening
from drystone.l05_graph.model import Model
from drystone.l05_graph.pinned import FREE
from drystone.l05_graph.relayering import Relayering
from drystone.l05_graph.resolved import as_groups, crosses, resolved
from drystone.l05_graph.resolving import Options, Resolving
from drystone.l05_graph.steps import Allowed, Goal, Move, Step, Untangling
from drystone.l05_graph.strong import strong_components
from drystone.l05_graph.words import BEFORE_SERVING, Phase

__all__ = [
    "DEFAULT_SEARCH",
    "Allowed",
    "Goal",
    "Move",
    "Search",
    "Step",
    "Untangling",
    "break_glass",
    "untangle",
    "waive_costs",
]

LATER_SHARE = 0.8
"""To need something at run time only costs so much of making the need soft."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """How to search.

    Attributes:
        time_limit: An answer and a bound are returned after it; without one the search ends with the proof.
        seed: Of the search.
        on_progress: Told the cost and the bound.
        clock: Returns seconds.
        stop: Ends the search with the best answer so far when somebody sets it.
    """

    time_limit: timedelta | None = None
    seed: int = 0
    on_progress: OnProgress = say_nothing
    clock: Callable[[], float] = time.monotonic
    stop: threading.Event | None = None

    def begin(self) -> Limit:
        """Return the time limit, which begins now."""
        return Limit(self.time_limit, self.clock, self.stop)


DEFAULT_SEARCH = Search()


def untangle(
    graph: Graph,
    goal: Goal = Goal.NO_TANGLE,
    allowed: Allowed | None = None,
    search: Search = DEFAULT_SEARCH,
) -> Untangling:
    """Find the cheapest moves that reach the goal.

    To change one of several alternatives is to take it out of its group, which then needs one fewer. Removing and making
    soft can be done to each; alternatives are needed later together or not at all. Where decided layers are to be kept, of
    alternatives those count that are counted on now.

    Args:
        graph: Its soft edges are not looked at; those that cannot be changed are never touched.
        goal: What must not be left.
        allowed: Which moves may be made; removing, softening and needing later when None.
        search: How to search.
    """
    if allowed and allowed.pins:
        return _under_layers(resolved(graph), goal, allowed, search)
    if crosses(graph):
        return _with_alternatives(graph, goal, allowed or Allowed(), search)
    edges = _Edges(graph, goal, allowed or Allowed())
    puzzle = Resolving(edges.options, search.seed)
    return _answered(edges, puzzle, Prover(puzzle, search.begin(), search.on_progress).prove())


def _answered(
    edges: _Edges, puzzle: Resolving, answer: Answer, layers: Iterable[Step] = ()
) -> Untangling:
    """Say what was chosen in words of the graph; which layers are moved is told before."""
    cut, adopt, relieve, pillar = puzzle.parts(answer.chosen.astype(np.float64))
    steps = (*edges.by_pillar(pillar > 0, adopt > 0), *edges.singly(cut > 0, relieve > 0))
    return Untangling(
        steps=(*layers, *steps),
        cost=answer.cost,
        bound=answer.bound,
        witnesses=tuple(edges.first(puzzle.cycle_of(row)) for row in answer.demands),
        impossible=tuple(edges.first(cycle) for cycle in puzzle.impossible),
    )


def _under_layers(graph: Graph, goal: Goal, allowed: Allowed, search: Search) -> Untangling:
    edges = _Edges(graph, goal, allowed)
    pin, price = np.full(graph.size, FREE), np.full(graph.size, np.inf)
    pin[list(allowed.pins)] = list(allowed.pins.values())
    if Move.LAYER in allowed.moves:
        price[list(allowed.move_layer)] = list(allowed.move_layer.values())
    puzzle = Relayering(edges.options, pin, price, search.seed)
    answer = Prover(puzzle, search.begin(), search.on_progress).prove()
    choices = answer.chosen.astype(np.float64)
    layers, _ = puzzle.late(choices)
    moved = np.nonzero(puzzle.moved(choices))[0].tolist()
    for vertex in moved:
        choices[-graph.size + vertex] = 0.0
    why: dict[int, list[int]] = {}
    for one in puzzle.late(choices)[1]:
        for end in one.ends:
            why.setdefault(end, one.path)
    steps = [
        Step(
            move=Move.LAYER,
            edges=np.zeros(0, np.int64),
            vertex=vertex,
            cost=float(price[vertex]),
            layer=int(layers[vertex]),
            path=tuple(edges.first(np.array(why.get(vertex, ()), np.int64)).tolist()),
        )
        for vertex in moved
    ]
    return replace(
        _answered(edges, puzzle, answer, steps),
        contradictions=tuple(
            replace(one, path=edges.first(one.path)) for one in puzzle.contradictions
        ),
    )


def _with_alternatives(graph: Graph, goal: Goal, allowed: Allowed, search: Search) -> Untangling:
    edges = _Alternatives(graph, goal, allowed)
    puzzle = Loosening(edges.lines, search.seed)
    limit = search.begin()
    answer = Prover(puzzle, limit, search.on_progress).prove()
    return Untangling(
        steps=tuple(edges.steps(*puzzle.parts(answer.chosen))),
        cost=answer.cost,
        bound=answer.bound,
        witnesses=tuple(edges.edges[puzzle.cycle_of(row)] for row in answer.demands),
        impossible=tuple(edges.edges[loop] for loop in puzzle.impossible),
    )


def break_glass(
    graph: Graph, costs: Costs | None = None, search: Search = DEFAULT_SEARCH
) -> Untangling:
    """Find the cheapest dependencies to do without while everything is brought back.

    What is left has no deadlock: no cycle of hard edges has one that is needed before serving. Groups that start together
    may stay, and may have to be broken as well, so that they are not taken together first.

    Args:
        graph: Its soft edges are not looked at.
        costs: What each edge costs to do without, infinite where that cannot be; what removing it costs when None.
        search: How to search.

    Returns:
        The dependencies, as removals.
    """
    if costs is None:
        costs = np.where(graph.can_change, graph.cost, np.inf)
    can = np.isfinite(costs)
    waived = replace(graph, cost=np.where(can, costs, 0.0), can_change=can)
    return untangle(waived, Goal.NO_DEADLOCK, Allowed(moves=frozenset({Move.REMOVE})), search)


def waive_costs(model: Model, graph: Graph) -> Costs:
    """Return what it costs to bring each component up without a dependency: what its break-glass says, or else removing it."""
    costs = np.where(graph.can_change, graph.cost, np.inf)
    for number, one in enumerate(model.dependencies):
        prepared = model.by_name[one.source].break_glass
        if prepared is not None:
            costs[number] = prepared.cost
    return costs


class _Edges:
    """The edges behind the arcs."""

    def __init__(self, graph: Graph, goal: Goal, allowed: Allowed) -> None:
        self._graph, self._allowed = graph, allowed
        self._edges = edges = np.nonzero(graph.hard)[0]
        can = graph.can_change[edges]
        nobody = np.full(len(edges), np.inf)
        moves = allowed.moves
        remove = graph.cost[edges] if Move.REMOVE in moves else nobody
        soften = graph.soften[edges] if Move.SOFTEN in moves else nobody
        self._softens = soften < remove
        single = np.where(can, np.minimum(remove, soften), np.inf)
        arcs, self._arc_of = merged(graph.size, graph.source[edges], graph.target[edges], single)
        before = graph.needed_at(*BEFORE_SERVING)[edges]
        self._relief = np.where(before, np.minimum(single, self._later(can)), 0.0)
        self._is_later = before & (self._relief < single)
        self._before = before
        self.options = self._options(arcs, goal, can)

    def _later(self, can: Flags) -> Costs:
        given = self._allowed.later
        later = self._graph.soften * LATER_SHARE if given is None else given
        able = can & self._graph.needed_at(Phase.RUN)[self._edges]
        allowed = able & (Move.LATER in self._allowed.moves)
        return np.where(allowed, later[self._edges], np.inf)

    def _options(self, arcs: Arcs, goal: Goal, can: Flags) -> Options:
        count = arcs.count
        changes = np.bincount(self._arc_of, weights=~can, minlength=count) == 0
        marked = np.ones(count, np.bool_)
        relieve = np.full(count, np.inf)
        if goal is Goal.NO_DEADLOCK:
            marked = np.bincount(self._arc_of, weights=self._before, minlength=count) > 0
            sums = np.bincount(self._arc_of, weights=self._relief, minlength=count)
            relieve = np.where(marked & (sums < arcs.cost), sums, np.inf)
        fixed, adoption = np.full(arcs.size, np.inf), np.full(arcs.size, np.inf)
        if Move.PILLAR in self._allowed.moves:
            for vertex, one in self._allowed.pillars.items():
                fixed[vertex], adoption[vertex] = one.cost, one.adoption
        adopt = np.where(changes, adoption[arcs.target], np.inf)
        return Options(arcs=arcs, marked=marked, relieve=relieve, adopt=adopt, pillar=fixed)

    def first(self, arcs: Numbers) -> Numbers:
        """Return an edge of each arc."""
        can = self._graph.can_change[self._edges]
        found = representatives(self._arc_of, can, self.options.arcs.count)
        return self._edges[found[arcs]]

    def by_pillar(self, pillar: Flags, adopt: Flags) -> list[Step]:
        """Return the pillars."""
        steps, options = [], self.options
        for vertex in np.nonzero(pillar)[0].tolist():
            arcs = np.nonzero(adopt & (options.arcs.target == vertex))[0]
            cost = float(options.pillar[vertex] + options.adopt[arcs].sum())
            edges = self._edges[np.isin(self._arc_of, arcs)]
            steps.append(Step(move=Move.PILLAR, edges=edges, vertex=vertex, cost=cost))
        return steps

    def singly(self, cut: Flags, relieve: Flags) -> list[Step]:
        """Return the moves of single edges."""
        steps = []
        changed = cut[self._arc_of] | (relieve[self._arc_of] & self._before)
        for one in np.nonzero(changed)[0].tolist():
            edge = self._edges[one]
            later = self._is_later[one] and not cut[self._arc_of[one]]
            single = Move.SOFTEN if self._softens[one] else Move.REMOVE
            costs = self._graph.soften if self._softens[one] else self._graph.cost
            cost = float(self._relief[one] if later else costs[edge])
            move = Move.LATER if later else single
            steps.append(Step(move=move, edges=np.array([edge]), vertex=None, cost=cost))
        return steps


class _Alternatives:
    """The edges inside of strong components, each by itself, where some are alternatives."""

    def __init__(self, graph: Graph, goal: Goal, allowed: Allowed) -> None:
        hard, at = as_groups(graph)
        _, of = strong_components(graph.size, graph.source[hard], graph.target[hard])
        is_inside = of[graph.source] == of[graph.target]
        self.edges = edges = np.nonzero(hard & is_inside)[0]
        group = np.full(len(hard), -1) if graph.group is None else graph.group
        # What lies below comes up in any case; so many alternatives fewer are needed.
        outside = group[hard & ~is_inside & (group >= 0)]
        at_least = graph.at_least - np.bincount(outside, minlength=len(graph.at_least))
        can, moves = graph.can_change[edges], allowed.moves
        nobody = np.full(len(edges), np.inf)
        remove = graph.cost[edges] if Move.REMOVE in moves else nobody
        soften = graph.soften[edges] if Move.SOFTEN in moves else nobody
        self._softens = soften < remove
        single = np.where(can, np.minimum(remove, soften), np.inf)
        early, late = _phases(at[edges])
        relieve = nobody
        if goal is Goal.NO_DEADLOCK and Move.LATER in moves:
            later = graph.soften * LATER_SHARE if allowed.later is None else allowed.later
            able = can & early & late & (group[edges] < 0) & (later[edges] < single)
            relieve = np.where(able, later[edges], np.inf)
        pillar, adoption = np.full(graph.size, np.inf), np.full(graph.size, np.inf)
        if Move.PILLAR in moves:
            for vertex, one in allowed.pillars.items():
                pillar[vertex], adoption[vertex] = one.cost, one.adoption
        self.lines = Lines(
            size=graph.size,
            source=graph.source[edges],
            target=graph.target[edges],
            # Where no circle may be left, nobody may wait for those that wait for it, whenever that is.
            early=early if goal is Goal.NO_DEADLOCK else early | late,
            late=late,
            group=group[edges],
            at_least=at_least,
            cut=single,
            adopt=np.where(can, adoption[graph.target[edges]], np.inf),
            relieve=relieve,
            pillar=pillar,
        )

    def steps(self, cut: Flags, adopt: Flags, relieve: Flags, pillar: Flags) -> Iterator[Step]:
        """Return the moves."""
        lines = self.lines
        for vertex in np.nonzero(pillar)[0].tolist():
            some = np.nonzero(adopt & (lines.target == vertex))[0]
            cost = float(lines.pillar[vertex] + lines.adopt[some].sum())
            yield Step(move=Move.PILLAR, edges=self.edges[some], vertex=vertex, cost=cost)
        for line in np.nonzero(cut | relieve)[0].tolist():
            single = Move.SOFTEN if self._softens[line] else Move.REMOVE
            move, costs = (single, lines.cut) if cut[line] else (Move.LATER, lines.relieve)
            edges = self.edges[line : line + 1]
            yield Step(move=move, edges=edges, vertex=None, cost=float(costs[line]))


def _phases(at: npt.NDArray[np.int8]) -> tuple[Flags, Flags]:
    early = sum(BITS[phase] for phase in BEFORE_SERVING)
    return (at & early) > 0, (at & BITS[Phase.RUN]) > 0
