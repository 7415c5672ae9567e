"""What to change so that nothing needs itself in a circle: the dearest change first, each with the circle that it breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from drystone.l05_graph.arrays import Graph
from drystone.l05_graph.moves import Move, Step, Untangling
from drystone.l05_graph.tangles import TangleKind, tangles
from drystone.l05_graph.untangled import Circles, left
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
    size_of,
    wrapped,
)

DEEDS = {
    Move.REMOVE: "remove",
    Move.SOFTEN: "soften",
    Move.LATER: "need only at run time",
    Move.PILLAR: "make a fallback for",
    Move.LAYER: "move",
}


def untangling(
    answer: Untangling,
    found: Found,
    given: Given,
    *,
    paint: Paint = PLAIN,
    show_all: bool = False,
) -> Iterator[str]:
    """Tell what to change, why, what it costs, and what stays."""
    graph = given.graph
    size = size_of(graph.size, len(graph.source))
    yield from heading(given.name, size, _tangled(graph, paint), paint=paint)
    yield from (paint(note, Style.QUIET) for note in given.notes)
    for one in answer.contradictions:
        said = f"{graph.names[one.vertex]} cannot lie so low: what nobody can change needs layer {one.needs}"
        yield from wrapped(paint(said, Style.BAD), "")
    if not answer.steps and not answer.impossible:
        yield "nothing has to change"
        return
    total = f"{count(len(answer.steps), 'change')} for a cost of {cost(found.cost)}"
    yield from wrapped(f"{total}; {found.sentence()}", "")
    steps = sorted(answer.steps, key=lambda step: -step.cost)
    some, left_out = bounded(steps, show_all=show_all)
    circles = Circles(graph, answer)
    for step in some:
        yield ""
        yield from _step(step, given, circles, paint)
    if left_out:
        rest = sum(step.cost for step in steps[len(some) :])
        yield ""
        yield paint(more(left_out, f"for {cost(rest)}"), Style.QUIET)
    yield from _stays(answer, graph, paint, show_all=show_all)


def _tangled(graph: Graph, paint: Paint) -> str:
    hard = [one for one in tangles(graph) if one.kind is not TangleKind.SOFT]
    if not hard:
        return paint("no tangle of hard dependencies", Style.GOOD)
    kinds = Counter(one.kind for one in hard)
    members = sum(len(one.members) for one in hard)
    said = ", ".join(count(number, f"{kind} tangle") for kind, number in kinds.items())
    return f"{paint(said, Style.BAD)} with {count(members, 'component')}"


def _step(step: Step, given: Given, circles: Circles, paint: Paint) -> Iterator[str]:
    deed = paint(DEEDS[step.move], Style.NAME)
    price = paint(f"costs {cost(step.cost)}", Style.WARN)
    first = int(step.edges[0]) if len(step.edges) else None
    if step.move is Move.LAYER:
        yield from _layer(step, given, price, deed, paint)
        return
    if step.vertex is not None:
        name = given.graph.names[step.vertex]
        takers = [given.graph.names[one] for one in given.graph.source[step.edges].tolist()]
        yield f"{deed} {name}  {price}"
        yield from labelled("who", f"{named(dict.fromkeys(takers))} take it instead", paint=paint)
    else:
        place, said = "", _edge(given.graph, step)
        if first is not None and not given.is_edge_list:
            one = given.model.dependencies[first]
            place, said = given.place(one.key), one.sentence()
        yield f"{deed} {said}  {price}" + (f"  {paint(place, Style.QUIET)}" if place else "")
    if first is not None and (circle := circles.through(first)):
        yield from labelled("why", " → ".join(circle), paint=paint)


def _layer(step: Step, given: Given, price: str, deed: str, paint: Paint) -> Iterator[str]:
    assert step.vertex is not None  # noqa: S101 - whose layer it is
    names, graph = given.graph.names, given.graph
    name = names[step.vertex]
    place = given.place(name)
    said = f"{deed} {name} from layer {given.model.by_name[name].layer} to {step.layer}  {price}"
    yield said + (f"  {paint(place, Style.QUIET)}" if place else "")
    if step.path:
        path = [int(graph.source[step.path[0]]), *(int(graph.target[one]) for one in step.path)]
        yield from labelled("why", " → ".join(names[one] for one in path), paint=paint)


def _edge(graph: Graph, step: Step) -> str:
    edge = int(step.edges[0])
    return f"{graph.names[int(graph.source[edge])]} → {graph.names[int(graph.target[edge])]}"


def _stays(answer: Untangling, graph: Graph, paint: Paint, *, show_all: bool) -> Iterator[str]:
    """Tell the tangles that are left: those that start together, and those that nobody can change."""
    stay = [one for one in tangles(left(graph, answer)) if one.kind is not TangleKind.SOFT]
    if not stay:
        return
    yield ""
    yield paint("what stays", Style.NAME)
    some, left_out = bounded(stay, show_all=show_all, most=5)
    for one in some:
        names = [graph.names[vertex] for vertex in one.members.tolist()]
        is_fixed = one.kind is TangleKind.DEADLOCK or answer.impossible
        why = "nothing in it can be changed" if is_fixed else "they start together"
        yield from wrapped(f"{one.kind} of {named(names)}: {why}", "  ", "    ")
    if left_out:
        yield paint(f"  {more(left_out, 'tangles')}", Style.QUIET)


def document(answer: Untangling, found: Found, given: Given) -> Mapping[str, Any]:
    """Return what a machine is told."""
    graph = given.graph
    # What a pillar replaces is still there for all others, so only whole removals and softenings are a cut.
    cut = [
        edge
        for step in answer.steps
        if step.move in (Move.REMOVE, Move.SOFTEN)
        for edge in step.edges.tolist()
    ]
    return {
        "components": graph.size,
        "dependencies": len(graph.source),
        "cost": found.cost,
        "lower_bound": found.bound,
        "gap": found.gap,
        "proven": found.is_proven,
        "seconds": round(found.elapsed.total_seconds(), 3),
        "stopped": found.was_stopped,
        "cut": [_ends(graph, edge) for edge in cut],
        "steps": [_step_document(step, graph) for step in answer.steps],
        "impossible": [
            [graph.names[int(graph.source[edge])] for edge in cycle.tolist()]
            for cycle in answer.impossible
        ],
        "contradictions": [
            {"component": graph.names[one.vertex], "needs": one.needs}
            for one in answer.contradictions
        ],
        "notes": list(given.notes),
    }


def _ends(graph: Graph, edge: int) -> list[str]:
    return [graph.names[int(graph.source[edge])], graph.names[int(graph.target[edge])]]


def _step_document(step: Step, graph: Graph) -> Mapping[str, Any]:
    return {
        "move": step.move,
        "cost": step.cost,
        "component": None if step.vertex is None else graph.names[step.vertex],
        "layer": step.layer,
        "dependencies": [_ends(graph, edge) for edge in step.edges.tolist()],
    }
