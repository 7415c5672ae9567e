"""Where it hurts, the hottest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

from drystone.l05_graph.arrays import Graph
from drystone.l05_graph.heat import Heat, Single, single_edges, single_vertices
from drystone.l05_graph.heat import heat as heat_of
from drystone.l05_graph.moves import Untangling
from drystone.l05_graph.tangles import Tangle, TangleKind, tangles
from drystone.l05_graph.untangled import changed
from drystone.l85_surfaces.cli.dependencies.reading import Given
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.deps.text import bounded, cost, count, more
from drystone.l85_surfaces.cli.views.tables import table

MOST_ROWS = 15
MOST_TANGLES = 3
MOST_SINGLES = 3
LARGEST = 3000
"""Single changes are looked for in tangles up to this size: each is tried."""


class Hot(NamedTuple):
    """How hot everything is, and which edges are in the cheapest cut."""

    heat: Heat
    cut: frozenset[int]
    singles: Sequence[tuple[Tangle, Sequence[Single], Sequence[Single]]]

    @classmethod
    def of(cls, graph: Graph, answer: Untangling) -> Self:
        """Find out."""
        hard = [one for one in tangles(graph) if one.kind is not TangleKind.SOFT]
        large = sorted(hard, key=lambda one: -len(one.members))[:MOST_TANGLES]
        flags = changed(graph, answer)
        return cls(
            heat_of(graph, flags),
            frozenset(flags.nonzero()[0].tolist()),
            [
                (one, single_edges(graph, one), single_vertices(graph, one))
                for one in large
                if len(one.members) <= LARGEST
            ],
        )


def heat(
    found: Hot, given: Given, *, paint: Paint = PLAIN, show_all: bool = False
) -> Iterator[str]:
    """Tell the hottest dependencies and components, and single changes that help."""
    graph = given.graph
    warm = [edge for edge in _sorted(found.heat.edges.tolist()) if found.heat.edges[edge] > 0]
    if not warm:
        yield f"{paint(given.name, Style.NAME)}: {paint('no tangle of hard dependencies, so nothing is hot', Style.GOOD)}"
        return
    what = count(len(warm), "dependency", "dependencies")
    yield f"{paint(given.name, Style.NAME)}: {what} in tangles, {len(found.cut):,} in the cheapest cut"
    yield ""
    some, left_out = bounded(warm, show_all=show_all, most=MOST_ROWS)
    rows = [
        (
            f"{graph.names[int(graph.source[edge])]} → {graph.names[int(graph.target[edge])]}",
            _bar(float(found.heat.edges[edge])),
            f"{int(found.heat.circles[edge]):,}",
            cost(float(graph.cost[edge])),
            Piece("in the cut", Style.BAD) if edge in found.cut else "",
        )
        for edge in some
    ]
    yield from table(("dependency", "heat", "circles", "cost", ""), rows, paint=paint)
    if left_out:
        yield paint(more(left_out), Style.QUIET)
    yield ""
    yield from _components(found, graph, paint, show_all=show_all)
    yield from _singles(found, graph, paint)


def _sorted(heats: Sequence[float]) -> list[int]:
    return sorted(range(len(heats)), key=lambda one: (-heats[one], one))


def _bar(share: float) -> Piece:
    style = Style.BAD if share > 0.5 else Style.WARN if share > 0.25 else None
    return Piece("█" * max(1, round(share * 10)), style)


def _components(found: Hot, graph: Graph, paint: Paint, *, show_all: bool) -> Iterator[str]:
    heats = found.heat.vertices.tolist()
    warm = [one for one in _sorted(heats) if heats[one] > 0]
    some, left_out = bounded(warm, show_all=show_all, most=MOST_ROWS)
    rows = [(graph.names[one], _bar(heats[one])) for one in some]
    yield from table(("component", "heat"), rows, paint=paint)
    if left_out:
        yield paint(more(left_out), Style.QUIET)


def _singles(found: Hot, graph: Graph, paint: Paint) -> Iterator[str]:
    for tangle, edges, vertices in found.singles:
        size = len(tangle.members)
        first = graph.names[int(tangle.members[0])]
        yield ""
        yield paint(f"the {tangle.kind} of {size:,} components around {first}", Style.NAME)
        if not edges and not vertices:
            yield "  no single change makes it smaller"
        for one in edges[:MOST_SINGLES]:
            ends = f"{graph.names[int(graph.source[one.number])]} → {graph.names[int(graph.target[one.number])]}"
            yield f"  without {ends}: {_left(one)}"
        for one in vertices[:MOST_SINGLES]:
            yield f"  if nobody in it needed {graph.names[one.number]}: {_left(one)}"


def _left(one: Single) -> str:
    return f"{one.left:,} are still tangled" if one.left else "no tangle is left"


def document(found: Hot, given: Given) -> Mapping[str, Any]:
    """Return what a machine is told."""
    graph, heats = given.graph, found.heat
    return {
        "dependencies": [
            {
                "source": graph.names[int(graph.source[edge])],
                "target": graph.names[int(graph.target[edge])],
                "heat": float(heats.edges[edge]),
                "circles": int(heats.circles[edge]),
                "in_cut": edge in found.cut,
            }
            for edge in _sorted(heats.edges.tolist())
            if heats.edges[edge] > 0
        ],
        "components": {
            graph.names[one]: float(heats.vertices[one])
            for one in _sorted(heats.vertices.tolist())
            if heats.vertices[one] > 0
        },
    }
