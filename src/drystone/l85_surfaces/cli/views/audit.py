"""Entries of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drystone.l50_orchestrator.audit.api import EntryView


def entries(
    items: Sequence[EntryView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per entry."""
    rows = [
        (
            str(item.number),
            moment(item.at),
            _who(item),
            Piece(item.action, Style.NAME),
            item.subject,
            ", ".join(f"{name} {value}" for name, value in item.fields.items()),
        )
        for item in items
    ]
    return table(("number", "at", "who", "action", "subject", ""), rows, paint=paint, width=width)


def _who(item: EntryView) -> str:
    behind = f" of {item.behind}" if item.behind else ""
    return f"{item.actor}{behind}{' (broken glass)' if item.glass else ''}"
