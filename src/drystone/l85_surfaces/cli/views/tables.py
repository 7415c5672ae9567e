"""Tables of plain text: columns under capital headings, two spaces between, no lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l00_kernel.visible import visible
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GAP = "  "
NARROWEST = 6


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[Piece | str]],
    *,
    paint: Paint = PLAIN,
    width: int | None = None,
    indent: str = "",
) -> Iterator[str]:
    """Lay out rows under headings.

    Args:
        headings: One per column.
        rows: A piece of text per column.
        paint: How to colour.
        width: Columns of the reader's terminal; the widest columns are shortened to fit, except the last,
            which holds what is copied whole (an address) or read whole (a sentence). None shortens nothing.
        indent: Before each line.
    """
    pieces = [[_cell(cell) for cell in row] for row in rows]
    widths = [
        max(len(heading), *(len(row[column].text) for row in pieces), 0)
        for column, heading in enumerate(headings)
    ]
    if width is not None:
        _shrink(widths, width - len(indent) - len(GAP) * (len(widths) - 1))
    titles = [Piece(heading.upper(), Style.QUIET) for heading in headings]
    for row in [titles, *pieces]:
        yield indent + _line(row, widths, paint)


def _cell(cell: Piece | str) -> Piece:
    """Return a cell that stays in its row, whatever its text holds."""
    piece = Piece(cell) if isinstance(cell, str) else cell
    return piece._replace(text=visible(piece.text))


def _shrink(widths: list[int], room: int) -> None:
    """Narrow the widest columns but the last, one step at a time, until all fit or none may shrink."""
    candidates = range(len(widths) - 1)
    while sum(widths) > room and candidates:
        widest = max(candidates, key=widths.__getitem__)
        if widths[widest] <= NARROWEST:
            return
        widths[widest] -= 1


def _line(row: Sequence[Piece], widths: Sequence[int], paint: Paint) -> str:
    *firsts, last = zip(row, widths, strict=True)
    cells = [
        paint(shorten(piece.text, width), piece.style) + _fill(piece, width)
        for piece, width in firsts
    ]
    return GAP.join([*cells, paint(last[0].text, last[0].style)]).rstrip()


def _fill(piece: Piece, width: int) -> str:
    return " " * (width - min(len(piece.text), width))


def shorten(text: str, width: int) -> str:
    """Return the text in at most ``width`` characters, its end replaced by an ellipsis if needed."""
    return text if len(text) <= width else text[: width - 1] + "…"
