"""The tangles of a model, and one of them with the cheapest moves that untangle it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drystone.l05_graph.arrays import Numbers
from drystone.l05_graph.heat import single_edges, single_vertices
from drystone.l05_graph.moves import Goal, Move, Step, Untangling
from drystone.l05_graph.words import TangleKind
from drystone.l80_governance.dependencies.drafts import as_changes, written
from drystone.l80_governance.dependencies.drawing.around import (
    MOST,
    Around,
    columns_by_layer,
    picture,
)
from drystone.l80_governance.dependencies.html import Html, Node, joined, link, tag
from drystone.l80_governance.dependencies.listing import part_of, turns
from drystone.l80_governance.dependencies.pages.layout import kept
from drystone.l80_governance.dependencies.pages.overview import tangle_table
from drystone.l80_governance.dependencies.pages.scenario import address
from drystone.l80_governance.dependencies.parts import (
    Column,
    counted,
    facts,
    figure,
    kind_mark,
    section,
    table,
)
from drystone.l80_governance.dependencies.untangling import MOST_SECONDS, Question, State
from drystone.l80_governance.dependencies.view import Page, View

PATH = "tangles"
MOST_WITNESSES = 8
_MOST_STEPS = 100
_MOST_MEMBERS = 100
_MOST_FOR_SINGLES = 2000
_MEANING = {
    TangleKind.DEADLOCK: "After a loss of all, none of its members ever serves again by itself: each needs another"
    " before it serves.",
    TangleKind.CO_START: "Its members only work together: all must be in place before one serves.",
    TangleKind.SOFT: "It is a circle only because of soft dependencies: it slows a recovery down, and does not prevent it.",
}
_MOVES = {
    Move.REMOVE: "Remove",
    Move.SOFTEN: "Soften",
    Move.LATER: "Need at run time only",
    Move.PILLAR: "Make a fallback",
    Move.LAYER: "Move a decided layer",
}


def tangles(view: View) -> Page:
    """List the tangles."""
    if not view.analysis.tangles:
        text = "Nothing needs itself in a circle."
        return Page(
            title="Tangles",
            lead=text,
            body=tag("p", "There is nothing to untangle.", class_="empty"),
            path=PATH,
        )
    part = part_of(view, len(view.analysis.tangles))
    meaning = [(str(kind), text) for kind, text in _MEANING.items()]
    return Page(
        title="Tangles",
        lead="Components that need each other in a circle. Open one to see what is cheapest to change.",
        body=joined(
            tangle_table(view, view.analysis.tangles[part.begin : part.end]),
            turns(view, PATH, part),
            section("What the kinds mean", facts(meaning)),
        ),
        path=PATH,
    )


def tangle(view: View, question: Question, state: State | None) -> Page:
    """Show a tangle, and what its untangling has come to.

    Args:
        view: What is looked at.
        question: Which tangle, and what may be done.
        state: Of the search; None where none is needed.
    """
    one = question.tangle
    answer = state.answer if state is not None else None
    goes_on = state is not None and state.goes_on
    parts = [_ask(view, question), _progress(view, question, state)] if state is not None else []
    return Page(
        title=f"A tangle of {counted(len(one.members), 'component')}",
        lead=joined(kind_mark(one.kind), " ", _MEANING[one.kind]),
        body=joined(
            parts,
            _moves(view, answer) if answer is not None else None,
            _picture(view, question, answer),
            _witnesses(view, answer) if answer is not None else None,
            _singles(view, question) if state is not None else None,
            _members(view, question),
        ),
        path=PATH,
        scripts=("tangle.js",) if goes_on else (),
        refresh=2 if goes_on else None,
    )


def _ask(view: View, question: Question) -> Html:
    """Let people choose what may be done."""
    hidden = [
        tag("input", type="hidden", name=key, value=view.asked.text(key)) for key in ("of", "kind")
    ]
    boxes = [
        tag(
            "label",
            tag(
                "input",
                type="checkbox",
                name="move",
                value=str(move),
                checked=move in question.moves,
            ),
            name,
        )
        for move, name in _MOVES.items()
    ]
    goals = {Goal.NO_TANGLE: "no circle at all", Goal.NO_DEADLOCK: "no deadlock"}
    options = [
        tag("option", text, value=str(goal), selected=goal is question.goal)
        for goal, text in goals.items()
    ]
    limit = tag(
        "input",
        type="number",
        id="f-limit",
        name="limit",
        value=question.seconds,
        min=1,
        max=MOST_SECONDS,
    )
    return tag(
        "form",
        hidden,
        kept(view),
        tag("fieldset", tag("legend", "What may be done"), tag("div", boxes, class_="choices")),
        tag(
            "div",
            tag("label", "What shall be left", for_="f-goal"),
            tag("select", options, id="f-goal", name="goal"),
        ),
        tag("div", tag("label", "Seconds to search", for_="f-limit"), limit),
        tag("div", tag("button", "Untangle", type="submit", class_="main"), class_="actions"),
        method="get",
        action=link("tangle"),
        class_="filters",
    )


def _progress(view: View, question: Question, state: State) -> Html:
    """Say how far the search is, and let it be ended."""
    return tag(
        "div", _said(view, question, state), id="search-said", role="status", aria_live="polite"
    )


def _said(view: View, question: Question, state: State) -> Html:
    if state.is_ended:
        return tag("p", "The search was ended. Untangle again to begin anew.", class_="empty")
    if state.answer is not None:
        return _verdict(state.answer)
    fields = [
        tag("input", type="hidden", name=key, value=value)
        for key in view.asked.words()
        for value in view.asked.texts(key)
    ]
    cancel = tag(
        "form",
        fields,
        tag("button", "End the search", type="submit"),
        method="post",
        action=link("end-search"),
    )
    said = f"Searching, for {question.seconds} s at most; {state.text}."
    return tag("div", tag("p", said), cancel, class_="searching")


def _verdict(answer: Untangling) -> Html:
    if answer.impossible and not answer.steps:
        mood, sign, text = "bad", "✗", "None of what makes it one may be changed."
    elif answer.is_proven:
        mood, sign = "good", "✓"
        text = f"{counted(len(answer.steps), 'move')} for {answer.cost:.6g}: proven, nothing cheaper does it."
    else:
        mood, sign = "careful", "!"
        text = (
            f"{counted(len(answer.steps), 'move')} for {answer.cost:.6g}; nothing costs less than {answer.bound:.6g}"
            f" ({100 * answer.gap:.1f} % may be too much). Search longer for a better answer or a proof."
        )
    return tag(
        "p",
        tag("span", sign, aria_hidden="true", class_="sign"),
        tag("span", tag("strong", text)),
        class_=f"verdict {mood}",
    )


def _moves(view: View, answer: Untangling) -> Html | None:
    if not answer.steps:
        return None
    rows = [_step(view, step) for step in answer.steps[:_MOST_STEPS]]
    columns = [
        Column("Move"),
        Column("What"),
        Column("What for"),
        Column("Owner"),
        Column("Cost", is_number=True),
    ]
    shown = counted(len(answer.steps), "move")
    more = f", of which {_MOST_STEPS} are shown" if len(answer.steps) > _MOST_STEPS else ""
    return section(
        "The cheapest moves",
        table(f"{shown} that together untangle it{more}", columns, rows),
        _try(view, answer),
        name="moves",
    )


def _try(view: View, answer: Untangling) -> Html | None:
    """Lead to a scenario in which the moves are made."""
    changes = as_changes(view.analysis.model, answer.steps)
    if changes is None:
        return None
    there = address("scenario", view, written(changes))
    text = "Try these moves in a scenario"
    return tag("p", tag("a", text, href=there, class_="button"), class_="more")


def _step(view: View, step: Step) -> list[Node]:
    model = view.analysis.model
    first = model.dependencies[int(step.edges[0])] if len(step.edges) else None
    if step.move is Move.LAYER and step.vertex is not None:
        one = model.components[step.vertex]
        what = joined(view.service(one.name), f" from layer {one.layer} to {step.layer}")
        return [_MOVES[step.move], what, None, one.owner, f"{step.cost:.6g}"]
    if step.vertex is not None:
        pillar = model.components[step.vertex]
        takers = dict.fromkeys(model.dependencies[int(e)].source for e in step.edges)
        listed: list[Node] = [view.service(pillar.name), " for "]
        listed += [
            joined(", " if at else None, view.service(name, length=30))
            for at, name in enumerate(list(takers)[:6])
        ]
        more = f" and {len(takers) - 6} more" if len(takers) > 6 else None
        return [_MOVES[step.move], joined(listed, more), None, pillar.owner, f"{step.cost:.6g}"]
    assert first is not None  # noqa: S101 - every other move changes an edge
    owner = model.by_name[first.source].owner
    return [
        _MOVES[step.move],
        view.dependency(first),
        f"{first.risk}, at {', '.join(first.at)}",
        owner,
        f"{step.cost:.6g}",
    ]


def _picture(view: View, question: Question, answer: Untangling | None) -> Html:
    one = question.tangle
    cut = {int(e) for step in answer.steps for e in step.edges} if answer is not None else set()
    vertices, edges = _drawn(view, one.members, one.edges, cut, answer)
    columns = columns_by_layer(view, vertices)
    if len(columns) == 1:
        columns = [vertices[at::3] for at in range(3) if vertices[at::3]]
    about = f"The tangle: {counted(len(vertices), 'component')}, the highest layers on the left"
    drawn = picture(view, Around(columns=columns, edges=edges, cut=cut, about=about, marks=False))
    left_out = len(one.members) - len(vertices)
    more = (
        f"{left_out:,} more components are not drawn: these are the ones next to what changes."
        if left_out
        else None
    )
    return section(
        "As a picture",
        figure(
            drawn,
            tag("span", "hard", class_="key hard"),
            tag("span", "hard, not leading down", class_="key wrong"),
            tag("span", "changed by a move", class_="key cut") if cut else None,
            tag("span", more) if more else None,
            to="members",
            text="Skip the picture",
        ),
        name="picture",
    )


def _drawn(
    view: View, members: Numbers, edges: Numbers, cut: set[int], answer: Untangling | None
) -> tuple[list[int], list[int]]:
    """Choose what is drawn: all of a small tangle, and of a large one what the circles lead through that are cut."""
    graph = view.analysis.graph
    if len(members) <= MOST and len(edges) <= 3 * MOST:
        return members.tolist(), edges.tolist()
    rows = answer.witnesses if answer is not None else ()
    chosen: dict[int, None] = dict.fromkeys(sorted(cut)[: MOST // 4])
    for row in rows:
        if len(chosen) + len(row) > MOST // 2:
            break
        chosen |= dict.fromkeys(row.tolist())
    if not chosen:
        chosen = dict.fromkeys(
            edges[np.argsort(-view.analysis.heat.edges[edges], kind="stable")][:60].tolist()
        )
    ends = dict.fromkeys(int(v) for e in chosen for v in (graph.source[e], graph.target[e]))
    return list(ends)[:MOST], list(chosen)


def _witnesses(view: View, answer: Untangling) -> Html | None:
    if not answer.witnesses:
        return None
    rows = sorted(answer.witnesses, key=len)[:MOST_WITNESSES]
    items = [tag("li", _circle(view, row)) for row in rows]
    lead = (
        f"Each of these circles must lose a dependency, and that makes the bound of {answer.bound:.6g}."
        f" The {len(rows)} shortest of {len(answer.witnesses):,}:"
    )
    return section("Why not less", tag("ul", items, class_="circles"), lead=lead, name="witnesses")


def _circle(view: View, row: Numbers) -> Html:
    """Show a circle; a witness names those of its dependencies that can be changed."""
    model = view.analysis.model
    names = _round(
        [(model.dependencies[int(e)].source, model.dependencies[int(e)].target) for e in row]
    )
    return tag(
        "ol",
        [tag("li", view.service(name, length=30)) for name in names],
        class_="path",
        aria_label="Circle",
    )


def _round(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Put dependencies of a circle one after the other, as far as they meet."""
    following = dict(pairs)
    here = pairs[0][0]
    names = [here]
    while here in following:
        here = following.pop(here)
        names.append(here)
    return names


def _singles(view: View, question: Question) -> Html | None:
    """Tell which single change makes the tangle smaller."""
    one, model = question.tangle, view.analysis.model
    if len(one.members) > _MOST_FOR_SINGLES:
        return None
    edges, vertices = (
        single_edges(view.analysis.graph, one)[:6],
        single_vertices(view.analysis.graph, one)[:6],
    )
    found = [
        (each.left, 0, view.dependency(model.dependencies[each.number]), each) for each in edges
    ]
    found += [
        (each.left, 1, view.service(model.components[each.number].name), each) for each in vertices
    ]
    found.sort(key=lambda row: row[:2])
    rows: list[list[Node]] = [
        [name, ("dependency", "component")[kind], f"{left:,}", f"{each.largest:,}"]
        for left, kind, name, each in found
    ]
    columns = [
        Column("Without"),
        Column("A"),
        Column("Tangled still", is_number=True),
        Column("Largest tangle left", is_number=True),
    ]
    return section(
        "What a single change would do",
        table("The best of them first", columns, rows, empty="No single change makes it smaller."),
        name="singles",
    )


def _members(view: View, question: Question) -> Html:
    members = question.tangle.members
    names = [view.analysis.model.components[int(v)].name for v in members[:_MOST_MEMBERS]]
    items = [tag("li", view.service(name)) for name in names]
    rest = len(members) - len(items)
    more = tag("p", f"and {rest:,} more", class_="more") if rest > 0 else None
    return section("Members", tag("ul", items, class_="names"), more, name="members")
