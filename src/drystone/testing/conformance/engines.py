"""What every engine that runs here promises, as tests.

An author of an engine subclasses :class:`LocalEngineConformance` in a test module and fills in the three
abstract methods; pytest with pytest-asyncio runs the rest on the real engine::

    class TestMyEngine(LocalEngineConformance):
        def make(self, directory): return MyEngine("mine", directory)
        async def write(self, engine, key, value): ...
        async def read(self, engine, key): ...
"""

# ruff: noqa: S101, D102, ASYNC240 - these are tests; their names are their documentation
from __future__ import annotations

import abc
import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest
from msgspec import structs

from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.supervision import record
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.l10_engines.supervision.port import EngineState
from drystone.l10_engines.supervision.supervisor import Supervisor, Watchfulness
from drystone.testing.ports import taken

E = TypeVar("E", bound=LocalEngine)

ATTENTIVE = Watchfulness(
    first_pause=timedelta(milliseconds=10), probe_every=timedelta(milliseconds=100), silences=3
)
LIMIT = 30.0


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, at most :data:`LIMIT` seconds."""
    async with asyncio.timeout(LIMIT):
        while not condition():  # noqa: ASYNC110 - what is waited for is outside this process
            await asyncio.sleep(0.02)


@contextmanager
def short_home() -> Iterator[Path]:
    """Give a folder with a short path, which other users may pass, and remove it afterwards.

    A unix socket's path has at most 107 bytes, and an engine may run as another user.
    """
    home = Path(tempfile.mkdtemp(prefix="ds-", dir="/tmp"))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home)


@asynccontextmanager
async def started(make: Callable[[Path], E]) -> AsyncIterator[E]:
    """Run an engine in a short folder of its own, and end it afterwards.

    Args:
        make: Returns it, given the folder.
    """
    with short_home() as home:
        engine = make(home)
        try:
            await engine.start()
            yield engine
        finally:
            await engine.stop()


@pytest.mark.asyncio
class LocalEngineConformance(abc.ABC):
    """The promises of :class:`~drystone.l10_engines.supervision.local.LocalEngine`."""

    durable: ClassVar[bool] = True
    """Whether acknowledged data outlives the process."""

    @abc.abstractmethod
    def make(self, directory: Path) -> LocalEngine:
        """Return an engine over this directory; called several times for one directory."""

    @abc.abstractmethod
    async def write(self, engine: LocalEngine, key: str, value: str) -> None:
        """Store a value by the engine's own protocol, and return when it is acknowledged."""

    @abc.abstractmethod
    async def read(self, engine: LocalEngine, key: str) -> str | None:
        """Return a stored value, or None."""

    @pytest.fixture
    def directory(self) -> Iterator[Path]:
        """A directory of the engine's own, that does not exist yet."""
        with short_home() as home:
            yield home / "engines" / "one"

    @asynccontextmanager
    async def running(self, directory: Path) -> AsyncIterator[LocalEngine]:
        """Start an engine, and leave nothing of it behind."""
        engine = self.make(directory)
        try:
            await engine.start()
            yield engine
        finally:
            await engine.stop()

    def processes(self, engine: LocalEngine) -> tuple[ProcessId, ...]:
        """Return all processes of an engine."""
        return record.processes_in(engine.data, engine.program)

    async def test_a_fresh_directory_gives_an_engine_that_serves(self, directory: Path) -> None:
        async with self.running(directory) as engine:
            await self.write(engine, "key", "value")
            assert await engine.is_ready()
            assert await self.read(engine, "key") == "value"

    async def test_the_status_names_what_runs(self, directory: Path) -> None:
        engine = self.make(directory)
        assert engine.status().state is EngineState.STOPPED
        async with self.running(directory) as engine:
            status = engine.status()
            assert status.state is EngineState.READY
            assert status.version
            assert status.version[0].isdigit()
            assert status.memory_limit == engine.memory > 0
            assert status.endpoint == f"127.0.0.1:{engine.port}"
            assert status.directory == str(directory)
            assert status.pid in {process.pid for process in self.processes(engine)}
        assert engine.status().state is EngineState.STOPPED
        assert engine.status().pid is None

    async def test_every_port_is_below_those_of_outgoing_connections_and_on_loopback(
        self, directory: Path
    ) -> None:
        async with self.running(directory) as engine:
            ports = set(engine.ports.values())
            listening = _listening({process.pid for process in self.processes(engine)}, ports)
            assert ports <= {port for _, port in listening}
            assert all(port < 32768 for _, port in listening)
            assert {address for address, _ in listening} == {"127.0.0.1"}

    async def test_starting_twice_starts_one(self, directory: Path) -> None:
        async with self.running(directory) as engine:
            pid = engine.status().pid
            await engine.start()
            assert engine.status().pid == pid
            assert engine.status().restarts == 0

    async def test_stop_leaves_no_process_and_may_be_repeated(self, directory: Path) -> None:
        async with self.running(directory) as engine:
            await engine.stop()
            assert self.processes(engine) == ()
            assert not await engine.is_ready()
            await engine.stop()
        await self.make(directory).stop()

    async def test_stopping_what_never_ran_makes_nothing(self, directory: Path) -> None:
        await self.make(directory).stop()
        assert not directory.exists()

    async def test_a_restart_keeps_the_port_and_acknowledged_data(self, directory: Path) -> None:
        async with self.running(directory) as engine:
            await self.write(engine, "key", "value")
            port = engine.port
            await engine.stop()
        async with self.running(directory) as engine:
            assert engine.port == port
            assert await self.read(engine, "key") == ("value" if self.durable else None)

    async def test_a_second_object_takes_over_what_runs(self, directory: Path) -> None:
        async with self.running(directory) as first:
            await self.write(first, "key", "value")
            second = self.make(directory)
            assert second.status().state is EngineState.STARTING
            await second.start()
            assert second.status() == first.status()
            assert await self.read(second, "key") == "value"

    async def test_what_lost_its_record_is_replaced_and_not_doubled(self, directory: Path) -> None:
        async with self.running(directory) as first:
            await self.write(first, "key", "value")
            (directory / "record.json").unlink()
            old = self.processes(first)
            async with self.running(directory) as second:
                assert not any(identity.is_alive(process) for process in old)
                assert await self.read(second, "key") == ("value" if self.durable else None)

    async def test_a_stranger_with_the_recorded_process_id_is_left_alone(
        self, directory: Path
    ) -> None:
        async with self.running(directory) as engine:
            await engine.stop()
        with subprocess.Popen(["sleep", "600"]) as stranger:  # noqa: ASYNC220, S607
            try:
                known = record.read(directory / "record.json")
                taken = identity.identify(stranger.pid)
                assert known is not None
                assert taken is not None
                recycled = structs.replace(known, process=taken, wanted=True)
                record.write(directory / "record.json", recycled)
                async with self.running(directory) as engine:
                    assert engine.status().pid != stranger.pid
                    assert await engine.is_ready()
                assert stranger.poll() is None
            finally:
                stranger.kill()

    async def test_after_a_kill_the_supervisor_restarts_it_with_acknowledged_data(
        self, directory: Path
    ) -> None:
        engine = self.make(directory)
        supervisor = Supervisor([engine], watchfulness=ATTENTIVE)
        try:
            await supervisor.ensure(engine.name)
            await self.write(engine, "key", "value")
            pid = engine.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await eventually(
                lambda: engine.status().pid != pid and engine.status().state is EngineState.READY
            )
            assert await self.read(engine, "key") == ("value" if self.durable else None)
            assert engine.status().restarts == 1
        finally:
            await supervisor.stop_all()
        assert self.processes(engine) == ()

    async def test_two_who_need_it_at_once_share_one_start(self, directory: Path) -> None:
        engine = self.make(directory)
        supervisor = Supervisor([engine], watchfulness=ATTENTIVE)
        try:
            both = await asyncio.gather(*(supervisor.ensure(engine.name) for _ in range(2)))
            assert both == [engine, engine]
            assert engine.status().restarts == 0
            assert engine.status().pid is not None
        finally:
            await supervisor.stop_all()

    async def test_a_taken_port_is_replaced_by_another(self, directory: Path) -> None:
        async with self.running(directory) as engine:
            port = engine.port
            await engine.stop()
            with taken(port):
                await engine.start()
                assert engine.port != port
                assert await engine.is_ready()

    async def test_a_directory_that_cannot_be_written_is_named(self, directory: Path) -> None:
        directory.parent.write_text("a file where a folder is needed")
        with pytest.raises(EngineFailed, match=f"{directory}.*make it writable"):
            await self.make(directory).start()


def _listening(pids: set[int], ports: set[int]) -> set[tuple[str, int]]:
    """Return address and port of the sockets that listen: those of these processes, and on these ports."""
    inodes = {inode for pid in pids for inode in _sockets(pid)}
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            address, _, number = local.partition(":")
            port = int(number, 16)
            if state == "0A" and (inode in inodes or port in ports):
                words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
                found.add((socket.inet_ntop(family, b"".join(words)), port))
    return found


def _sockets(pid: int) -> set[str]:
    """Return the inodes of a process's sockets; none where this user may not look."""
    inodes = set()
    with suppress(PermissionError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                inodes.add(link.readlink().name.removeprefix("socket:[").removesuffix("]"))
    return inodes
