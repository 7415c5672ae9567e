"""Tangles: how many of which kind, the worst and largest first, each with a short circle that shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drystone.l05_graph.arrays import Graph
from drystone.l05_graph.tangles import Tangle, TangleKind, circle_in
from drystone.l85_surfaces.cli.dependencies.reading import Given
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.meanings import MEANINGS, STYLES
from drystone.l85_surfaces.cli.views.deps.text import (
    bounded,
    count,
    labelled,
    more,
    named,
    size_of,
)


def tangles(
    found: Sequence[Tangle], given: Given, *, paint: Paint = PLAIN, show_all: bool = False
) -> Iterator[str]:
    """Tell the tangles."""
    graph = given.graph
    size = size_of(graph.size, len(graph.source))
    yield f"{paint(given.name, Style.NAME)}: {size}; {_totals(found, paint)}"
    yield from (paint(note, Style.QUIET) for note in given.notes)
    some, left_out = bounded(found, show_all=show_all)
    for one in some:
        yield ""
        yield from _tangle(one, graph, paint, show_all=show_all)
    if left_out:
        yield ""
        yield paint(more(left_out, "tangles"), Style.QUIET)


def _totals(found: Sequence[Tangle], paint: Paint) -> str:
    if not found:
        return paint("no tangle", Style.GOOD)
    counts = Counter(one.kind for one in found)
    return ", ".join(
        paint(count(counts[kind], f"{kind} tangle"), STYLES[kind])
        for kind in TangleKind
        if counts[kind]
    )


def _tangle(one: Tangle, graph: Graph, paint: Paint, *, show_all: bool) -> Iterator[str]:
    names = [graph.names[vertex] for vertex in one.members.tolist()]
    edges = count(len(one.edges), "dependency", "dependencies")
    yield f"{paint(one.kind, STYLES[one.kind])} of {count(len(names), 'component')}, {edges}"
    yield from labelled("what", MEANINGS[one.kind], paint=paint)
    yield from labelled("who", named(names, most=len(names) if show_all else 12), paint=paint)
    yield from labelled("why", " → ".join(circle(one, graph)), paint=paint)
    if len(one.stuck) and len(one.stuck) < len(names):
        stuck = [graph.names[vertex] for vertex in one.stuck.tolist()]
        yield from labelled("stuck", f"{named(stuck)} cannot even be put in place", paint=paint)


def circle(one: Tangle, graph: Graph) -> list[str]:
    """Return the names on a short circle of a tangle, from one back to itself."""
    edges = circle_in(graph, one).tolist()
    first = [graph.names[int(graph.source[edge])] for edge in edges[:1]]
    return first + [graph.names[int(graph.target[edge])] for edge in edges]


def document(found: Sequence[Tangle], graph: Graph) -> Mapping[str, Any]:
    """Return what a machine is told."""
    return {
        "components": graph.size,
        "dependencies": len(graph.source),
        "tangles": [
            {
                "kind": one.kind,
                "members": [graph.names[vertex] for vertex in one.members.tolist()],
                "dependencies": len(one.edges),
                "stuck": [graph.names[vertex] for vertex in one.stuck.tolist()],
                "circle": circle(one, graph),
            }
            for one in found
        ],
    }
