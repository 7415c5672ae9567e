"""All that the pages say about one model, computed once for each.

For 2,000 components and 40,000 dependencies that takes about a second of one processor, most of it for the findings and
the layers; every page of the same model is made from the same analysis after that.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from drystone.l05_graph.arrays import Costs, Flags, Graph, Numbers, graph_of
from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.closures import MOST_FOR_BITS, Closure
from drystone.l05_graph.evidence import Evidence
from drystone.l05_graph.findings import Finding, Rules, Severity
from drystone.l05_graph.heat import Heat, heat
from drystone.l05_graph.layers import Layers, assign_layers
from drystone.l05_graph.model import Model
from drystone.l05_graph.moves import Search
from drystone.l05_graph.observed import differences
from drystone.l05_graph.pinned import pins_of
from drystone.l05_graph.rules import check
from drystone.l05_graph.tangles import Tangle, tangle_of, tangles

LONGEST_SEARCH = timedelta(seconds=3)
"""For layers: after it the best that were found are shown."""
_SWEEPS = 8
_MOST_NODES = 20_000


class Edges:
    """The edges of each vertex.

    Args:
        ends: The vertex of each edge.
        size: How many vertices there are.
    """

    def __init__(self, ends: Numbers, size: int) -> None:
        self._order = np.argsort(ends, kind="stable")
        self._begins = np.concatenate(([0], np.cumsum(np.bincount(ends, minlength=size))))

    def of(self, vertex: int) -> list[int]:
        """Return the edges of a vertex, in order."""
        found: list[int] = self._order[self._begins[vertex] : self._begins[vertex + 1]].tolist()
        return found


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A model and what follows from it. Edge ``e`` is ``model.dependencies[e]``, vertex ``v`` ``model.components[v]``.

    Attributes:
        model: Which.
        today: For acceptances.
        evidence: What traffic showed.
        graph: The numbers of it.
        findings: The worst first.
        tangles: The worst first.
        layers: Where everything lies, and the cheapest edges that violate it.
        tangle: The number among the strong components of hard dependencies that each vertex is tangled in, or -1.
        across: Where each vertex stands in its layer, 0 to 1, so that neighbours lie above each other.
    """

    model: Model
    today: date
    evidence: Evidence
    graph: Graph
    findings: Sequence[Finding]
    tangles: Sequence[Tangle]
    layers: Layers
    tangle: Numbers
    across: Costs

    @cached_property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it from the analyses of other models, days and evidence."""
        model = self.model
        return (model.digest, model.title, str(self.today), evidence_name(self.evidence))

    @property
    def layer(self) -> Numbers:
        """The layer of each vertex."""
        return self.layers.layer

    @cached_property
    def upward(self) -> Flags:
        """The hard edges that do not lead to a lower layer."""
        graph, layer = self.graph, self.layer
        return np.asarray(graph.hard & (layer[graph.target] >= layer[graph.source]))

    @cached_property
    def tangled(self) -> Flags:
        """The hard edges inside of tangles."""
        graph, of = self.graph, self.tangle
        inside = (of[graph.source] >= 0) & (of[graph.source] == of[graph.target])
        return np.asarray(graph.hard & inside)

    @cached_property
    def order(self) -> Numbers:
        """The vertices from the bottom: by layer, then by tangle, then by where they stand."""
        return np.lexsort((self.across, self.tangle, self.layer))

    @cached_property
    def heat(self) -> Heat:
        """How hot everything is."""
        cut = np.zeros(len(self.graph.source), np.bool_)
        cut[self.layers.violations] = True
        return heat(self.graph, cut)

    @cached_property
    def reach(self) -> Numbers | None:
        """How many others need each vertex hard, over any number of steps; None when there are too many to count."""
        if self.graph.size > MOST_FOR_BITS:
            return None
        hard = self.graph.only(self.graph.hard)
        back = Graph(
            names=hard.names,
            source=hard.target,
            target=hard.source,
            cost=hard.cost,
            soften=hard.soften,
            hard=hard.hard,
            at=hard.at,
            can_change=hard.can_change,
        )
        return Closure(back).counts() - 1

    @cached_property
    def users(self) -> Numbers:
        """How many dependencies lead to each vertex."""
        return np.bincount(self.graph.target, minlength=self.graph.size)

    @cached_property
    def edges_from(self) -> Edges:
        """The edges by which each vertex needs others."""
        return Edges(self.graph.source, self.graph.size)

    @cached_property
    def edges_to(self) -> Edges:
        """The edges by which others need each vertex."""
        return Edges(self.graph.target, self.graph.size)

    @cached_property
    def availabilities(self) -> Availabilities:
        """What can be said about how available components can be."""
        return Availabilities(self.model, most_nodes=_MOST_NODES)

    @cached_property
    def severities(self) -> Counter[Severity]:
        """How many findings of each severity there are."""
        return Counter(one.severity for one in self.findings)

    @cached_property
    def by_subject(self) -> dict[str, list[Finding]]:
        """The findings that each component's owner has to act on, or that a path through it proves."""
        found: dict[str, list[Finding]] = {}
        for one in self.findings:
            about = {one.subject, *(step.source for step in one.path)}
            about |= {step.target for step in one.path}
            for name in about:
                found.setdefault(name, []).append(one)
        return found


def evidence_name(evidence: Evidence) -> str:
    """Return what tells evidence from other evidence."""
    said = [(*batch.key, str(batch.detail)) for batch in evidence.batches]
    return hashlib.sha256(repr(said).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def analysed(model: Model, today: date, evidence: Evidence | None = None) -> Analysis:
    """Compute all that the pages say about a model, and how what traffic showed differs from it."""
    seen = evidence or Evidence()
    graph = graph_of(model)
    layers = _layers(graph, pins_of(model))
    of = tangle_of(graph, graph.hard)
    return Analysis(
        model=model,
        today=today,
        graph=graph,
        evidence=seen,
        findings=_found(model, today, seen),
        tangles=tangles(graph),
        layers=layers,
        tangle=of,
        across=_across(graph, layers.layer),
    )


def _layers(graph: Graph, pins: Mapping[int, int]) -> Layers:
    """Find layers, of a large model in a few seconds each way.

    The search among alternatives may end where it began. That all of them lie below is more than is needed, and an answer
    that is found far sooner.
    """
    search = Search(time_limit=LONGEST_SEARCH)
    found = assign_layers(graph, pins, search=search)
    if found.is_proven or graph.group is None:
        return found
    other = assign_layers(replace(graph, group=None), pins, search=search)
    if other.impossible or other.contradictions or other.cost >= found.cost:
        return found
    return replace(
        found,
        layer=other.layer,
        moved=other.moved,
        violations=other.violations,
        cost=other.cost,
    )


def _found(model: Model, today: date, evidence: Evidence) -> list[Finding]:
    found = check(model, Rules(), today)
    if evidence.batches:
        found += differences(model, evidence, Rules(), today)
        order = list(Severity)
        found.sort(key=lambda one: order.index(one.severity))
    return found


def _across(graph: Graph, layer: Numbers) -> Costs:
    """Let every vertex stand where its neighbours in other layers do, by sweeps of barycentres.

    Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", IEEE Trans. SMC
    11(2), 1981; here with all neighbours, weighted by how near their layers are.
    """
    size = graph.size
    if not size:
        return np.zeros(0)
    ends = np.concatenate((graph.source, graph.target))
    others = np.concatenate((graph.target, graph.source))
    weight = 1.0 / np.maximum(1, np.abs(layer[ends] - layer[others]))
    weight[layer[ends] == layer[others]] = 0.25
    total = np.bincount(ends, weight, size)
    where = _spread(layer, np.arange(size, dtype=np.float64))
    for _ in range(_SWEEPS):
        pull = np.bincount(ends, weight * where[others], size)
        wish = np.where(total > 0, pull / np.maximum(total, 1e-9), where)
        where = _spread(layer, wish)
    return where


def _spread(layer: Numbers, wish: Costs) -> Costs:
    """Return places from 0 to 1 in the order of the wishes, evenly within each layer."""
    order = np.lexsort((wish, layer))
    counts = np.bincount(layer)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    rank = np.empty(len(layer), np.int64)
    rank[order] = np.arange(len(layer)) - starts[layer[order]]
    return np.asarray((rank + 0.5) / counts[layer], np.float64)
