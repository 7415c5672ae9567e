"""Layers as a cake, the highest first, and the dependencies that do not lead downwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drystone.l05_graph.arrays import Numbers
from drystone.l05_graph.layers import Layers
from drystone.l05_graph.pinned import Contradiction
from drystone.l85_surfaces.cli.dependencies.reading import Given
from drystone.l85_surfaces.cli.dependencies.searching import Found
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.text import (
    bounded,
    cost,
    count,
    heading,
    labelled,
    more,
    named,
    numbered,
    size_of,
    wrapped,
)

MOST_IN_A_LAYER = 8
MOST_LAYERS = 40
MOST_VIOLATIONS = 10


def layers(
    answer: Layers,
    found: Found,
    given: Given,
    pins: Mapping[int, int],
    *,
    paint: Paint = PLAIN,
    show_all: bool = False,
) -> Iterator[str]:
    """Tell the layers, then what violates them."""
    graph = given.graph
    by_layer: dict[int, list[str]] = {}
    for vertex, layer in enumerate(answer.layer.tolist()):
        by_layer.setdefault(layer, []).append(graph.names[vertex] + "*" * (vertex in pins))
    size = size_of(graph.size, len(graph.source))
    total = f"{count(len(by_layer), 'layer')}, {_violations(answer, found, paint)}"
    yield from heading(given.name, size, total, paint=paint)
    yield from (paint(note, Style.QUIET) for note in given.notes)
    if len(answer.violations):
        yield from wrapped(found.sentence(), "")
    if pins:
        yield paint("* decided in the model", Style.QUIET)
    yield ""
    heights, left_out = bounded(sorted(by_layer, reverse=True), show_all=show_all, most=MOST_LAYERS)
    wide = len(str(max(by_layer, default=0)))
    for height in heights:
        names = by_layer[height]
        text = named(names, most=len(names) if show_all else MOST_IN_A_LAYER)
        yield from numbered(height, wide, text, paint=paint)
    if left_out:
        yield paint(more(left_out, "lower layers"), Style.QUIET)
    yield from _told(answer, given, paint, show_all=show_all)


def _violations(answer: Layers, found: Found, paint: Paint) -> str:
    if not len(answer.violations) and not len(answer.moved) and not answer.contradictions:
        return paint("every hard dependency leads downwards", Style.GOOD)
    what = count(len(answer.violations), "dependency", "dependencies")
    verb = "does" if len(answer.violations) == 1 else "do"
    return paint(f"{what} {verb} not lead downwards", Style.BAD) + f", for {cost(found.cost)}"


def _told(answer: Layers, given: Given, paint: Paint, *, show_all: bool) -> Iterator[str]:
    violations = answer.violations.tolist()
    some, left_out = bounded(violations, show_all=show_all, most=MOST_VIOLATIONS)
    for edge in some:
        source, target = int(given.graph.source[edge]), int(given.graph.target[edge])
        at = (int(answer.layer[source]), int(answer.layer[target]))
        names = (given.graph.names[source], given.graph.names[target])
        price = paint(f"costs {cost(float(given.graph.cost[edge]))}", Style.WARN)
        place = "" if given.is_edge_list else given.place(given.model.dependencies[edge].key)
        where = f"  {paint(place, Style.QUIET)}" if place else ""
        way = "stays on layer" if at[0] == at[1] else "leads up to layer"
        yield ""
        yield f"{paint('change', Style.NAME)} {names[0]} → {names[1]}  {price}{where}"
        yield from labelled("why", f"from layer {at[0]} it {way} {at[1]}", paint=paint)
        yield from labelled("do", "remove or soften it, or decide other layers", paint=paint)
    if left_out:
        yield ""
        yield paint(more(left_out, "dependencies"), Style.QUIET)
    for one in answer.contradictions:
        yield ""
        yield from _contradiction(one, given, paint)


def _contradiction(one: Contradiction, given: Given, paint: Paint) -> Iterator[str]:
    name = given.graph.names[one.vertex]
    decided = None if given.is_edge_list else given.model.by_name[name].layer
    yield f"{paint('impossible', Style.BAD)} {name} on layer {decided}"
    yield from labelled("why", " → ".join(_way(one.path, given)), paint=paint)
    yield from labelled(
        "do", f"let it lie on layer {one.needs} or above; nobody can change these", paint=paint
    )


def _way(edges: Numbers, given: Given) -> list[str]:
    graph, numbers = given.graph, edges.tolist()
    return [
        *(graph.names[int(graph.source[edge])] for edge in numbers[:1]),
        *(graph.names[int(graph.target[edge])] for edge in numbers),
    ]


def document(
    answer: Layers, found: Found, given: Given, pins: Mapping[int, int]
) -> Mapping[str, Any]:
    """Return what a machine is told."""
    graph = given.graph
    names = graph.names
    return {
        "cost": found.cost,
        "lower_bound": found.bound,
        "gap": found.gap,
        "proven": found.is_proven,
        "seconds": round(found.elapsed.total_seconds(), 3),
        "stopped": found.was_stopped,
        "layers": {names[vertex]: layer for vertex, layer in enumerate(answer.layer.tolist())},
        "decided": {names[vertex]: layer for vertex, layer in pins.items()},
        "violations": [
            [names[int(graph.source[edge])], names[int(graph.target[edge])]]
            for edge in answer.violations.tolist()
        ],
        "contradictions": [
            {"component": names[one.vertex], "needs": one.needs, "path": _way(one.path, given)}
            for one in answer.contradictions
        ],
        "notes": list(given.notes),
    }
