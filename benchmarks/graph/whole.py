"""What a whole analysis takes, beside other libraries in the same run: ``python -m benchmarks.graph.whole``.

``--oracle PYTHON`` is an interpreter that has igraph, rustworkx and networkx (:mod:`benchmarks.graph.oracles` tells how to get one);
``--lines N`` reads an edge list of so many lines, ``--rows N`` a survey of so many rows. With ``DRYSTONE_APT_LISTS`` (see
:mod:`benchmarks.graph.debian`) the archive of Debian is measured as well. CPU time of one process, with ``OMP_NUM_THREADS=1``; questions
that are shorter than a tick of that are timed by the clock.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from typing import BinaryIO

import numpy as np
from benchmarks.graph.debian import LISTS, lists
from benchmarks.graph.reach import layered, with_alternatives
from benchmarks.graph.schedule import layered_model
from benchmarks.graph.timing import timed
from benchmarks.stand import table

from drystone.l05_graph.arrays import Graph, graph_of
from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.closures import Closure, Labels
from drystone.l05_graph.disaster import Disaster
from drystone.l05_graph.findings import Rules
from drystone.l05_graph.forms import survey_csv
from drystone.l05_graph.forms.edge_list import read_edge_stream
from drystone.l05_graph.ingest.debian import read_graph
from drystone.l05_graph.model import Model
from drystone.l05_graph.moves import break_glass
from drystone.l05_graph.rehearsal import Run
from drystone.l05_graph.rehearsal_plan import Plan
from drystone.l05_graph.rules import check
from drystone.l05_graph.sampling import sampled
from drystone.l05_graph.strong import closure, condensed, heights, strong_components
from drystone.l05_graph.tangles import tangles
from drystone.testing.graphs.planted import planted

RUNS = 20
TODAY = date(2026, 1, 1)
HEAD = ["what", "target", "least", "median"]


def fresh(model: Model) -> Model:
    """Return the same model without anything that is kept with it."""
    return Model(components=model.components, dependencies=model.dependencies, groups=model.groups)


def taken(work: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Return the CPU milliseconds of each run; garbage of others is collected before it."""
    found = []
    for _ in range(runs):
        gc.collect()
        found.append(1000 * timed(work)[0])
    return found


def row(what: str, target: str, found: list[float], unit: str = "ms") -> list[str]:
    """Return a row of a table."""
    return [what, target, f"{min(found):.1f} {unit}", f"{median(found):.1f} {unit}"]


def layers_of(graph: Graph) -> None:
    """Find tangles, condense, and lay into layers."""
    tangles(graph)
    whole = condensed(graph.size, graph.source[graph.hard], graph.target[graph.hard])
    heights(whole.count, whole.source, whole.target)


def whole_of(model: Model) -> None:
    """Analyse all but what is optimised: numbers, tangles, layers, who needs whom, rules."""
    graph = graph_of(model)
    layers_of(graph)
    closure(condensed(graph.size, graph.source[graph.hard], graph.target[graph.hard]))
    check(model, Rules(), TODAY)


def analyses(debian: Graph | None) -> str:
    """Measure what every change of a model asks for."""
    model = layered()
    graph = graph_of(model)
    rows = [
        row(
            "2,000 / 40,000: tangles, condensation, layers",
            "20 ms",
            taken(lambda: layers_of(graph)),
        )
    ]
    for is_on in (True, False):
        (gc.enable if is_on else gc.disable)()
        name = f"collector {'on' if is_on else 'off'}"
        rows += [
            row(f"all rules, {name}", "100 ms", taken(lambda: check(fresh(model), Rules(), TODAY))),
            row(f"whole analysis, {name}", "100 ms", taken(lambda: whole_of(fresh(model)))),
        ]
    gc.enable()
    case = planted()
    rows.append(row("break-glass, proven", "3 s", taken(lambda: break_glass(case.graph), 3)))
    plan = Plan(layered_model(0), Disaster(everything=True, people=3))
    rows.append(row("one recovery played", "50 ms", taken(lambda: Run(plan, plan.likely).go())))
    if debian is not None:
        title = f"Debian, {debian.size:,} / {len(debian.source):,}: tangles, condensation, layers"
        rows.append(row(title, "300 ms", taken(lambda: layers_of(debian), 5)))
    return table(f"Whole analyses: CPU of {RUNS} runs", HEAD, rows)


def questions(debian: Graph | None) -> str:
    """Measure whether an edge may be added."""
    rows = [_asked("2,000 / 40,000", "1 µs", Closure(graph_of(layered())))]
    if debian is not None:
        rows.append(_asked("Debian", "p99 10 µs", Labels(debian), debian.size))
    return table("May it be added?", ["graph", "target", "median", "p99", "largest"], rows)


def _asked(title: str, target: str, known: Closure | Labels, size: int = 2000) -> list[str]:
    pairs = np.random.default_rng(0).integers(0, size, (50_000, 2)).tolist()
    ask, now = known.closes_circle, time.perf_counter_ns
    empty = median(now() * -1 + now() for _ in range(1000))
    times = []
    for source, to in pairs:
        begin = now()
        ask(source, to)
        times.append(max(0.0, now() - begin - empty) / 1000)
    times.sort()
    at = (times[len(times) // 2], times[len(times) * 99 // 100], times[-1])
    return [title, target, *(f"{one:.2f} µs" for one in at)]


def availabilities(count: int = 12) -> str:
    """Compare exact availabilities with trials."""
    model = with_alternatives(layered())
    every = Availabilities(model)
    chance = np.random.default_rng(1)
    names = [f"service-{number}" for number in chance.integers(100, 1200, count).tolist()]
    rows = []
    for name in names:
        took, exact = timed(partial(every.of, name))
        trying, trial = timed(partial(sampled, model, name, trials=64_000))
        apart = abs(trial.value - exact.highest) / trial.error if trial.error else 0.0
        kind = f"{exact.highest:.7f}" if exact.is_exact else "bounds"
        rows.append(
            [name, kind, f"{took:.2f} s", f"{trial.value:.7f}", f"{trying:.2f} s", f"{apart:.1f}"]
        )
    head = ["component", "exact", "CPU", "64,000 trials", "CPU", "standard deviations apart"]
    return table("Availability: exact beside trials (target: within 4)", head, rows)


def beside_others(python: str, debian: Graph | None) -> str:
    """Measure strong components and layers beside other libraries."""
    rows = []
    graphs = [("2,000 / 40,000", graph_of(layered()))]
    if debian is not None:
        graphs.append(("Debian", debian))
    for title, graph in graphs:
        ours = taken(partial(strong_components, graph.size, graph.source, graph.target), 5)
        both = taken(partial(_heights, graph), 5)
        count, _ = strong_components(graph.size, graph.source, graph.target)
        rows.append([title, "ours", "0", f"{min(ours):.1f}", f"{min(both):.1f}", f"{count:,}"])
        with tempfile.NamedTemporaryFile(suffix=".npz") as file:
            np.savez(file, size=graph.size, source=graph.source, target=graph.target)
            file.flush()
            script = str(Path(__file__).with_name("oracles.py"))
            done = subprocess.run([python, script, file.name], capture_output=True, check=True)
        for name, one in json.loads(done.stdout).items():
            numbers = [f"{1000 * one[key]:.1f}" for key in ("build", "components", "layers")]
            rows.append([title, name, *numbers, f"{one['count']:,}"])
    head = ["graph", "library", "build", "components", "components and layers", "components found"]
    return table("Beside other libraries: CPU ms, least of some runs", head, rows)


def _heights(graph: Graph) -> None:
    whole = condensed(graph.size, graph.source, graph.target)
    heights(whole.count, whole.source, whole.target)


def readers(lines: int, rows: int) -> str:
    """Read long files; each in a process of its own would show less memory."""
    found = []
    with tempfile.TemporaryFile() as file:
        size = _write_edges(file, lines)
        file.seek(0)
        took, read = timed(lambda: read_edge_stream(file))
        what = (
            f"edge list of {lines:,} lines, {size / 1e6:.0f} MB: {len(read.graph.source):,} edges"
        )
        found.append([what, f"{took:.1f} s", f"{_memory()} MB"])
    text = _survey(rows)
    took, model = timed(lambda: survey_csv.read(text))
    what = (
        f"survey of {rows:,} rows, {len(text) / 1e6:.0f} MB: {len(model.components):,} components"
    )
    found.append([what, f"{took:.1f} s", f"{_memory()} MB"])
    return table("Long files", ["what", "CPU", "most memory so far"], found)


def _write_edges(file: BinaryIO, lines: int) -> int:
    chance = np.random.default_rng(1)
    size = 0
    for begin in range(0, lines, 100_000):
        count = min(100_000, lines - begin)
        ends = chance.integers(0, max(10, lines // 20), (count, 2)).tolist()
        size += file.write(
            "".join(f"service-{one}\tservice-{other}\n" for one, other in ends).encode()
        )
    return size


def _survey(rows: int) -> bytes:
    chance = np.random.default_rng(1)
    size = max(10, rows // 20)
    pairs = np.unique(chance.integers(0, size * size, rows))
    every = [
        f"service-{pair // size},service-{pair % size},hard,run,data\n"
        for pair in pairs.tolist()
        if pair // size != pair % size
    ]
    return ("source,target,strength,at,risk\n" + "".join(every)).encode()


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--oracle")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=100_000)
    asked = parser.parse_args()
    has_sources = LISTS.is_dir() and any(LISTS.glob("*_Sources*"))
    debian = read_graph(lists()).graph if has_sources else None
    print(analyses(debian), flush=True)
    print(questions(debian), flush=True)
    print(availabilities(), flush=True)
    if asked.oracle:
        print(beside_others(asked.oracle, debian), flush=True)
    print(readers(asked.lines, asked.rows), flush=True)


if __name__ == "__main__":
    main()
