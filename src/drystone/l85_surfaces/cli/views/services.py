"""Services, one service, and its history."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.refusals import counted
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import age, moment, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from drystone.l25_deployer.api import (
        CanaryView,
        HistoryEvent,
        ScalingView,
        ServiceSummary,
        ServiceView,
    )
    from drystone.l35_mesh.observed.api import Refusals

FACT_WIDTH = 14
_SIDECARS = {"node": "the proxy of the host", "instance": "a process of its own"}
STATES = {
    "serving": Style.GOOD,
    "healthy": Style.GOOD,
    "active": Style.GOOD,
    "ready": Style.GOOD,
    "running": Style.GOOD,
    "adopted": Style.GOOD,
    "degraded": Style.WARN,
    "deploying": Style.WARN,
    "settling": Style.WARN,
    "withdrawing": Style.WARN,
    "canary": Style.WARN,
    "starting": Style.WARN,
    "unhealthy": Style.WARN,
    "backing-off": Style.BAD,
    "down": Style.BAD,
    "failed": Style.BAD,
    "stopped": Style.QUIET,
    "skipped": Style.QUIET,
}


def state(word: str) -> Piece:
    """Return a state with the style that it has everywhere."""
    return Piece(word, STATES.get(word))


def fact(label: str, text: str, *, paint: Paint = PLAIN, problem: bool = False) -> Iterator[str]:
    """One named value, wrapped below itself where it is long."""
    title = paint(label.ljust(FACT_WIDTH), Style.BAD if problem else Style.QUIET)
    lines = [
        piece
        for line in text.splitlines()
        for piece in textwrap.wrap(line, 78 - FACT_WIDTH, break_long_words=False) or [""]
    ]
    for line in lines or [""]:
        yield f"  {title}{line}".rstrip()
        title = " " * FACT_WIDTH


def services(
    items: Sequence[ServiceSummary], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per service."""
    rows = [
        (
            Piece(item.service, Style.NAME),
            item.environment,
            state(item.state),
            (item.version or "-") + _tried(item.held),
            item.instances,
            item.url or "-",
        )
        for item in items
    ]
    headings = ("service", "env", "state", "version", "ready", "url")
    return table(headings, rows, paint=paint, width=width)


def _tried(share: float | None) -> str:
    return "" if share is None else f", {share * 100:.4g}% held"


def service(
    view: ServiceView,
    refused: Refusals | None = None,
    *,
    now: datetime,
    paint: Paint = PLAIN,
    width: int | None = None,
) -> Iterator[str]:
    """All about one service: a summary, then what it consists of."""
    summary = view.summary
    name = paint(summary.service, Style.NAME)
    yield f"{name} in {summary.environment}  {paint(*state(summary.state))}"
    release = f" (release {summary.release})" if summary.release is not None else ""
    facts = {
        "url": summary.url or "-",
        **({"ways in": ", ".join(summary.ways)} if summary.ways else {}),
        "version": f"{summary.version or '-'}{release}",
        "owner": summary.owner,
        "runtime": view.runtime,
        "sidecar": _SIDECARS[view.sidecar],
        "dependencies": ", ".join(view.dependencies) or "none",
    }
    if view.canary:
        facts["held"] = _held(view.canary)
    for scaling in view.scaling:
        facts[f"scale {scaling.group}"] = _scaling(scaling)
    if view.operation:
        facts["in progress"] = view.operation
    for label, text in facts.items():
        yield from fact(label, text, paint=paint)
    for problem in view.problems:
        yield from fact("problem", problem, paint=paint, problem=True)
    if refused is not None and refused.refusals:
        yield from _refused(refused, summary.service, paint)
    yield from _instances(view, now, paint, width)
    yield from _releases(view, now, paint, width)
    yield from _resources(view, paint, width)


def _held(canary: CanaryView) -> str:
    by = "" if canary.cohort == "request" else f", by {canary.cohort}"
    header = f"; '{canary.header}' chooses" if canary.header else ""
    return f"release {canary.release} with {canary.share * 100:.4g} % of the requests{by}{header}"


def _scaling(scaling: ScalingView) -> str:
    if scaling.fixed is not None:
        return f"{scaling.instances}: {scaling.fixed} as set by hand, until the next release"
    between = f"{scaling.instances} of {scaling.least} to {scaling.most}"
    return f"{between}: {scaling.text}" if scaling.text else between


def _refused(refused: Refusals, service: str, paint: Paint) -> Iterator[str]:
    latest = refused.refusals[0]
    different = len(refused.refusals)
    text = f"{latest.what} ({counted(latest.times)})"
    if different > 1:
        text += f", and {different - 1} other{'s' if different > 2 else ''}"
    text += f": `drystone refusals {service}` says what allows it"
    yield from fact("refused", text, paint=paint, problem=True)


def _instances(view: ServiceView, now: datetime, paint: Paint, width: int | None) -> Iterator[str]:
    if not view.instances:
        return
    yield ""
    rows = [
        (
            Piece(item.id, Style.NAME),
            item.group,
            str(item.release),
            state(item.state),
            _number(item.pid),
            _number(item.port),
            age(item.since, now),
            str(item.restarts) + (f" (last {item.last_exit})" if item.last_exit else ""),
        )
        for item in view.instances
    ]
    headings = ("instance", "group", "release", "state", "pid", "port", "up", "restarts")
    yield from table(headings, rows, paint=paint, width=width)


def _releases(view: ServiceView, now: datetime, paint: Paint, width: int | None) -> Iterator[str]:
    if not view.releases:
        return
    yield ""
    rows = [
        (
            str(item.number),
            item.version,
            state(item.state),
            age(item.created, now),
            item.by,
            item.artifact,
        )
        for item in view.releases
    ]
    headings = ("release", "version", "state", "age", "by", "artifact")
    yield from table(headings, rows, paint=paint, width=width)


def _resources(view: ServiceView, paint: Paint, width: int | None) -> Iterator[str]:
    if not view.resources:
        return
    yield ""
    rows = [
        (Piece(item.name, Style.NAME), item.type, item.engine, item.detail)
        for item in view.resources
    ]
    yield from table(("resource", "type", "engine", "detail"), rows, paint=paint, width=width)


def history(
    events: Sequence[HistoryEvent], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per event: of a long report only the first."""
    rows = [
        (
            Piece(moment(item.at), Style.QUIET),
            item.by,
            Piece(item.event, Style.NAME),
            _number(item.release),
            taken(item.seconds),
            item.text.partition("\n")[0],
        )
        for item in events
    ]
    return table(("when", "by", "event", "release", "took", "what"), rows, paint=paint, width=width)


def event_line(event: HistoryEvent, paint: Paint) -> str:
    """One event on a line of its own, for whoever watches."""
    what = paint(f"{event.event:<15}", Style.NAME)
    release = f" (release {event.release})" if event.release is not None else ""
    said = event.text.partition("\n")[0]
    return f"{paint(moment(event.at), Style.QUIET)}  {what}  {said}{release}  by {event.by}"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
