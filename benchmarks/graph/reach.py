"""Forms, rules, reach and heat: ``python -m benchmarks.graph.reach``.

Everything is in seconds of processor time, so that a busy machine shows less. The large graph is made of the package lists of
the Debian system that it runs on (sources as well, where ``DRYSTONE_APT_LISTS`` names a folder with their lists).
"""

from __future__ import annotations

import random
import time
from collections import deque
from datetime import date
from statistics import median

import numpy as np
from benchmarks.graph.debian import LISTS, lists
from benchmarks.graph.timing import timed
from benchmarks.stand import table

from drystone.l05_graph.arrays import Graph, graph_of
from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.closures import Closure, Labels
from drystone.l05_graph.findings import Rules
from drystone.l05_graph.forms import survey, survey_csv
from drystone.l05_graph.forms.survey_text import dump
from drystone.l05_graph.heat import heat, single_edges
from drystone.l05_graph.ingest.debian import read_graph
from drystone.l05_graph.model import Component, Dependency, Group, Model, checked
from drystone.l05_graph.rules import check
from drystone.l05_graph.tangles import tangles
from drystone.l05_graph.words import Phase, Plane, Risk, Strength


def layered(size: int = 2000, edges: int = 40_000, back: int = 60, seed: int = 1) -> Model:
    """Return a model in layers, with some dependencies that lead upwards."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < edges - back:
        one, other = chance.randrange(size), int(chance.random() ** 2 * size)
        if one // 50 > other // 50:
            pairs.add((one, other))
    while len(pairs) < edges:
        one, other = chance.randrange(size), chance.randrange(size)
        if one // 50 < other // 50:
            pairs.add((one, other))
    every = [
        Component(
            name=f"service-{number}",
            tier=max(0, number * 4 // size),
            layer=number // 50,
            plane=Plane.DATA if number % 5 else None,
            availability=1 - 10.0 ** -chance.uniform(3, 5),
            slo=0.99 if number % 20 == 0 else None,
        )
        for number in range(size)
    ]
    needs = [
        Dependency(
            source=f"service-{one}",
            target=f"service-{other}",
            strength=Strength.HARD if chance.random() < 0.55 else Strength.SOFT,
            at=(Phase.DEPLOY,) if chance.random() < 0.25 else (Phase.RUN,),
            risk=chance.choice(list(Risk)),
            without="goes on",
        )
        for one, other in sorted(pairs)
    ]
    return checked(every, needs)


def with_alternatives(model: Model, seed: int = 1) -> Model:
    """Return the model without its circles, in which many needs are one of two."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    numbers = model.numbers
    needs, groups = [], []
    for name, every in model.needs.items():
        below = [d for d in every if d.is_hard and numbers[d.target] // 50 < numbers[name] // 50]
        chance.shuffle(below)
        count = 0
        while len(below) >= 2 and chance.random() < 0.5:
            group = f"g{count}"
            count += 1
            groups.append(Group(component=name, name=group))
            needs += [
                Dependency(source=name, target=below.pop().target, group=group) for _ in range(2)
            ]
        needs += below
    return checked(model.components, needs, groups)


def forms_and_rules() -> str:
    """Read, write, compare with the rules: 2,000 components and 40,000 dependencies."""
    model = layered()
    text, tables = dump(model), survey_csv.dump(model)
    rows = [["build the model from its parts", f"{timed(layered)[0]:.2f}"]]
    rows.append(["read the YAML survey", f"{timed(lambda: survey.read(text))[0]:.2f}"])
    rows.append(["read the tables", f"{timed(lambda: survey_csv.read(*tables))[0]:.2f}"])
    rows.append(["write the survey", f"{timed(lambda: dump(model))[0]:.2f}"])
    took, found = timed(lambda: check(model, Rules(), date(2026, 1, 1)))
    rows.append([f"check all rules ({len(found)} findings)", f"{took:.2f}"])
    graph = graph_of(model)
    (largest, *_) = tangles(graph)
    size = f"{len(largest.members)} members, {len(largest.edges)} dependencies"
    rows.append([f"heat ({size})", f"{timed(lambda: heat(graph))[0]:.2f}"])
    rows.append(["single changes of it", f"{timed(lambda: single_edges(graph, largest))[0]:.2f}"])
    return table("2,000 components, 40,000 dependencies", ["what", "CPU s"], rows)


def availabilities() -> str:
    """The highest availability with many alternatives, beside bounds without decision diagrams."""
    model = with_alternatives(layered())
    took, every = timed(lambda: Availabilities(model))
    rows = [["single points of failure of all", f"{took:.2f}", "", ""]]
    for number in (400, 900, 1400, 1999):
        took, found = timed(lambda number=number: every.of(f"service-{number}"))  # type: ignore[misc]
        points = str(len(found.single_points))
        kind = (
            f"{found.highest:.7f}"
            if found.is_exact
            else f"{found.lowest:.5f} to {found.highest:.5f}"
        )
        rows.append([f"service-{number}", f"{took:.2f}", points, kind])
    return table("Availability", ["component", "CPU s", "single points", "highest"], rows)


def questions() -> str:
    """How long it takes to tell whether a dependency would close a circle."""
    rows = []
    graph = graph_of(layered())
    rows.append(_asked("2,000 / 40,000, bits", graph, Closure))
    rows.append(_asked("2,000 / 40,000, labels", graph, Labels))
    if LISTS.is_dir():
        large = read_graph(lists()).graph
        rows.append(_asked(f"Debian {large.size:,} / {len(large.source):,}, labels", large, Labels))
    head = [
        "graph",
        "build, CPU s",
        "median µs",
        "p99 µs",
        "most µs",
        "circles",
        "plain search, median µs",
    ]
    return table("Would it close a circle?", head, rows)


def _asked(title: str, graph: Graph, kind: type[Closure] | type[Labels]) -> list[str]:
    took, known = timed(lambda: kind(graph))
    chance = np.random.default_rng(0)
    pairs = chance.integers(0, graph.size, (20_000, 2)).tolist()
    times, hits = [], 0
    for source, target in pairs:
        begin = time.perf_counter_ns()
        hits += known.closes_circle(source, target)
        times.append((time.perf_counter_ns() - begin) / 1000)
    empty = median(_empty() for _ in range(1000))
    times = [max(0.0, one - empty) for one in sorted(times)]
    plain = _plain(graph, pairs[:200], known)
    return [
        title,
        f"{took:.2f}",
        f"{median(times):.2f}",
        f"{times[len(times) * 99 // 100]:.1f}",
        f"{times[-1]:.0f}",
        f"{hits / len(pairs):.1%}",
        f"{plain:.0f}",
    ]


def _empty() -> float:
    begin = time.perf_counter_ns()
    return (time.perf_counter_ns() - begin) / 1000


def _plain(graph: Graph, pairs: list[list[int]], known: Closure | Labels) -> float:
    below: list[list[int]] = [[] for _ in range(graph.size)]
    for one, other in zip(graph.source.tolist(), graph.target.tolist(), strict=True):
        below[one].append(other)
    times = []
    for source, target in pairs:
        begin = time.perf_counter_ns()
        seen, waiting = {target}, deque([target])
        while waiting and source not in seen:
            for one in below[waiting.popleft()]:
                if one not in seen:
                    seen.add(one)
                    waiting.append(one)
        times.append((time.perf_counter_ns() - begin) / 1000)
        assert (source in seen) == known.closes_circle(source, target)
    return median(times)


if __name__ == "__main__":
    for part in (forms_and_rules, availabilities, questions):
        print(part(), end="\n\n", flush=True)
