"""Every dependency, to be filtered and sorted; never more of them at once than one can read."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import numpy as np

from drystone.l05_graph.arrays import BITS, Flags, Numbers
from drystone.l05_graph.words import Phase, Risk, Strength
from drystone.l80_governance.dependencies.bands import cake_of
from drystone.l80_governance.dependencies.errors import QuestionUnclear
from drystone.l80_governance.dependencies.html import Node, between, joined, tag
from drystone.l80_governance.dependencies.listing import (
    choose,
    filters,
    part_of,
    sortable,
    turns,
    write,
)
from drystone.l80_governance.dependencies.pages.traffic import TOOK_ABOUT, seen_cells
from drystone.l80_governance.dependencies.parts import Column, counted, strength_mark, table
from drystone.l80_governance.dependencies.view import Page, View, in_address

PATH = "dependencies"


class Where(StrEnum):
    """Which part of the graph."""

    UPWARD = "upward"
    TANGLED = "tangled"
    SAME = "same-layer"


_NAMES = {
    Where.UPWARD: "hard, not leading down",
    Where.TANGLED: "inside of tangles",
    Where.SAME: "in one layer",
}
_COLUMNS = {
    "source": Column("Needs"),
    "target": Column("Is needed"),
    "strength": Column("How much"),
    "_at": Column("When"),
    "risk": Column("What for"),
    "from": Column("From layer", is_number=True),
    "to": Column("To layer", is_number=True),
    "cost": Column("Cost to remove", is_number=True),
    "heat": Column("Heat", is_number=True, about="How much of the tangles hangs on it, of 100"),
    "_note": Column("Without it"),
}
_SEEN = {
    "calls": Column("Calls", is_number=True, about="As the source counted that saw most of them"),
    "_errors": Column("Failed", is_number=True),
    "_took": Column("Took", is_number=True, about=TOOK_ABOUT),
    "_seen": Column("Seen first, last, and by"),
}
_SORTS = [word for key in (*_COLUMNS, *_SEEN) if key[0] != "_" for word in (key, f"-{key}")]


def dependencies(view: View) -> Page:
    """List the dependencies that are asked for."""
    asked = view.asked
    chosen = np.nonzero(_fitting(view))[0]
    sort = asked.choice("sort", _SORTS, "source")
    order = _sorted(view, chosen, sort)
    part = part_of(view, len(order))
    form = filters(
        view,
        PATH,
        write(view, "source", "Who needs"),
        write(view, "target", "What is needed"),
        choose(view, "strength", "How much", Strength),
        choose(view, "at", "When", Phase),
        choose(view, "risk", "What for", Risk),
        choose(view, "where", "Where", {str(one): name for one, name in _NAMES.items()}),
        _bands(view),
    )
    total = len(view.analysis.model.dependencies)
    caption = counted(len(order), "dependency", "dependencies")
    columns = _columns(view, sort)
    rows = [_row(view, int(e), columns) for e in order[part.begin : part.end]]
    listed = table(
        caption + (" as asked for" if len(order) < total else ""),
        sortable(view, PATH, columns, sort),
        rows,
        empty="No dependency is like that.",
    )
    return Page(
        title="Dependencies",
        lead="Who needs whom, how much, when and what for.",
        body=joined(form, tag("div", listed, role="status"), turns(view, PATH, part)),
        path=PATH,
    )


def _columns(view: View, sort: str) -> dict[str, Column]:
    """Choose columns: what traffic showed takes the place of what matters less, and of that what is sorted by stays."""
    if not view.analysis.evidence.batches:
        return _COLUMNS
    less = {"_note", "cost", "heat"} - {sort.removeprefix("-")}
    return {key: one for key, one in _COLUMNS.items() if key not in less} | _SEEN


def _fitting(view: View) -> Flags:
    """Return which dependencies are asked for."""
    asked, graph = view.asked, view.analysis.graph
    fits = _of_kind(view)
    for key, ends in (("source", graph.source), ("target", graph.target)):
        if asked.text(key):
            fits &= _named(view, asked.text(key))[ends]
    for key, ends in (("from", graph.source), ("to", graph.target)):
        if asked.text(key):
            cake = cake_of(view.analysis)
            fits &= cake.of[ends] == _band(view, key, len(cake.bands))
    return fits


def _of_kind(view: View) -> Flags:
    """Return which dependencies have the attributes that are asked for."""
    analysis, asked = view.analysis, view.asked
    graph, every = analysis.graph, analysis.model.dependencies
    fits = np.ones(len(every), np.bool_)
    strength, risk = asked.word("strength", Strength), asked.word("risk", Risk)
    phase, where = asked.word("at", Phase), asked.word("where", Where)
    if strength is not None:
        fits &= np.array([one.strength is strength for one in every], np.bool_)
    if risk is not None:
        fits &= np.array([one.risk is risk for one in every], np.bool_)
    if phase is not None:
        fits &= (graph.at & BITS[phase]) > 0
    if where is not None:
        fits &= {
            Where.UPWARD: analysis.upward,
            Where.TANGLED: analysis.tangled,
            Where.SAME: analysis.layer[graph.source] == analysis.layer[graph.target],
        }[where]
    return fits


def _named(view: View, text: str) -> Flags:
    """Return which components are meant: the one of that name, or else all with the text in theirs."""
    names = view.analysis.graph.names
    exact = [name == text or in_address(name) == text for name in names]
    if any(exact):
        return np.array(exact, np.bool_)
    return np.array([text.casefold() in name.casefold() for name in names], np.bool_)


def _band(view: View, key: str, count: int) -> int:
    number = view.asked.number(key, 0)
    if number >= count:
        raise QuestionUnclear(f"{key} is {number}; there are bands 0 to {count - 1}")
    return number


def _bands(view: View) -> Node:
    """Keep to the bands that a picture has led here with."""
    cake = cake_of(view.analysis)
    if not (view.asked.text("from") or view.asked.text("to")):
        return None
    names = {str(number): band.label for number, band in enumerate(cake.bands)}
    return [
        choose(view, "from", "From", names),
        choose(view, "to", "To", names),
    ]


def _sorted(view: View, chosen: Numbers, sort: str) -> Numbers:
    analysis, graph = view.analysis, view.analysis.graph
    every = analysis.model.dependencies
    word, sign = sort.removeprefix("-"), -1 if sort.startswith("-") else 1
    if word in {"source", "target", "strength", "risk"}:

        def key(edge: int) -> tuple[str, str, str]:
            one = every[edge]
            first = {"target": one.target, "strength": one.strength, "risk": one.risk}
            return (first.get(word, one.source), one.source, one.target)

        return np.array(sorted(chosen.tolist(), key=key, reverse=sign < 0), np.int64)
    values = {
        "from": analysis.layer[graph.source],
        "to": analysis.layer[graph.target],
        "cost": graph.cost,
        "heat": analysis.heat.edges if word == "heat" else graph.cost,
        "calls": _calls(view) if word == "calls" else graph.cost,
    }[word][chosen]
    return chosen[np.argsort(sign * values, kind="stable")]


def _calls(view: View) -> Numbers:
    pairs = view.analysis.evidence.pairs
    seen = (pairs.get((one.source, one.target)) for one in view.analysis.model.dependencies)
    return np.array([0 if pair is None else pair.calls for pair in seen], np.int64)


def _row(view: View, edge: int, columns: Collection[str]) -> list[Node]:
    analysis = view.analysis
    one = analysis.model.dependencies[edge]
    source, target = int(analysis.graph.source[edge]), int(analysis.graph.target[edge])
    heat = float(analysis.heat.edges[edge])
    down = tag("span", "not down", class_="mark error") if analysis.upward[edge] else None
    calls, errors, took, *seen = seen_cells(view, one.source, one.target)
    cells: dict[str, Node] = {
        "source": view.service(one.source),
        "target": view.service(one.target),
        "strength": strength_mark(one.strength),
        "_at": ", ".join(one.at),
        "risk": str(one.risk),
        "from": int(analysis.layer[source]),
        "to": joined(down, " " if down else None, int(analysis.layer[target])),
        "cost": f"{float(analysis.graph.cost[edge]):.4g}",
        "heat": f"{100 * heat:.0f}" if heat else None,
        "_note": (one.without or one.note)[:200],
        "calls": calls,
        "_errors": errors,
        "_took": took,
        "_seen": between(tag("br"), [each for each in seen if each is not None]),
    }
    return [cells[key] for key in columns]
