"""Tell what changes on a platform while somebody watches."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import Unavailable
from drystone.l85_surfaces.cli.reach import answers, client, context, is_kept
from drystone.l85_surfaces.cli.terminal import Paint, Piece, Style
from drystone.l85_surfaces.cli.views.services import state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from drystone.l25_deployer.api import PlatformStatus
    from drystone.l85_surfaces.cli.terminal import Terminal

EVERY = timedelta(seconds=2)
SILENT = {"agent": "does not answer; its keeper starts it again"}


async def watch(
    folder: Path, out: Terminal, known: PlatformStatus, *, every: timedelta = EVERY
) -> None:
    """Write a line whenever an engine, a service or the agent changes; returns when the platform is gone.

    Args:
        folder: The home.
        out: Where to.
        known: What the person knows already.
        every: How often to look.
    """
    before = states(known)
    async with client(folder) as api:
        while True:
            await asyncio.sleep(every.total_seconds())
            try:
                now = states(await api.status(context()))
            except Unavailable:
                if not answers(folder) and not is_kept(folder):
                    return
                now = {**before, **SILENT}
            clock = datetime.now().astimezone().strftime("%H:%M:%S")
            out.lines(f"{clock}  {line}" for line in changes(before, now, paint=out.paint))
            before = now


def states(view: PlatformStatus) -> dict[str, str]:
    """Return what is worth a line when it changes: a word by the name of each part."""
    found = {"agent": f"pid {view.agent_pid}"}
    found |= {engine.name: engine.state for engine in view.engines}
    for service in view.services:
        version = f" {service.version}" if service.version else ""
        found[f"{service.service} in {service.environment}"] = f"{service.state}{version}"
    return found


def changes(before: Mapping[str, str], now: Mapping[str, str], *, paint: Paint) -> Iterator[str]:
    """Yield a line per part that is new, gone or different."""
    for name in [*now, *(name for name in before if name not in now)]:
        old, new = before.get(name), now.get(name)
        if old != new:
            style = state((new or "").partition(" ")[0]).style
            words = paint(*Piece(new or "gone", style))
            yield f"{paint(name, Style.NAME)}  {f'{old} → ' if old else ''}{words}"
