"""The oracles for strong components and layers: igraph, rustworkx and networkx, in an environment of their own.

``python -m venv .venv-graph && .venv-graph/bin/pip install numpy igraph rustworkx networkx``. It knows nothing of Drystone: it reads edges
(``source``, ``target``, ``size``) from the file of arrays that is named, and writes CPU seconds and results as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

RUNS = 3


def best(work: Callable[[], Any], runs: int = RUNS) -> tuple[float, Any]:
    """Return the least CPU seconds of some runs, and what the last returned."""
    took: list[float] = []
    found: Any = None
    for _ in range(runs):
        begin = time.process_time()
        found = work()
        took.append(time.process_time() - begin)
    return min(took), found


def by_igraph(size: int, pairs: Sequence[tuple[int, int]]) -> tuple[Callable[[], Any], ...]:
    """Return what builds a graph, finds strong components, and lays those in order."""
    igraph: Any = import_module("igraph")

    graph = igraph.Graph(n=size, edges=pairs, directed=True)

    def condensed() -> Any:
        clusters = graph.connected_components(mode="strong")
        return clusters.cluster_graph().topological_sorting()

    return (
        lambda: igraph.Graph(n=size, edges=pairs, directed=True),
        lambda: len(graph.connected_components(mode="strong")),
        condensed,
    )


def by_rustworkx(size: int, pairs: Sequence[tuple[int, int]]) -> tuple[Callable[[], Any], ...]:
    """The same."""
    rustworkx: Any = import_module("rustworkx")

    def build() -> Any:
        made = rustworkx.PyDiGraph()
        made.add_nodes_from(range(size))
        made.add_edges_from_no_data(pairs)
        return made

    graph = build()
    return (
        build,
        lambda: len(rustworkx.strongly_connected_components(graph)),
        lambda: rustworkx.topological_generations(rustworkx.condensation(graph)),
    )


def by_networkx(size: int, pairs: Sequence[tuple[int, int]]) -> tuple[Callable[[], Any], ...]:
    """The same."""
    networkx: Any = import_module("networkx")

    def build() -> Any:
        made = networkx.DiGraph()
        made.add_nodes_from(range(size))
        made.add_edges_from(pairs)
        return made

    graph = build()
    return (
        build,
        lambda: sum(1 for _ in networkx.strongly_connected_components(graph)),
        lambda: list(networkx.topological_generations(networkx.condensation(graph))),
    )


def main() -> None:
    """Measure the graph whose file is named."""
    columns = np.load(sys.argv[1])
    size = int(columns["size"])
    pairs = list(zip(columns["source"].tolist(), columns["target"].tolist(), strict=True))
    found = {}
    for name, kind in (
        ("igraph", by_igraph),
        ("rustworkx", by_rustworkx),
        ("networkx", by_networkx),
    ):
        build, components, layers = kind(size, pairs)
        runs = 1 if name == "networkx" else RUNS
        count = best(components, runs)
        found[name] = {
            "build": best(build, 1)[0],
            "components": count[0],
            "layers": best(layers, runs)[0],
            "count": count[1],
        }
    print(json.dumps(found))


main()
