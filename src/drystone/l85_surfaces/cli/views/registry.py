"""Services with their owners, environments and targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.services import fact
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import age, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from drystone.l50_orchestrator.registry.api import EnvironmentView, ServiceView, TargetView


def services(
    items: Sequence[ServiceView],
    *,
    now: datetime,
    paint: Paint = PLAIN,
    width: int | None = None,
) -> Iterator[str]:
    """One line per service."""
    rows = [
        (
            Piece(item.service.name, Style.NAME),
            item.service.team,
            "-" if item.service.tier is None else str(item.service.tier),
            ", ".join(item.environments) or "-",
            age(item.service.since, now),
            item.service.description,
        )
        for item in items
    ]
    headings = ("service", "team", "tier", "runs in", "age", "description")
    return table(headings, rows, paint=paint, width=width)


def service(view: ServiceView, *, paint: Paint = PLAIN) -> Iterator[str]:
    """All that is known of one."""
    one = view.service
    yield f"{paint(one.name, Style.NAME)}  of team {one.team}"
    if one.description:
        yield from fact("description", one.description, paint=paint)
    yield from fact("tier", "not deployed yet" if one.tier is None else str(one.tier), paint=paint)
    yield from fact("runs in", ", ".join(view.environments) or "no environment", paint=paint)
    yield from fact("registered", f"{moment(one.since)} by {one.by}", paint=paint)
    for what, url in one.links.items():
        yield from fact(what, url, paint=paint)
    if view.offered_to:
        yield from fact("offered to", view.offered_to, paint=paint)
    if view.retired is not None:
        yield from fact("given up", moment(view.retired), paint=paint)
    if view.free_from is not None:
        yield from fact("free from", moment(view.free_from), paint=paint)


def environments(
    items: Sequence[EnvironmentView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per environment."""
    rows = [
        (
            Piece(item.environment.name, Style.NAME),
            item.environment.type,
            item.environment.region or "-",
            item.environment.after or "-",
            str(item.services),
            item.environment.target,
        )
        for item in items
    ]
    headings = ("environment", "type", "region", "after", "services", "target")
    return table(headings, rows, paint=paint, width=width)


def targets(
    items: Sequence[TargetView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per target."""
    rows = [
        (
            Piece(item.name, Style.NAME),
            item.kind,
            ", ".join(item.environments) or "-",
            item.url or "-",
        )
        for item in items
    ]
    return table(("target", "kind", "environments", "url"), rows, paint=paint, width=width)
