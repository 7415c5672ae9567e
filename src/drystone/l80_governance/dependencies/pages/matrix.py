"""The matrix (DSM): every dependency as a dot, and what leads the wrong way above the diagonal.

The picture is drawn by a script from ``matrix.bin``. Without scripts there are tables: all of a small model, and of a large
one how much leads from layer to layer, each cell a link to what is behind it.
"""

from __future__ import annotations

import numpy as np

from drystone.l05_graph.arrays import Numbers
from drystone.l05_graph.words import Strength
from drystone.l80_governance.dependencies.bands import Cake, cake_of
from drystone.l80_governance.dependencies.errors import QuestionUnclear
from drystone.l80_governance.dependencies.html import Html, fragment, joined, tag
from drystone.l80_governance.dependencies.parts import section, skip_to
from drystone.l80_governance.dependencies.view import Page, View, in_address, short

PATH = "matrix"
MOST = 60
"""Components on each side of a table."""
_KEYS = (
    (("arrow keys",), "to the next dependency"),
    (("n", "p"), "to the next that does not lead down, and back"),
    (("+", "-", "0"), "nearer, farther, all"),
    (("Enter",), "open it"),
)


def matrix(view: View) -> Page:
    """Show the matrix, or the part of it between two bands as a table.

    Raises:
        QuestionUnclear: There is no such band.
    """
    analysis = view.analysis
    if not analysis.model.components:
        return Page(title="Matrix", lead="The model has no components yet.", body=None, path=PATH)
    cake = cake_of(analysis)
    return Page(
        title="Matrix",
        lead="Each dot is a dependency: the row needs the column. Both go from the lowest layer to the highest,"
        " so that what leads down lies below the diagonal, and what lies above it is wrong.",
        body=joined(_picture(view), _selection(view, cake), _between(view, cake)),
        path=PATH,
        scripts=("matrix.js",),
    )


def _picture(view: View) -> Html:
    canvas = tag(
        "canvas",
        id="matrix",
        tabindex="0",
        role="application",
        aria_roledescription="matrix",
        aria_label="Matrix of dependencies",
        aria_describedby="matrix-keys",
        data_dots=view.link("matrix.bin"),
        data_labels=view.link("matrix.json"),
        data_open=view.link("dependencies"),
    )
    tools = tag(
        "div",
        [
            tag("button", text, type="button", data_do=word, aria_label=label)
            for text, word, label in (
                ("+", "nearer", "Nearer"),
                ("-", "farther", "Farther"),
                ("All", "all", "Show all"),
                ("Next wrong", "next", "Next dependency that does not lead down"),
            )
        ],
        class_="tools",
    )
    said = tag("p", "Loading…", id="matrix-said", role="status", aria_live="polite")
    keys = [tag("span", [tag("kbd", key) for key in some], " ", what) for some, what in _KEYS]
    legend = joined(
        tag("span", "soft", class_="key dot soft"),
        tag("span", "hard", class_="key dot hard"),
        tag("span", "inside of a tangle", class_="key dot tangled"),
        tag("span", "hard, not leading down", class_="key dot upward"),
    )
    return tag(
        "figure",
        skip_to("as-table", "Skip the picture; the same as a table"),
        tag("div", tag("div", said, tools, class_="bar"), canvas, class_="canvas dsm"),
        tag("figcaption", legend),
        tag("figcaption", keys, id="matrix-keys", class_="keys"),
        tag(
            "noscript",
            tag(
                "p",
                "The picture is drawn by a script. ",
                tag("a", "The tables", href=fragment("as-table")),
                " say the same.",
            ),
        ),
        class_="figure needs-script",
    )


def _selection(view: View, cake: Cake) -> Html | None:
    """Show the part that is asked for, or all of a small model, dependency by dependency."""
    asked = view.asked
    if asked.text("from") or asked.text("to"):
        source, target = asked.number("from", 0), asked.number("to", 0)
        if max(source, target) >= len(cake.bands):
            raise QuestionUnclear(
                f"there are bands 0 to {len(cake.bands) - 1}; choose one of the table"
            )
        rows, columns = cake.bands[source], cake.bands[target]
        heading = f"From {rows.label} to {columns.label}"
        return section(
            heading, _cells(view, rows.members[:MOST], columns.members[:MOST]), name="part"
        )
    if view.analysis.graph.size <= MOST:
        order = view.analysis.order
        return section("Every dependency", _cells(view, order, order), name="part")
    return None


def _cells(view: View, rows: Numbers, columns: Numbers) -> Html:
    analysis, graph = view.analysis, view.analysis.graph
    row_of = {int(v): at for at, v in enumerate(rows)}
    column_of = {int(v): at for at, v in enumerate(columns)}
    known: dict[tuple[int, int], int] = {}
    some = np.nonzero(np.isin(graph.source, rows) & np.isin(graph.target, columns))[0]
    for edge in some.tolist():
        at = (row_of[int(graph.source[edge])], column_of[int(graph.target[edge])])
        if at not in known or analysis.upward[edge] > analysis.upward[known[at]]:
            known[at] = edge
    names = [one.name for one in analysis.model.components]
    head = [
        tag("th", tag("span", tag("bdi", short(names[int(v)], 24))), scope="col") for v in columns
    ]
    lines = []
    for row, v in enumerate(rows.tolist()):
        cells = [
            _cell(view, known.get((row, to)), is_self=int(w) == v) for to, w in enumerate(columns)
        ]
        lines.append(tag("tr", tag("th", view.service(names[v], length=24), scope="row"), cells))
    table = tag(
        "table",
        tag("caption", "h: hard, s: soft, ?: nobody has said; marked: hard, not leading down"),
        tag("thead", tag("tr", tag("th", "needs ↓ is needed →", scope="col"), head)),
        tag("tbody", lines),
        class_="grid",
    )
    return tag("div", table, class_="scroll", tabindex="0", role="group", aria_label="Table")


def _cell(view: View, edge: int | None, *, is_self: bool) -> Html:
    if edge is None:
        return tag("td", class_="self" if is_self else None)
    one = view.analysis.model.dependencies[edge]
    sign = {Strength.HARD: "h", Strength.SOFT: "s", Strength.UNKNOWN: "?"}[one.strength]
    wrong = bool(view.analysis.upward[edge])
    text = f"{one.sentence()}{', not leading down' if wrong else ''}"
    address = view.link(
        "dependencies", source=in_address(one.source), target=in_address(one.target)
    )
    inner = tag(
        "a", sign, "!" if wrong else None, href=address, title=text[:500], aria_label=text[:500]
    )
    return tag("td", inner, class_="wrong" if wrong else "has")


def _between(view: View, cake: Cake) -> Html:
    """Show how much leads from band to band."""
    numbers = range(len(cake.bands))
    head = [tag("th", tag("span", cake.bands[at].label), scope="col") for at in numbers]
    lines = []
    for row in reversed(numbers):
        cells = [_count(view, cake, row, column) for column in numbers]
        lines.append(tag("tr", tag("th", cake.bands[row].label, scope="row"), cells))
    table = tag(
        "table",
        tag(
            "caption",
            "How many dependencies lead from each layer (row) to each (column); marked: hard, not leading down",
        ),
        tag("thead", tag("tr", tag("th", "from ↓ to →", scope="col"), head)),
        tag("tbody", lines),
        class_="grid counts",
    )
    inner = tag("div", table, class_="scroll", tabindex="0", role="group", aria_label="Table")
    return section("From layer to layer", inner, name="as-table")


def _count(view: View, cake: Cake, row: int, column: int) -> Html:
    count, upward = int(cake.counts[row, column]), int(cake.upward[row, column])
    if not count:
        return tag("td")
    sizes = [len(cake.bands[at].members) for at in (row, column)]
    path = PATH if max(sizes) <= MOST else "dependencies"
    address = view.link(path, **{"from": row, "to": column})
    label = f"{count:,} from {cake.bands[row].label} to {cake.bands[column].label}"
    if upward:
        label += f", {upward:,} of them hard and not leading down"
    inner = tag("a", f"{count:,}", "!" if upward else None, href=address, aria_label=label)
    return tag("td", inner, class_="wrong" if upward else "has")
