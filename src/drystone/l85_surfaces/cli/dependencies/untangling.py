"""What is searched for by ``drystone deps untangle``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l05_graph.arrays import Graph
from drystone.l05_graph.cut import feedback_arc_set
from drystone.l05_graph.limits import Effort
from drystone.l05_graph.moves import (
    Allowed,
    Goal,
    Move,
    Search,
    Untangling,
    untangle,
)
from drystone.l05_graph.untangled import removals
from drystone.l85_surfaces.cli.errors import Misuse

if TYPE_CHECKING:
    from drystone.l85_surfaces.cli.dependencies.reading import Given

MOST_EFFORT = 10_000_000


def with_effort(search: Search, effort: int | None) -> Search:
    """Return a search that ends after so much work, if that is said, and not by time.

    Raises:
        Misuse: The effort is not above 0.
    """
    if effort is None:
        return search
    if not 0 < effort <= MOST_EFFORT:
        raise Misuse(f"--effort cannot be {effort}; write a number above 0, such as 10")
    return replace(search, time_limit=timedelta(seconds=effort), clock=Effort())


def cut(graph: Graph, search: Search) -> Untangling:
    """Find the cheapest edges to cut, as removals."""
    found = feedback_arc_set(
        graph,
        time_limit=search.time_limit,
        seed=search.seed,
        on_progress=search.on_progress,
        clock=search.clock,
        stop=search.stop,
    )
    return removals(graph, found)


def moved(
    given: Given, goal: str, moves: Collection[str], search: Search, *, keeps_layers: bool
) -> Untangling:
    """Find the cheapest moves."""
    kinds = frozenset(map(Move, moves)) or frozenset(Move)
    if given.is_edge_list:
        return untangle(given.graph, Goal(goal), Allowed(moves=kinds), search)
    allowed = Allowed.of(given.model, kinds, keeps_layers=keeps_layers)
    return untangle(given.graph, Goal(goal), allowed, search)
