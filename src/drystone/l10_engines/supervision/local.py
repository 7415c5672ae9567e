"""An engine that runs on this machine, as a process that outlives the one who started it.

The directory of an engine holds ``record.json`` (which process, which ports), ``log``, ``data``,
in which the process works, and ``reserve``, room that it gives up to come back on a full disk.
What runs is read from the kernel, not from the record alone: a process is
this engine's if it runs the engine's program in the engine's data directory (see
:func:`~drystone.l10_engines.supervision.record.processes_in`).
"""

from __future__ import annotations

import abc
import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar

from msgspec import structs
from typing_extensions import override

from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.reserve import Reserve
from drystone.l00_kernel.shortage import DiskFull, room_at
from drystone.l10_engines.loopback_ports import free_port, is_free
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.processes.sacrifice import ENGINE
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.supervision import files, record
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.launch import Launch, Patience
from drystone.l10_engines.supervision.port import Engine, EngineState, EngineStatus
from drystone.l10_engines.supervision.record import Record

if TYPE_CHECKING:
    from pathlib import Path

ATTEMPTS = 3


class LocalEngine(Engine):
    """Starts, adopts and stops one engine in one directory.

    Args:
        name: The engine's name among all engines of one home.
        directory: The engine's own directory; made when missing, its parents too.
        memory: The bound in bytes that the engine is started with.
        patience: How long it is waited for.
    """

    program: ClassVar[str]
    """File name of the executable that serves."""

    reserve: ClassVar[tuple[int, int]] = (4, 64 * 1024)
    """How many files of how many bytes are set aside for a start on a full disk."""

    purposes: ClassVar[tuple[str, ...]] = ("clients",)
    """One name for each loopback port that the engine needs; the first is the one for its clients."""

    def __init__(
        self, name: str, directory: Path, *, memory: int, patience: Patience | None = None
    ) -> None:
        super().__init__(name)
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "log"
        self.memory = memory
        self.patience = patience or Patience()
        self._record_path = directory / "record.json"
        files_aside, size = self.reserve
        self._reserve = Reserve(directory / "reserve", files=files_aside, size=size)
        self._lock = asyncio.Lock()
        self._record: Record | None = None
        self._answered = False
        self._starts = 0
        self._last_error = ""

    def check_place(self) -> None:
        """Refuse a directory in which this engine can never run, before anything is made in it.

        Raises:
            EngineFailed: It is such a one; the message says why and what to do.
        """

    @abc.abstractmethod
    async def prepare(self) -> None:
        """Make everything in the directory that the first start needs. Idempotent."""

    @abc.abstractmethod
    def launch(self, ports: dict[str, int]) -> Launch:
        """Return how to start on these ports, after writing the configuration that says so."""

    @abc.abstractmethod
    async def probe(self) -> bool:
        """Ask the running engine whether it serves; within a second."""

    @abc.abstractmethod
    async def ask_version(self) -> str:
        """Return the version of the program that was started."""

    async def end(self, process: ProcessId) -> None:
        """End the main process cleanly, and at last by force."""
        await identity.stop(process, number=signal.SIGTERM, grace=self.patience.stop)

    def mains(self, found: tuple[ProcessId, ...]) -> tuple[ProcessId, ...]:
        """Return those of the engine's processes that a clean end begins with."""
        return found

    def suits(self, _purpose: str, _port: int) -> bool:
        """Tell whether a port that is free can serve a purpose."""
        return True

    def is_passing(self, _last_lines: str) -> bool:
        """Tell from its last words whether a start that failed may work a moment later."""
        return False

    @property
    def port(self) -> int:
        """The loopback port for clients.

        Raises:
            EngineFailed: The engine was never started.
        """
        return self.ports[self.purposes[0]]

    @property
    def ports(self) -> dict[str, int]:
        """The loopback ports by purpose.

        Raises:
            EngineFailed: The engine was never started.
        """
        known = self._known()
        if known is None:
            raise EngineFailed(f"{self.name} was never started; start it first", engine=self.name)
        return known.ports

    def _known(self) -> Record | None:
        return self._record or record.read(self._record_path)

    def note_memory(self) -> None:
        """Record that the running engine has taken over the present memory bound."""
        if self._record is not None and self._record.memory != self.memory:
            self._record = structs.replace(self._record, memory=self.memory)
            self._write_record(self._record)

    def _write_record(self, known: Record) -> None:
        self._reserve.write(lambda: record.write(self._record_path, known))

    def is_running(self) -> bool:
        """Tell whether the process that was started last still runs."""
        known = self._known()
        return known is not None and identity.is_alive(known.process)

    @override
    async def is_ready(self) -> bool:
        return self.is_running() and await self.probe()

    @override
    async def start(self) -> None:
        async with self._lock:
            try:
                await self._adopt_or_start()
            except Unavailable as e:
                self._last_error = str(e)
                raise
            self._last_error = ""

    async def _adopt_or_start(self) -> None:
        found = record.processes_in(self.data, self.program)
        with self._directory_needed():
            known = record.read(self._record_path)
        if known is not None and known.process in found:
            self._record = known
            if await self._until_ready(known.process) is None:
                self._starts = max(self._starts, 1)
                await self._complete(known)
                return
        self._answered = False
        self.check_place()
        await self._clear()
        with self._directory_needed():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.rotate(self.log)
            await self._prepare()
        await self._start_new(known)

    async def _prepare(self) -> None:
        while True:
            try:
                return await self.prepare()
            except DiskFull:
                if not self._reserve.give_way():
                    raise

    @contextmanager
    def _directory_needed(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            raise EngineFailed(
                f"{self.name} cannot use its directory {self.directory}: {e}; "
                "make it writable and see that the disk has room, or choose another home",
                engine=self.name,
            ) from e

    async def _complete(self, known: Record) -> None:
        """Note that the engine answered, and which version it is."""
        version = known.version or await self.ask_version()
        self._record = structs.replace(known, version=version, wanted=True)
        if self._record != known:
            with self._directory_needed():
                self._write_record(self._record)
        self._answered = True
        await self.keep_reserve()

    @override
    async def keep_reserve(self) -> None:
        with suppress(OSError):  # a smaller reserve is no reason not to serve
            await asyncio.to_thread(self._reserve.fill)

    def _make_room(self) -> bool:
        """Give up some of the reserve if the disk is full; return whether there was any."""
        return room_at(self.directory).is_full and self._reserve.give_way()

    async def _start_new(self, before: Record | None) -> None:
        ports = before.ports if before else {}
        impatient_at = asyncio.get_running_loop().time() + self.patience.leftovers.total_seconds()
        attempts = 0
        while True:
            ports = self._choose_ports(ports)
            offset = self.log.stat().st_size if self.log.exists() else 0
            with self._directory_needed():
                started = self._spawn(ports)
            trouble = await self._until_ready(started.process)
            if trouble is None:
                self._starts += 1
                await self._complete(started)
                return
            await self._clear()
            attempts += 1
            last_lines = files.tail(self.log, since=offset)
            taken = attempts < ATTEMPTS and not all(self._is_free(*pair) for pair in ports.items())
            passing = self.is_passing(last_lines)
            if (
                taken
                or self._make_room()
                or (passing and asyncio.get_running_loop().time() < impatient_at)
            ):
                await asyncio.sleep(0.1)
                continue
            raise EngineFailed(self._explain(trouble, last_lines), engine=self.name)

    def _explain(self, trouble: str, last_lines: str) -> str:
        room = room_at(self.directory)
        if room.is_full:  # what it says itself is long, and sounds worse than it is
            return (
                f"{self.name} does not start: {trouble}, and {room.sentence()}; it then starts by itself."
                f" The whole log is {self.log}"
            )
        said = f"Its last lines:\n{last_lines}" if last_lines else "It wrote nothing."
        return f"{self.name} does not start: {trouble}. The whole log is {self.log}. {said}"

    def _choose_ports(self, before: dict[str, int]) -> dict[str, int]:
        """Keep the ports of the last start where they are free, so that clients find the engine again."""
        chosen: dict[str, int] = {}
        for purpose in self.purposes:
            port = before.get(purpose, 0)
            passed = {*chosen.values(), *before.values()}
            while not port or not self._is_free(purpose, port):
                passed.add(port)
                port = free_port(taken=passed)
            chosen[purpose] = port
        return chosen

    def _is_free(self, purpose: str, port: int) -> bool:
        return is_free(port) and self.suits(purpose, port)

    def _spawn(self, ports: dict[str, int]) -> Record:
        # Written first as well: should the starter die in between, others know that the engine is wanted,
        # and find what was started by its directory.
        self._write_record(Record(record.NOBODY, ports, memory=self.memory))
        launch = self._reserve.write(lambda: self.launch(ports))
        process = spawn(
            launch.command,
            output=self.log,
            env=launch.env,
            directory=self.data,
            user=launch.user,
            group=launch.group,
            sacrifice=ENGINE,
        )
        self._record = Record(process, ports, memory=self.memory)
        self._write_record(self._record)
        return self._record

    async def _until_ready(self, process: ProcessId) -> str | None:
        """Wait until the engine answers; return what is wrong if it does not."""
        loop = asyncio.get_running_loop()
        heard = begun = loop.time()
        pause = 0.01
        while not await self.is_ready():
            if not identity.is_alive(process):
                return how_it_ended(await identity.wait(process))
            if await self.is_responsive():
                heard = loop.time()
            if loop.time() - heard > self.patience.silence.total_seconds():
                return (
                    f"it runs and does not answer for {self.patience.silence.total_seconds():g} s"
                )
            if loop.time() - begun > self.patience.start.total_seconds():
                return f"it is not ready after {self.patience.start.total_seconds():g} s"
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.25)
        return None if identity.is_alive(process) else how_it_ended(await identity.wait(process))

    async def _clear(self) -> None:
        """End every process of this engine, its main one first, and reap what was ours."""
        if self._record is not None and not identity.is_alive(self._record.process):
            await identity.wait(self._record.process)
        for process in self.mains(record.processes_in(self.data, self.program)):
            await self.end(process)
        try:
            async with asyncio.timeout(self.patience.leftovers.total_seconds()):
                while record.processes_in(self.data, self.program):  # noqa: ASYNC110 - the kernel has no event for it
                    await asyncio.sleep(0.02)
        except TimeoutError:
            for process in record.processes_in(self.data, self.program):
                await identity.stop(process, number=signal.SIGKILL, grace=self.patience.leftovers)

    @override
    async def stop(self) -> None:
        async with self._lock:
            await self._clear()
            known = record.read(self._record_path)
            if known is not None:
                # Without room for it, the next supervisor sees an engine that ended.
                with self._directory_needed(), suppress(DiskFull):
                    self._write_record(structs.replace(known, wanted=False))
            self._answered = False
            self._last_error = ""

    @override
    async def wait(self) -> str:
        known = self._known()
        if known is None:
            return "it was never started"
        return how_it_ended(await identity.wait(known.process))

    @override
    def status(self) -> EngineStatus:
        known = record.read(self._record_path)
        alive = known is not None and identity.is_alive(known.process)
        return EngineStatus(
            name=self.name,
            state=self._state(asked_for=known is not None and known.wanted, alive=alive),
            version=known.version or None if known else None,
            pid=known.process.pid if known and alive else None,
            endpoint=f"127.0.0.1:{known.ports[self.purposes[0]]}" if known else "",
            memory_limit=known.memory if known and alive else self.memory,
            directory=str(self.directory),
            restarts=max(self._starts - 1, 0),
            last_error=self._last_error,
        )

    def _state(self, *, asked_for: bool, alive: bool) -> EngineState:
        if alive:
            return EngineState.READY if self._answered else EngineState.STARTING
        return EngineState.FAILED if asked_for or self._last_error else EngineState.STOPPED


def how_it_ended(code: int | None) -> str:
    """Put an exit code as :func:`identity.wait` gives it into words."""
    if code is None:
        return "it ended"
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    return f"it ended with exit code {code}"
