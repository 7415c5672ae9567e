"""What is searched for by ``drystone deps untangle``."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from drystone.l05_graph.arrays import Graph
from drystone.l05_graph.cut import feedback_arc_set
from drystone.l05_graph.moves import Allowed, Goal, Move, Search, Untangling, pillars_of, untangle
from drystone.l05_graph.untangled import removals

if TYPE_CHECKING:
    from drystone.l85_surfaces.cli.dependencies.reading import Given


def cut(graph: Graph, search: Search) -> Untangling:
    """Find the cheapest edges to cut, as removals."""
    found = feedback_arc_set(
        graph,
        time_limit=search.time_limit,
        seed=search.seed,
        on_progress=search.on_progress,
        stop=search.stop,
    )
    return removals(graph, found)


def moved(given: Given, goal: str, moves: Collection[str], search: Search) -> Untangling:
    """Find the cheapest moves."""
    kinds = frozenset(map(Move, moves)) or frozenset(Move)
    pillars = {} if given.is_edge_list else pillars_of(given.model)
    return untangle(given.graph, Goal(goal), Allowed(moves=kinds, pillars=pillars), search)
