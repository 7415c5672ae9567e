"""What the cheapest cut, break-glass set, pillars and layers cost in CPU seconds, beside a heuristic that others use.

``python -m benchmarks.graph.cut [--hard SECONDS] [--matrices FOLDER] [--large SECONDS] [--oracle PYTHON]``; alone, with
``OMP_NUM_THREADS=1``. The folder holds matrices of the linear ordering problem, each a size and then its numbers, as collections
publish them. PYTHON is an interpreter that has igraph, such as one made with ``python -m venv .venv-graph``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
from benchmarks.stand import table

from drystone.l05_graph.arrays import Graph, graph_of_edges
from drystone.l05_graph.cut import feedback_arc_set
from drystone.l05_graph.layers import assign_layers
from drystone.l05_graph.model import Pillar
from drystone.l05_graph.moves import Allowed, Goal, Move, Search, break_glass, untangle
from drystone.testing.graphs.planted import planted

T = TypeVar("T")
LIMIT = timedelta(seconds=60)


def eades_lin_smyth(graph: Graph) -> float:
    """Return the cost of the cut that Eades, Lin and Smyth find (Inf. Process. Lett. 47(6), 1993), weighted.

    Sinks and sources are taken off in turn; when there is none, the vertex whose outgoing cost exceeds its incoming cost
    most. What leads against the order is cut.
    """
    hard = graph.only(graph.hard)
    out: list[list[int]] = [[] for _ in range(graph.size)]
    into: list[list[int]] = [[] for _ in range(graph.size)]
    source, target, cost = hard.source.tolist(), hard.target.tolist(), hard.cost.tolist()
    for edge, (one, other) in enumerate(zip(source, target, strict=True)):
        out[one].append(edge)
        into[other].append(edge)
    degree = [[len(edges) for edges in out], [len(edges) for edges in into]]
    excess = [
        sum(cost[e] for e in out[v]) - sum(cost[e] for e in into[v]) for v in range(graph.size)
    ]
    left = set(range(graph.size))
    waiting = deque(v for v in left if not degree[0][v] or not degree[1][v])
    front: list[int] = []
    rear: list[int] = []
    while left:
        vertex = waiting.popleft() if waiting else max(left, key=lambda v: (excess[v], -v))
        if vertex not in left:
            continue
        left.remove(vertex)
        (rear if not degree[0][vertex] and degree[1][vertex] else front).append(vertex)
        for edges, ends, side, sign in ((out, target, 1, 1), (into, source, 0, -1)):
            for edge in edges[vertex]:
                other = ends[edge]
                degree[side][other] -= 1
                excess[other] += sign * cost[edge]
                if other in left and not degree[side][other]:
                    waiting.append(other)
    place = np.empty(graph.size, np.int64)
    place[front + rear[::-1]] = np.arange(graph.size)
    return float(hard.cost[place[hard.source] > place[hard.target]].sum())


def cpu(work: Callable[[], T]) -> tuple[T, float]:
    """Run it and return what it returns and the CPU seconds that it took."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def planted_cuts() -> str:
    """Measure cuts of 2,000 components and 40,000 dependencies."""
    rows = []
    for circles, cheapest, dearest in (
        (60, 1, 4),
        (200, 1, 4),
        (500, 1, 4),
        (60, 5, 20),
        (200, 5, 20),
        (500, 5, 20),
    ):
        case = planted(circles=circles, cheapest=cheapest, dearest=dearest)
        cut, took = cpu(lambda case=case: feedback_arc_set(case.graph, time_limit=LIMIT))  # type: ignore[misc]
        other, slower = cpu(lambda case=case: eades_lin_smyth(case.graph))  # type: ignore[misc]
        cells = (cut.cost, cut.bound, took, other, slower, other / cut.cost)
        rows.append(
            [f"{circles} at {cheapest} to {dearest}", _number(case.cost), *map(_number, cells)]
        )
    head = [
        "planted",
        "cost",
        "found",
        "bound",
        "CPU s",
        "Eades-Lin-Smyth",
        "CPU s",
        "times as dear",
    ]
    return table("The cheapest cut of 2,000 components and 40,000 dependencies", head, rows)


def planted_moves() -> str:
    """Measure the other optimisers on graphs of the same size."""
    rows = []
    case = planted()
    waived, took = cpu(lambda: break_glass(case.graph, search=Search(time_limit=LIMIT)))
    rows.append(["break-glass", _number(waived.cost), _number(waived.bound), _number(took)])
    high = planted(pillars=3)
    allowed = Allowed(
        moves=frozenset({Move.REMOVE, Move.PILLAR}),
        pillars={vertex: Pillar(cost=60, adoption=1) for vertex in range(high.graph.size)},
    )
    found, took = cpu(
        lambda: untangle(high.graph, Goal.NO_TANGLE, allowed, Search(time_limit=LIMIT))
    )
    made = [step.vertex for step in found.steps if step.vertex is not None]
    exact = "as planted" if made == high.pillars.tolist() else "others"
    rows.append([f"pillars, {exact}", _number(found.cost), _number(found.bound), _number(took)])
    for share, noise in ((0.0, 0), (0.1, 0), (1.0, 0), (0.1, 1), (0.3, 1)):
        chance = np.random.default_rng(3)
        some = np.nonzero(chance.random(case.graph.size) < share)[0]
        pin = np.maximum(case.layer[some] + chance.integers(-noise, noise + 1, len(some)), 0)
        pins = dict(zip(some.tolist(), pin.tolist(), strict=True))
        layers, took = cpu(
            lambda pins=pins: assign_layers(case.graph, pins, search=Search(time_limit=LIMIT))  # type: ignore[misc]
        )
        name = f"layers, {len(pins)} decided, wrong by up to {noise}"
        rows.append([name, _number(layers.cost), _number(layers.bound), _number(took)])
    head = ["what", "cost", "bound", "CPU s"]
    return table("Break-glass, pillars and layers of as many", head, rows)


def hard_cuts(limit: timedelta) -> str:
    """Measure graphs without any structure."""
    rows = []
    for size, count in (
        (60, 300),
        (100, 500),
        (150, 700),
        (300, 900),
        (2000, 10_000),
        (20_000, 100_000),
    ):
        chance = np.random.default_rng(1)
        pairs = np.unique(chance.integers(0, size * size, 2 * count))
        pairs = chance.permutation(pairs[pairs // size != pairs % size])[:count]
        names = [str(number) for number in range(size)]
        graph = graph_of_edges(
            names, pairs // size, pairs % size, chance.integers(1, 11, len(pairs))
        )
        rows.append(_hard_row(f"random {size}/{count}", graph, limit))
    for size in (30, 60, 100):
        chance = np.random.default_rng(1)
        one, other = np.triu_indices(size, 1)
        turned = chance.random(len(one)) < 0.5
        ends = np.where(turned, one, other), np.where(turned, other, one)
        graph = graph_of_edges([str(number) for number in range(size)], *ends)
        rows.append(_hard_row(f"tournament {size}", graph, limit))
    rows += [_hard_row(f"input-output {size}", input_output(size), limit) for size in (44, 60)]
    head = ["graph", "cost", "bound", "gap %", "CPU s", "s", "Eades-Lin-Smyth"]
    return table("Cuts of graphs without structure", head, rows)


def input_output(size: int, seed: int = 1) -> Graph:
    """Make a dense matrix of flows between sectors, many of them small, a little more downwards than upwards."""
    chance = np.random.default_rng(seed)
    big = chance.lognormal(2, 2, size)
    flow = np.rint(np.outer(big, big) * chance.lognormal(0, 1.5, (size, size)) / 50)
    flow[np.triu_indices(size)] *= 0.4
    source, target = np.nonzero((flow >= 1) & ~np.eye(size, dtype=bool))
    names = [str(number) for number in range(size)]
    return graph_of_edges(names, source, target, np.rint(flow[source, target]))


def matrices(folder: Path) -> str:
    """Measure published matrices; the time limit counts processor time."""
    rows = []
    for file in sorted(folder.iterdir()):
        size, *words = file.read_text().split()
        matrix = np.array(words[: int(size) ** 2], np.float64).reshape(int(size), int(size))
        np.fill_diagonal(matrix, 0)
        source, target = np.nonzero(matrix)
        names = [str(number) for number in range(int(size))]
        graph = graph_of_edges(names, source, target, matrix[source, target])
        cut, took = cpu(
            lambda graph=graph: feedback_arc_set(graph, time_limit=LIMIT, clock=time.process_time)  # type: ignore[misc]
        )
        cells = (cut.cost, cut.bound, graph.cost.sum() - cut.cost, 100 * cut.gap, took)
        rows.append([file.name, size, *map(_number, cells)])
    head = ["matrix", "size", "cost", "bound", "value of the order", "gap %", "CPU s"]
    return table("Published matrices", head, rows)


def large_cuts(limits: list[float]) -> str:
    """Measure how well limits are kept where there is no time to look at everything; all counts processor time."""
    rows = []
    for size, count in ((20_000, 100_000), (200_000, 1_000_000)):
        chance = np.random.default_rng(1)
        ends = chance.integers(0, size, (2, count))
        ends = ends[:, ends[0] != ends[1]]
        names = [str(number) for number in range(size)]
        costs = chance.integers(1, 11, ends.shape[1])
        graph = graph_of_edges(names, ends[0], ends[1], costs)
        for seconds in limits:
            cut, took = cpu(
                lambda graph=graph, seconds=seconds: feedback_arc_set(  # type: ignore[misc]
                    graph, time_limit=timedelta(seconds=seconds), clock=time.process_time
                )
            )
            cells = (seconds, took, cut.cost, cut.bound)
            rows.append([f"{size:,}/{count:,}", *map(_number, cells)])
    head = ["vertices/edges", "limit", "CPU s", "cost", "bound"]
    return table("Limits of large graphs without structure", head, rows)


def beside_igraph(python: str) -> str:
    """Measure igraph's heuristic, and its exact method where that ends soon, on the same graphs in the same run."""
    rows = []
    for name, graph, methods in (
        ("planted, 60 circles", planted(circles=60).graph, ["eades", "ip"]),
        ("planted, 500 circles", planted(circles=500).graph, ["eades", "ip"]),
        ("input-output 44", input_output(44), ["eades"]),
    ):
        hard = graph.only(graph.hard)
        asked = {
            "size": hard.size,
            "edges": np.stack((hard.source, hard.target), axis=1).tolist(),
            "costs": hard.cost.tolist(),
            "methods": methods,
        }
        told = subprocess.run(
            [python, str(Path(__file__).with_name("igraph_cut.py"))],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
        )
        theirs = json.loads(told.stdout)
        cut, took = cpu(lambda graph=graph: feedback_arc_set(graph, time_limit=LIMIT))  # type: ignore[misc]
        cells = [_number(cut.cost), _number(cut.bound), _number(took)]
        for method in ("eades", "ip"):
            one = theirs.get(method)
            cells += [_number(one["cost"]), _number(one["took"])] if one else ["", ""]
        rows.append([name, *cells])
    head = [
        "graph",
        "cost",
        "bound",
        "CPU s",
        "igraph, heuristic",
        "CPU s",
        "igraph, exact",
        "CPU s",
    ]
    return table("Beside igraph", head, rows)


def _hard_row(name: str, graph: Graph, limit: timedelta) -> list[str]:
    began = time.monotonic()
    cut, took = cpu(lambda: feedback_arc_set(graph, time_limit=limit))
    cells = (cut.cost, cut.bound, 100 * cut.gap, took, time.monotonic() - began)
    return [name, *map(_number, cells), _number(eades_lin_smyth(graph))]


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hard", type=float, help="seconds for each graph without structure")
    parser.add_argument("--matrices", type=Path, help="a folder with matrices")
    parser.add_argument("--large", type=float, nargs="+", help="limits for large graphs")
    parser.add_argument("--oracle", help="an interpreter that has igraph")
    chosen = parser.parse_args()
    if chosen.oracle:
        tables = [beside_igraph(chosen.oracle)]
    elif chosen.large:
        tables = [large_cuts(chosen.large)]
    elif chosen.matrices:
        tables = [matrices(chosen.matrices)]
    elif chosen.hard:
        tables = [hard_cuts(timedelta(seconds=chosen.hard))]
    else:
        tables = [planted_cuts(), planted_moves()]
    sys.stdout.write("\n\n".join(tables) + "\n")


if __name__ == "__main__":
    main()
