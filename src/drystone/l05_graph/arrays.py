"""The numbers of a model: what the analyses work on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from drystone.l05_graph.costs import cost_remove, cost_soften
from drystone.l05_graph.model import Dependency, Model
from drystone.l05_graph.words import Phase, Strength

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Costs = npt.NDArray[np.float64]

BITS = {phase: 1 << number for number, phase in enumerate(Phase)}
"""One bit for each phase, in :attr:`Graph.at`."""
ANY_PHASE = sum(BITS.values())


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Vertices 0 to ``size`` - 1 and edges between them; ``source[e]`` depends on ``target[e]``.

    Parallel edges are allowed, loops are not. The arrays are as long as there are edges.

    Attributes:
        names: Of the vertices.
        source: Who depends.
        target: On what.
        cost: What it costs to remove the edge, at least 0.
        soften: What it costs to make it soft, at least 0.
        hard: Whether the source does not work without.
        at: The phases in which it is needed, as :data:`BITS`.
        can_change: Whether it may be cut.
        group: The group of alternatives that it is in, -1 for none; None when there are no groups. All edges of a group
            have one source.
        at_least: How many alternatives each group needs.
    """

    names: Sequence[str]
    source: Numbers
    target: Numbers
    cost: Costs
    soften: Costs
    hard: Flags
    at: npt.NDArray[np.int8]
    can_change: Flags
    group: Numbers | None = None
    at_least: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    _numbers: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    @property
    def size(self) -> int:
        """How many vertices there are."""
        return len(self.names)

    def number(self, name: str) -> int:
        """Return the vertex of a name.

        Raises:
            KeyError: There is none.
        """
        if not self._numbers:
            self._numbers.update({name: number for number, name in enumerate(self.names)})
        return self._numbers[name]

    def only(self, edges: Flags | Numbers) -> Graph:
        """Return the graph with these edges alone, as a mask or by their numbers."""
        return replace(
            self,
            source=self.source[edges],
            target=self.target[edges],
            cost=self.cost[edges],
            soften=self.soften[edges],
            hard=self.hard[edges],
            at=self.at[edges],
            can_change=self.can_change[edges],
            group=None if self.group is None else self.group[edges],
        )

    def needed_at(self, *phases: Phase) -> Flags:
        """Tell which edges are needed in one of these phases."""
        bits = sum(BITS[phase] for phase in set(phases))
        return np.asarray(self.at & bits, dtype=np.bool_)


def graph_of(model: Model) -> Graph:
    """Return the numbers of a model; edge ``e`` is ``model.dependencies[e]``."""
    numbers, by_name = model.numbers, model.by_name
    every = model.dependencies

    def column(
        of: Callable[[Dependency], object], kind: type[np.generic]
    ) -> npt.NDArray[np.generic]:
        return np.fromiter((of(one) for one in every), kind, len(every))

    groups = {(one.component, one.name): number for number, one in enumerate(model.groups)}

    def group(one: Dependency) -> int:
        return -1 if one.group is None else groups[one.source, one.group]

    return Graph(
        names=[component.name for component in model.components],
        source=column(lambda one: numbers[one.source], np.int64),  # type: ignore[arg-type]
        target=column(lambda one: numbers[one.target], np.int64),  # type: ignore[arg-type]
        cost=column(lambda one: cost_remove(one, by_name[one.source]), np.float64),  # type: ignore[arg-type]
        soften=column(lambda one: cost_soften(one, by_name[one.source]), np.float64),  # type: ignore[arg-type]
        hard=column(lambda one: one.strength is not Strength.SOFT, np.bool_),  # type: ignore[arg-type]
        at=column(lambda one: sum(BITS[phase] for phase in one.at), np.int8),  # type: ignore[arg-type]
        can_change=column(lambda one: one.can_change, np.bool_),  # type: ignore[arg-type]
        group=column(group, np.int64) if groups else None,  # type: ignore[arg-type]
        at_least=np.array([one.at_least for one in model.groups], np.int64),
    )


def graph_of_edges(
    names: Sequence[str],
    source: npt.ArrayLike,
    target: npt.ArrayLike,
    cost: npt.ArrayLike | None = None,
    **more: npt.ArrayLike,
) -> Graph:
    """Return a graph of hard edges at run time that may all be cut, unless ``more`` says otherwise.

    Args:
        names: Of the vertices.
        source: Who depends, by number.
        target: On what, by number.
        cost: What each costs to remove; 1 when None.
        more: ``soften`` (``cost`` when omitted), ``hard``, ``at``, ``can_change``.

    Raises:
        ValueError: The arrays have different lengths, an edge is a loop or leads out of the graph, or a cost is
            negative or no number.
    """
    sources = np.asarray(source, dtype=np.int64)
    targets = np.asarray(target, dtype=np.int64)
    count = len(sources)
    costs = np.ones(count) if cost is None else np.asarray(cost, dtype=np.float64)
    graph = Graph(
        names=names,
        source=sources,
        target=targets,
        cost=costs,
        soften=np.asarray(more.get("soften", costs), dtype=np.float64),
        hard=np.asarray(more.get("hard", np.ones(count, np.bool_)), dtype=np.bool_),
        at=np.asarray(more.get("at", np.full(count, BITS[Phase.RUN])), dtype=np.int8),
        can_change=np.asarray(more.get("can_change", np.ones(count, np.bool_)), dtype=np.bool_),
    )
    _check(graph)
    return graph


def _check(graph: Graph) -> None:
    columns = (graph.target, graph.cost, graph.soften, graph.hard, graph.at, graph.can_change)
    if any(column.shape != graph.source.shape for column in columns):
        raise ValueError("the columns of the edges have different lengths")
    if not len(graph.source):
        return
    ends = np.concatenate((graph.source, graph.target))
    if ends.min() < 0 or ends.max() >= graph.size:
        raise ValueError(f"an edge leads out of the graph of {graph.size} vertices")
    if np.any(graph.source == graph.target):
        raise ValueError("an edge leads from a vertex to itself")
    for costs in (graph.cost, graph.soften):
        if not np.all(np.isfinite(costs)) or costs.min() < 0:
            raise ValueError("a cost is negative or no number")
