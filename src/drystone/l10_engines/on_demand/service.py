"""Starts a program when the first connection waits for it, and not before.

The one who keeps a service on demand listens on its socket and accepts nothing: the kernel holds whoever connects. As
soon as somebody waits, the program is started with that very socket, and from then on it alone takes connections. When
it has had nothing to do for long, it ends; whoever comes at that moment waits in the same queue and is answered by the
next one. So a service that nobody uses costs a file descriptor, and no request is lost between two programs.

The program ends with the one who keeps it (:mod:`~drystone.l10_engines.on_demand.serving`). One that fails is started
again; one that fails again and again is so after ever longer pauses, in which whoever connects is told what is wrong.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.shortage import in_words, is_shortage
from drystone.l10_engines.on_demand.patience import Patience
from drystone.l10_engines.on_demand.private_socket import listener_at
from drystone.l10_engines.on_demand.turning_away import turning_away
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.processes.sacrifice import INSTANCE
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.supervision.files import rotate
from drystone.l10_engines.supervision.port import EngineState, EngineStatus

LARGEST_LOG = 1 << 20
"""Bytes of output, above which the next start begins a new file; the one before is kept."""


class OnDemand:
    """One service on demand.

    Args:
        name: What reports call it.
        place: Path of the socket; its folder exists.
        command: Program and first arguments; ``--listener N --lifeline N`` follow.
        output: File for what it says.
        env: Its whole environment.
        report: Called with a sentence whenever it starts or ends; it must not block.
        patience: How it is started again.
    """

    def __init__(
        self,
        name: str,
        *,
        place: Path,
        command: Sequence[str],
        output: Path,
        env: Mapping[str, str],
        report: Callable[[str], None] = lambda _said: None,
        patience: Patience | None = None,
    ) -> None:
        self.name = name
        self.place = place
        self._command = tuple(command)
        self._output = output
        self._env = dict(env)
        self._report = report
        self._patience = patience or Patience()
        self._listener: socket.socket | None = None
        self._watching: asyncio.Task[None] | None = None
        self._process: ProcessId | None = None
        self._starts = self._failures = 0
        self._last_error = ""

    def start(self) -> None:
        """Listen. Nothing is started yet. Idempotent.

        Raises:
            SocketUnusable: Nobody can listen there.
        """
        if self._listener is None:
            self._listener = listener_at(self.place)
            self._watching = asyncio.create_task(
                self._watch(self._listener), name=f"on demand: {self.name}"
            )

    async def stop(self) -> None:
        """End the program, and listen no more. Idempotent."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self.place.unlink(missing_ok=True)

    def status(self) -> EngineStatus:
        """Return what is known of it: ``stopped`` is one that nobody uses."""
        state = EngineState.STOPPED
        if self._process is not None:
            state = EngineState.READY
        elif self._last_error:
            state = EngineState.FAILED
        return EngineStatus(
            name=self.name,
            state=state,
            pid=None if self._process is None else self._process.pid,
            endpoint=f"unix:{self.place}" if self._listener is not None else "",
            restarts=max(0, self._starts - 1),
            last_error=self._last_error,
        )

    async def _watch(self, listener: socket.socket) -> None:
        while True:
            await _until_somebody_waits(listener)
            begun = time.monotonic()
            try:
                how = await self._run(listener)
            except Unavailable as e:
                how = str(e)
            if how is None:
                self._failures, self._last_error = 0, ""
                continue
            lived = timedelta(seconds=time.monotonic() - begun)
            self._failures = 1 if lived >= self._patience.healthy_after else self._failures + 1
            pause = self._patience.pause(self._failures)
            self._report(f"{how}; it is started again {f'in {pause}' if pause else 'on demand'}")
            if pause:
                self._last_error = f"{how}, {self._failures} times in a row; see {self._output}"
                await self._rest(listener, pause)

    async def _rest(self, listener: socket.socket, pause: timedelta) -> None:
        """Let a pause pass, in which nobody waits in vain."""
        end = time.monotonic() + pause.total_seconds()
        try:
            async with turning_away(listener, self.name, pause):
                await asyncio.sleep(pause.total_seconds())
        except OSError as e:
            if not is_shortage(e):
                raise
            await asyncio.sleep(end - time.monotonic())

    async def _run(self, listener: socket.socket) -> str | None:
        """Run the program to its end; return how it failed, None when it did not."""
        async with self._started(listener) as process:
            self._process = process
            self._starts += 1
            self._report(f"started as process {process.pid}")
            code = await identity.wait(process)
        if code == 0:
            self._report("ended, since nobody used it")
            return None
        return f"ended by signal {-code}" if code and code < 0 else f"ended with {code}"

    @asynccontextmanager
    async def _started(self, listener: socket.socket) -> AsyncIterator[ProcessId]:
        """Start the program; whatever happens, nothing of it runs on return.

        Raises:
            Unavailable: It does not start.
        """
        rotate(self._output, limit=LARGEST_LOG)
        lifeline, mine = _pipe()
        try:
            handed = (listener.fileno(), lifeline)
            process = spawn(
                [*self._command, "--listener", str(handed[0]), "--lifeline", str(handed[1])],
                output=self._output,
                env=self._env,
                sacrifice=INSTANCE,
                hand_over=handed,
            )
        except BaseException:
            os.close(mine)
            raise
        finally:
            os.close(lifeline)
        try:
            yield process
        finally:
            self._process = None
            try:
                await identity.stop(process, grace=self._patience.grace)
            finally:
                os.close(mine)  # whatever still runs sees that nobody keeps it any more


async def _until_somebody_waits(listener: socket.socket) -> None:
    """Return when a connection waits, and leave it there."""
    waits = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(listener.fileno(), waits.set)
    try:
        await waits.wait()
    finally:
        loop.remove_reader(listener.fileno())


def _pipe() -> tuple[int, int]:
    """Return both ends of a pipe.

    Raises:
        Unavailable: This process can open nothing more.
    """
    try:
        return os.pipe2(os.O_CLOEXEC)
    except OSError as e:
        if not is_shortage(e):
            raise
        raise Unavailable(f"no program can be started now: {in_words(e)}") from e
