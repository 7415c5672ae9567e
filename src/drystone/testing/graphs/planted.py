"""Layered dependency graphs with cheap edges against the grain, each on its own circle of dearer ones.

Since no two of the circles share an edge, every cut must pay for each of them at least its cheapest edge; and cutting just
those leaves the layers. So the planted edges are the cheapest cut, whatever else the graph holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.arrays import BITS, Flags, Graph, Numbers, graph_of_edges
from drystone.l05_graph.words import Phase

DEPLOY, RUN = BITS[Phase.DEPLOY], BITS[Phase.RUN]


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A graph and what was planted in it.

    Attributes:
        graph: Hard and soft edges, needed at deploy or at run time.
        layer: The layer of each vertex; only the planted edges do not lead to a lower one.
        planted: Those edges, ascending.
        cost: Of the cheapest cut: their sum.
        pillars: Vertices that many low ones depend on, for which a pillar pays.
    """

    graph: Graph
    layer: Numbers
    planted: Numbers
    cost: float
    pillars: Numbers


def planted(
    *,
    size: int = 2000,
    edges: int = 40_000,
    layers: int = 40,
    circles: int = 60,
    cheapest: int = 1,
    dearest: int = 4,
    seed: int = 1,
    pillars: int = 0,
    consumers: int = 40,
) -> Planted:
    """Make such a graph.

    Args:
        size: How many vertices.
        edges: How many edges, about: random ones, 55 % hard and 25 % needed at deploy, that cost 5 to 20.
        layers: How many layers; the upper ones are wider.
        circles: How many edges against the grain.
        cheapest: What the cheapest of these costs.
        dearest: And the dearest, at most 20. What leads back costs at least as much.
        seed: Of the chance.
        pillars: How many high vertices are needed by many low ones, at 6 each, and need these at 20 each.
        consumers: By how many.
    """
    chance = np.random.default_rng(seed)
    layer = _layers(chance, size, layers)
    first = np.searchsorted(layer, np.arange(layers + 1))
    found = _Edges()
    _circles(chance, found, first, circles, (cheapest, dearest))
    goals = _pillars(chance, found, layer, pillars, consumers)
    _random(chance, found, layer, first, edges - len(found.cost))
    names = chance.permutation(size)
    order = chance.permutation(len(found.cost))
    spot = np.argsort(order)
    columns = [np.array(column)[order] for column in (found.source, found.target, found.cost)]
    graph = graph_of_edges(
        [f"s{number}" for number in range(size)],
        names[columns[0]],
        names[columns[1]],
        columns[2],
        hard=np.array(found.hard)[order],
        at=np.array(found.at)[order],
    )
    is_back: Flags = np.zeros(len(order), np.bool_)
    is_back[spot[np.array(found.back, np.bool_)]] = True
    height = np.empty(size, np.int64)
    height[names] = layer
    at = np.nonzero(is_back)[0]
    cost = float(graph.cost[at].sum())
    return Planted(graph=graph, layer=height, planted=at, cost=cost, pillars=np.sort(names[goals]))


class _Edges:
    def __init__(self) -> None:
        self.source: list[int] = []
        self.target: list[int] = []
        self.cost: list[float] = []
        self.hard: list[bool] = []
        self.at: list[int] = []
        self.back: list[bool] = []
        self.pairs: set[tuple[int, int]] = set()

    def add(
        self, source: int, target: int, cost: float, *, hard: bool, at: int, back: bool = False
    ) -> None:
        self.pairs.add((source, target))
        self.source.append(source)
        self.target.append(target)
        self.cost.append(cost)
        self.hard.append(hard)
        self.at.append(at)
        self.back.append(back)


def _layers(chance: np.random.Generator, size: int, layers: int) -> Numbers:
    width = np.linspace(1, 6, layers)
    found = np.concatenate(
        (np.arange(layers), chance.choice(layers, size - layers, p=width / width.sum()))
    )
    return np.sort(found)


def _circles(
    chance: np.random.Generator, found: _Edges, first: Numbers, count: int, cost: tuple[int, int]
) -> None:
    layers, tries = len(first) - 1, 0
    while count:
        tries += 1
        if tries > 1000 * (count + 1):
            raise ValueError(f"{count} of the circles find no edges of their own; ask for fewer")
        heights = np.sort(chance.choice(layers, int(chance.integers(2, 6)), replace=False))
        up = [int(chance.integers(first[h], first[h + 1])) for h in heights]
        down = list(zip(up[1:], up[:-1], strict=True))
        if (up[0], up[-1]) in found.pairs or any(pair in found.pairs for pair in down):
            continue
        mine = int(chance.integers(cost[0], cost[1] + 1))
        for source, target in down:
            dear = int(chance.integers(max(5, mine), 21))
            found.add(source, target, dear, hard=True, at=_at(chance))
        found.add(up[0], up[-1], mine, hard=True, at=_at(chance), back=True)
        count -= 1


def _at(chance: np.random.Generator) -> int:
    return DEPLOY if chance.random() < 0.25 else RUN


def _pillars(
    chance: np.random.Generator, found: _Edges, layer: Numbers, count: int, consumers: int
) -> Numbers:
    if not count:
        return np.zeros(0, np.int64)
    top = int(layer[-1])
    goals = chance.choice(np.nonzero(layer > top * 3 // 4)[0], count, replace=False)
    low = np.nonzero(layer < top // 5)[0]
    for goal in goals.tolist():
        for source in chance.choice(low, consumers, replace=False).tolist():
            if found.pairs.isdisjoint(((source, goal), (goal, source))):
                found.add(goal, source, 20, hard=True, at=_at(chance))
                found.add(source, goal, 6, hard=True, at=_at(chance), back=True)
    return goals


def _random(
    chance: np.random.Generator, found: _Edges, layer: Numbers, first: Numbers, count: int
) -> None:
    """Edges to lower layers; a few vertices are needed by very many."""
    high = np.nonzero(layer > 0)[0]
    weight = np.cumsum(chance.pareto(1.2, len(layer)) + 0.2)
    while count > 0:
        sources = chance.choice(high, count)
        below = weight[first[layer[sources]] - 1]
        targets = np.searchsorted(weight, chance.random(count) * below, side="right")
        for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
            if (source, target) in found.pairs:
                continue
            hard = bool(chance.random() < 0.55)
            found.add(source, target, int(chance.integers(5, 21)), hard=hard, at=_at(chance))
            count -= 1
