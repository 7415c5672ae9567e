"""The platform, its engines and the steps of its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.services import fact, services, state
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import age, moment, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from drystone.l25_deployer.api import AbsenceView, EngineView, PlatformStatus, StartupStep


def step(item: StartupStep, *, paint: Paint = PLAIN) -> str:
    """One part of the platform coming up."""
    return _step(item, item.state, paint)


def stop_step(item: StartupStep, *, paint: Paint = PLAIN) -> str:
    """One part of the platform going down; that its stop is complete is told as ``ready``."""
    return _step(item, "stopped" if item.state == "ready" else item.state, paint)


def _step(item: StartupStep, told: str, paint: Paint) -> str:
    word = paint(told.ljust(8), state(told).style)
    text = f"  {item.text}" if item.text not in {"", told} else ""
    line = f"layer {item.layer:>3}  {item.name:<20}  {word}  {taken(item.seconds):>8}{text}"
    return line.rstrip()


def status(
    view: PlatformStatus, *, now: datetime, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """The platform as it is now."""
    word = Piece("ready", Style.GOOD) if view.ready else Piece("not ready", Style.BAD)
    yield f"{paint('drystone', Style.NAME)} {view.version}  {paint(*word)}  {view.url}"
    used = [text for text in view.isolation if text.startswith(f"{view.runtime}:")]
    facts = [
        ("home", [view.home] if view.home else []),
        (
            "agent",
            [f"{f'pid {view.agent_pid}, ' if view.agent_pid else ''}up {age(view.since, now)}"],
        ),
        ("runtime", used or [view.runtime, *view.isolation]),
        ("exposed", view.exposed),
        ("bounded", view.bounded),
        ("unattended", unattended(view.away)),
        ("problem", view.problems),
    ]
    for label, texts in facts:
        for text in texts:
            yield from fact(label, text, paint=paint, problem=label == "problem")
    yield ""
    yield from engines(view.engines, paint=paint, width=width)
    if view.services:
        yield ""
        yield from services(view.services, paint=paint, width=width)


def unattended(away: AbsenceView | None) -> list[str]:
    """Say for how long no agent looked after the platform, and what happened meanwhile."""
    if away is None:
        return []
    span = taken((away.until - away.since).total_seconds())
    text = f"{moment(away.since)} to {moment(away.until)} ({span})"
    if away.requests is not None:
        text += f"; {away.requests} requests were served"
    if away.proxy_restarts:
        text += f"; the proxy started again {away.proxy_restarts} times"
    return [text, *(f"{what}; it was started again" for what in away.found)]


def engines(
    items: Sequence[EngineView], *, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per engine, and one below for what is wrong with it."""
    rows = [
        (
            Piece(item.name, Style.NAME),
            state(item.state),
            item.version or "-",
            "-" if item.pid is None else str(item.pid),
            "-" if item.memory_mb is None else f"{item.memory_mb} MB",
            str(item.restarts),
            item.address,
        )
        for item in items
    ]
    headings = ("engine", "state", "version", "pid", "memory", "restarts", "address")
    yield from table(headings, rows, paint=paint, width=width)
    for item in items:
        if item.problem:
            yield f"{paint(item.name, Style.BAD)}: {item.problem}"
