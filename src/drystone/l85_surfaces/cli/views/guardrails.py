"""Policies, exceptions and freezes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.services import fact
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drystone.l50_orchestrator.guardrails.api import ExceptionView, FreezeView, PolicyView

_MODES = {"refuse": Style.GOOD, "warn": Style.WARN, "off": Style.QUIET}
_STATES = {"counts": Style.WARN, "asked": Style.QUIET, "expired": Style.QUIET}


def policies(
    items: Sequence[PolicyView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per policy."""
    rows = [
        (
            Piece(one.name, Style.NAME),
            Piece(one.mode, _MODES.get(one.mode)),
            ", ".join(one.said.environments or one.said.types) or "everywhere",
            one.said.team,
            one.said.description,
        )
        for one in items
    ]
    return table(("policy", "mode", "in", "team", "description"), rows, paint=paint, width=width)


def policy(view: PolicyView, *, paint: Paint = PLAIN) -> Iterator[str]:
    """All of one policy."""
    said = view.said
    yield f"{paint(view.name, Style.NAME)}  {paint(view.mode, _MODES.get(view.mode))}"
    yield from fact("description", said.description, paint=paint)
    yield from fact("of", f"{said.team}, since {said.since:%Y-%m-%d}", paint=paint)
    where = ", ".join((*said.environments, *said.types)) or "everywhere"
    yield from fact("in", where, paint=paint)
    if said.tiers:
        yield from fact("tiers", ", ".join(map(str, said.tiers)), paint=paint)
    if view.reason:
        yield from fact("why", f"{view.reason} ({view.by})", paint=paint)
    yield ""
    yield from said.text.splitlines()


def exceptions(
    items: Sequence[ExceptionView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per exception."""
    rows = [
        (
            Piece(one.name, Style.NAME),
            Piece(one.state, _STATES.get(one.state)),
            one.said.policy,
            f"{one.said.environment or one.said.type}/{one.said.service}",
            str(one.days_left),
            one.said.owner,
            one.allowed_by or "-",
            one.said.reason,
        )
        for one in items
    ]
    headings = ("exception", "state", "policy", "for", "days", "owner", "allowed by", "reason")
    return table(headings, rows, paint=paint, width=width)


def freezes(
    items: Sequence[FreezeView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per freeze."""
    rows = [
        (
            Piece(one.name, Style.NAME),
            Piece("holds", Style.WARN) if one.is_on else Piece("-"),
            moment(one.start),
            moment(one.end),
            ", ".join((*one.said.environments, *one.said.types, *one.said.teams)) or "everything",
            one.said.reason,
        )
        for one in items
    ]
    return table(("freeze", "", "from", "to", "of", "reason"), rows, paint=paint, width=width)
