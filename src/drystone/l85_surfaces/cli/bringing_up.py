"""Bring a platform up as ``drystone up`` does: start or find it, show its start, watch it, stop it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings import PREFIX, Settings
from drystone.l85_surfaces.cli.configuration import write_settings
from drystone.l85_surfaces.cli.errors import AlreadyRunning, Interrupted, Misuse
from drystone.l85_surfaces.cli.interrupts import first_interrupt
from drystone.l85_surfaces.cli.reach import (
    answers,
    client,
    command_line,
    context,
    is_kept,
    settings_of,
)
from drystone.l85_surfaces.cli.starting import Logs, show_start, start_keeper, until_it_answers
from drystone.l85_surfaces.cli.stopping import stop_platform
from drystone.l85_surfaces.cli.terminal import Style, Terminal, remark
from drystone.l85_surfaces.cli.views.platform import unattended
from drystone.l85_surfaces.cli.views.services import fact
from drystone.l85_surfaces.cli.views.times import taken
from drystone.l85_surfaces.cli.watching import watch

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l25_deployer.api import PlatformStatus

Wanted: TypeAlias = Mapping[str, str | int]
"""Settings by name, as ``drystone up`` was given them."""


async def bring_up(
    folder: Path, wanted: Wanted, out: Terminal, *, detach: bool, agent: Sequence[str] = ()
) -> int:
    """Bring the platform of a home up and, unless detached, watch it until Ctrl-C stops it.

    Args:
        folder: The home.
        wanted: Settings that the user gave.
        out: Where to show it.
        detach: Return when the platform is ready.
        agent: Command to keep instead of the agent.

    Returns:
        The exit code.

    Raises:
        AlreadyRunning: It runs with other settings than wanted.
        StartFailed: It did not come up.
        Interrupted: Ctrl-C was pressed before it came up, or while it came up detached.
        Misuse: A variable overrides what is wanted.
    """
    if answers(folder):
        return await _already(folder, wanted, out)
    with first_interrupt() as pressed:
        running = asyncio.create_task(_run(folder, wanted, out, detach=detach, agent=agent))
        waiting = asyncio.create_task(pressed.wait())
        try:
            await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
                return 0
            return await _interrupted(folder, running, out, detach=detach)
        finally:
            waiting.cancel()
            running.cancel()
            await asyncio.wait((running, waiting))


async def _run(
    folder: Path, wanted: Wanted, out: Terminal, *, detach: bool, agent: Sequence[str]
) -> None:
    began = time.monotonic()
    home = Home.create(folder)
    logs = Logs(folder)
    keeper = None
    if is_kept(folder):
        _require_same(folder, wanted, settings_of(folder).port)
    else:
        _require_effect(wanted, settings_of(folder))
        write_settings(home.settings_file, wanted)
        keeper = start_keeper(folder, agent)
    await until_it_answers(folder, logs, keeper)
    status = await show_start(folder, out)
    word = out.paint("ready", Style.GOOD)
    out.line(f"{word} in {taken(time.monotonic() - began)}   {status.url}")
    for text in unattended(status.away):
        out.lines(fact("unattended", text, paint=out.paint))
    out.record(status)
    if not detach:
        out.line("Ctrl-C stops the platform")
        await watch(folder, out, status)
        out.line("the platform was stopped")


async def _interrupted(
    folder: Path, running: asyncio.Task[None], out: Terminal, *, detach: bool
) -> int:
    """Do what Ctrl-C means: stop the platform, or with ``--detach`` leave it to itself."""
    running.cancel()
    await asyncio.wait((running,))
    if detach or not answers(folder):
        raise Interrupted(
            f"the start goes on without you; see `{command_line('status', folder)}`, "
            f"or stop it with `{command_line('down', folder)}`"
        )
    remark("stopping the platform; Ctrl-C again leaves at once, and the stop goes on")
    await stop_platform(folder, out)
    return 0


async def _already(folder: Path, wanted: Wanted, out: Terminal) -> int:
    """Say that the platform runs, unless it should run differently."""
    async with client(folder) as api:
        status: PlatformStatus = await api.status(context())
    _require_same(folder, wanted, urlsplit(status.url).port)
    out.line(f"already running   {status.url}")
    out.record(status)
    if not is_kept(folder):
        remark(
            f"but without its keeper: nothing starts the agent again if it dies; "
            f"`{command_line('down', folder)}` and `{command_line('up', folder)}` repair that"
        )
    return 0


def _require_effect(wanted: Wanted, settings: Settings) -> None:
    """Refuse options that a variable overrides.

    Raises:
        Misuse: One would have no effect.
    """
    for name, value in wanted.items():
        source = settings.sources.get(name, "")
        if source.startswith(PREFIX) and getattr(settings, name) != value:
            raise Misuse(
                f"--{name} {value} would have no effect: {source} is set and says "
                f"{getattr(settings, name)}; unset it"
            )


def _require_same(folder: Path, wanted: Wanted, port: int | None) -> None:
    """Refuse options that differ from what runs.

    Raises:
        AlreadyRunning: Some does.
    """
    runs = {"port": port, "runtime": settings_of(folder).runtime}
    different = [name for name, value in wanted.items() if runs[name] != value]
    if different:
        have = ", ".join(f"{name} {runs[name]}" for name in different)
        again = " ".join(f"--{name} {wanted[name]}" for name in different)
        raise AlreadyRunning(
            f"the platform in {folder} runs already, with {have}\n"
            f"to change that: `{command_line('down', folder)}`, then "
            f"`{command_line(f'up {again}', folder)}`",
            home=str(folder),
        )
