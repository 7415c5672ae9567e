"""What a comparison starts, and how nothing of it remains."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from benchmarks.stand import SERVER, first_answer

from drystone.testing.python_image import PYTHON

END_LIMIT_S = 10.0
START_LIMIT_S = 30.0


class Stage:
    """A folder, and processes that end with it.

    Each process leads a session of its own, and gets SIGTERM from the kernel if this one is killed.

    Args:
        folder: Where configurations, sockets and logs go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[Process] = []
        setpriv = shutil.which(
            "setpriv"
        )  # util-linux; without it only a kill -9 of this process matters
        self._prefix = [setpriv, "--pdeathsig", "TERM"] if setpriv else []

    async def start(self, *command: str | Path, env: Mapping[str, str] | None = None) -> Process:
        """Start a process; what it writes goes to the file ``log``."""
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._prefix,
                *map(str, command),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    async def run(self, *command: str | Path, env: Mapping[str, str] | None = None) -> None:
        """Run a command that must succeed.

        Raises:
            RuntimeError: It did not; the message holds the end of what was written.
        """
        process = await self.start(*command, env=env)
        self._processes.remove(process)
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            raise
        if code:
            said = (self.folder / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{command[0]} ended with {code}; the log ends with:\n{said}")

    async def serve(self, version: str, port: int) -> Process:
        """Start one instance of the service and return when it answers."""
        env = {"APP_VERSION": version}
        process = await self.start(PYTHON, SERVER, str(port), env=env)
        await until_answered(port)
        return process

    async def end(self, process: Process) -> None:
        """End a process: SIGTERM, and SIGKILL if that does not help."""
        self._processes.remove(process)
        await _end(process)

    async def clear(self) -> None:
        """End every process, the last one first."""
        while self._processes:
            await _end(self._processes.pop())


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_LIMIT_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Give a stage; everything on it is gone in the end, also when the run is interrupted."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        Path(folder).chmod(0o755)  # nginx' workers give up root and still read it
        made = Stage(Path(folder))
        try:
            yield made
        finally:
            await asyncio.shield(asyncio.ensure_future(made.clear()))


async def until_answered(port: int) -> None:
    """Return when a port gives a good answer.

    Raises:
        TimeoutError: It does not in half a minute.
    """
    async with asyncio.timeout(START_LIMIT_S):
        await first_answer(port)
