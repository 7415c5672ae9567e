"""Bring the platform of a home up and see what comes of it."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l10_engines.processes.identity import is_alive, send
from drystone.l10_engines.processes.spawn import spawn
from drystone.l85_surfaces.cli.errors import StartFailed
from drystone.l85_surfaces.cli.progress import Steps
from drystone.l85_surfaces.cli.reach import answers, client, command_line, context, is_kept
from drystone.l85_surfaces.cli.views.platform import step as line_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from drystone.l10_engines.processes.identity import ProcessId
    from drystone.l25_deployer.api import PlatformStatus
    from drystone.l85_surfaces.cli.terminal import Terminal

KEEPER = "drystone.l90_assembly.keeper"
"""Module of the process that keeps the agent; started by name, since it stands above this layer."""

ANSWER_LIMIT = timedelta(seconds=60)
ATTEMPTS = 3
"""After so many failures of the agent in a row, the start-up is given up."""

GLANCE_S = 0.05
LAST_LINES = 15
LARGEST_TAIL = 64 * 1024


class Logs:
    """What the keeper and the agent write from now on.

    Args:
        folder: The home.
    """

    def __init__(self, folder: Path) -> None:
        self._keeper, self.agent = folder / "run/keeper.log", folder / "run/agent.log"
        self._from = {log: _size(log) for log in (self._keeper, self.agent)}

    def failures(self) -> int:
        """Count how often the agent has ended and was started again."""
        return self._new(self._keeper).count("starting it again")

    def tail(self) -> str:
        """Return the last lines that the agent wrote, indented."""
        lines = self._new(self.agent).splitlines()[-LAST_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (it wrote nothing)"

    def _new(self, log: Path) -> str:
        size = _size(log)
        begin = self._from[log] if size >= self._from[log] else 0  # a smaller file is a new file
        if size == 0:
            return ""
        with log.open("rb") as file:
            file.seek(max(begin, size - LARGEST_TAIL))
            return file.read().decode("utf-8", "replace")


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def start_keeper(folder: Path, agent: Sequence[str] = ()) -> ProcessId:
    """Start the keeper, which starts the agent, in a session of its own.

    Args:
        folder: The home; its folder ``run`` exists.
        agent: Command to keep instead of the agent.
    """
    command = [sys.executable, "-P", "-m", KEEPER, "--home", str(folder)]
    if agent:
        command += ["--", *agent]
    return spawn(command, output=folder / "run/keeper.log")


async def until_it_answers(
    folder: Path, logs: Logs, keeper: ProcessId | None, *, limit: timedelta = ANSWER_LIMIT
) -> None:
    """Wait until the agent listens.

    Args:
        folder: The home.
        logs: What is written from the start on.
        keeper: The keeper if it was started here; it is told to leave when the agent does not come up.
        limit: How long to wait.

    Raises:
        StartFailed: The agent ended, again and again, or the time is over.
    """
    end = time.monotonic() + limit.total_seconds()
    while not answers(folder):
        # A keeper that finds another one at work ends; then that one's agent will do.
        kept = (keeper is not None and is_alive(keeper)) or is_kept(folder)
        failures = logs.failures()
        if kept and failures < ATTEMPTS and time.monotonic() < end:
            await asyncio.sleep(GLANCE_S)
            continue
        if keeper:
            send(keeper, signal.SIGTERM)
        why = f"ended {failures} times" if failures else "does not answer" if kept else "ended"
        raise StartFailed(
            f"the platform in {folder} does not come up: its agent {why}\n"
            f"the last lines of {logs.agent}:\n{logs.tail()}",
            home=str(folder),
        )


async def show_start(folder: Path, out: Terminal) -> PlatformStatus:
    """Show the start-up of an agent that answers, part by part.

    Returns:
        The platform as it is then.

    Raises:
        StartFailed: Some part did not come up.
    """
    async with client(folder) as api:
        with Steps(out) as steps:
            async for part in api.startup(context()):
                out.record(part)
                name = f"{part.layer} {part.name}"
                if part.state == "starting":
                    steps.began(name, f"layer {part.layer:>3}  {part.name}  {part.text}".rstrip())
                else:
                    steps.ended(name)
                    steps.line(line_of(part, paint=out.paint))
        status = await api.status(context())
    if not status.ready:
        reasons = "".join(f"\n  {problem}" for problem in status.problems)
        raise StartFailed(
            f"the platform in {folder} is not ready{reasons}\n"
            f"what came up goes on; see `{command_line('status', folder)}`",
            home=str(folder),
        )
    return status
