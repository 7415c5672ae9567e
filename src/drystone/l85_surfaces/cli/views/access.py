"""People, teams, roles, tokens and emergencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.services import fact
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import age, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from drystone.l50_orchestrator.access.domain import Grant
    from drystone.l50_orchestrator.access.views import (
        GlassView,
        GrantView,
        MeView,
        PersonView,
        TeamView,
        TokenView,
    )


def me(view: MeView, *, paint: Paint = PLAIN) -> Iterator[str]:
    """Who asks, and which roles that one has."""
    yield f"{paint(view.name, Style.NAME)}  {view.kind}"
    if view.behind:
        yield from fact("made by", view.behind, paint=paint)
    if view.teams:
        yield from fact("teams", ", ".join(view.teams), paint=paint)
    if view.glass:
        yield from fact("broken glass", f"number {view.glass}", paint=paint, problem=True)
    for grant in view.grants:
        yield from fact(grant.role.value, _reach(grant), paint=paint)


def _reach(grant: Grant) -> str:
    over = "everything" if grant.over == "all" else grant.over
    return over if grant.place == "all" else f"{over} in {grant.place}"


def people(
    items: Sequence[PersonView],
    *,
    now: datetime,
    paint: Paint = PLAIN,
    width: int | None = None,
) -> Iterator[str]:
    """One line per person."""
    rows = [
        (
            Piece(one.name, Style.QUIET if one.has_left else Style.NAME),
            one.called or "-",
            "has left" if one.has_left else ", ".join(one.teams) or "-",
            age(one.since, now),
        )
        for one in items
    ]
    return table(("person", "called", "teams", "age"), rows, paint=paint, width=width)


def teams(
    items: Sequence[TeamView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per team."""
    rows = [
        (
            Piece(one.name, Style.NAME),
            ", ".join(m.person + ("*" if m.is_maintainer else "") for m in one.members) or "-",
            one.description,
        )
        for one in items
    ]
    return table(("team", "members", "description"), rows, paint=paint, width=width)


def grants(
    items: Sequence[GrantView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per role that somebody has."""
    rows = [
        (
            Piece(one.grant.who, Style.NAME),
            one.grant.role.value,
            one.grant.over,
            one.grant.place,
            one.by,
            one.id,
        )
        for one in items
    ]
    return table(("who", "role", "over", "in", "by", "id"), rows, paint=paint, width=width)


def tokens(
    items: Sequence[TokenView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per token."""
    rows = [
        (
            Piece(one.id, Style.NAME),
            one.label,
            Piece(one.state, Style.GOOD if one.state == "good" else Style.QUIET),
            one.maker,
            "/".join(filter(None, (one.environment, one.service))) or "-",
            moment(one.expires),
            ", ".join(scope.value for scope in one.scopes),
        )
        for one in items
    ]
    headings = ("token", "label", "state", "maker", "for", "expires", "scopes")
    return table(headings, rows, paint=paint, width=width)


def glasses(
    items: Sequence[GlassView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per emergency."""
    rows = [
        (
            str(one.number),
            Piece(one.person, Style.QUIET if one.is_over else Style.BAD),
            moment(one.since),
            f"{'ended' if one.is_over else 'until'} {moment(one.until)}",
            one.reason,
        )
        for one in items
    ]
    return table(("number", "person", "since", "", "reason"), rows, paint=paint, width=width)
