"""The numbers of a model: what the analyses work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from drystone.l05_graph.costs import BASE, SOFTEN_SHARE, factor
from drystone.l05_graph.model import Model
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
    """Return the numbers of a model; edge ``e`` is ``model.dependencies[e]``.

    A model never changes, so that its numbers are made once and kept with it; nobody may write into them.
    """
    found: Graph | None = vars(model).get(_KEPT)
    if found is None:
        found = vars(model)[_KEPT] = _numbers_of(model)
    return found


_KEPT = "numbers of the model"
# Members of an enumeration are there once, and their hash is found by Python anew each time.
_BASE = {id(risk): cost for risk, cost in BASE.items()}
_BIT = {id(phase): bit for phase, bit in BITS.items()}


def _numbers_of(model: Model) -> Graph:
    every, (sources, targets) = model.dependencies, model.ends
    factors = [factor(one) for one in model.components]
    cost = [
        _BASE[id(one.risk)] * factors[source] if one.cost_remove is None else one.cost_remove
        for one, source in zip(every, sources, strict=True)
    ]
    soften = [
        SOFTEN_SHARE * remove if one.cost_soften is None else one.cost_soften
        for one, remove in zip(every, cost, strict=True)
    ]
    soft = Strength.SOFT
    at = [
        _BIT[id(phases[0])] if len(phases) == 1 else sum([_BIT[id(phase)] for phase in phases])
        for phases in [one.at for one in every]
    ]
    groups = {(one.component, one.name): number for number, one in enumerate(model.groups)}
    group = [-1 if one.group is None else groups[one.source, one.group] for one in every]
    found = Graph(
        names=[component.name for component in model.components],
        source=np.array(sources, np.int64),
        target=np.array(targets, np.int64),
        cost=np.array(cost, np.float64),
        soften=np.array(soften, np.float64),
        hard=np.array([one.strength is not soft for one in every], np.bool_),
        at=np.array(at, np.int8),
        can_change=np.array([one.can_change for one in every], np.bool_),
        group=np.array(group, np.int64) if groups else None,
        at_least=np.array([one.at_least for one in model.groups], np.int64),
    )
    for column in (found.source, found.target, found.cost, found.soften, found.hard, found.at):
        column.flags.writeable = False
    return found


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
