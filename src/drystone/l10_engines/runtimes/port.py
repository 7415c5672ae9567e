"""The port of every runtime: start an instance, find it again, end it without a trace.

A runtime keeps nothing in memory that it needs: an instance is a folder (``InstanceSpec.state``) and
processes of the kernel. Whoever has the folder can adopt the instance, so that the death of the one
who started it costs nothing. Output goes from the instance straight into the file ``state/log``.
"""

from __future__ import annotations

import abc
import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import msgspec

from drystone.l10_engines.runtimes.errors import InstanceRuns, RunTimedOut

LOG_NAME = "log"
_READ_SIZE = 256 * 1024


class Limits(msgspec.Struct, frozen=True):
    """What an instance may use at most.

    Attributes:
        memory: Bytes.
        cpu: Processor cores; 0.5 is half of one.
        pids: Processes and threads together.
    """

    memory: int
    cpu: float
    pids: int = 512


class Mount(msgspec.Struct, frozen=True):
    """A folder or file of the host that the instance sees.

    Attributes:
        source: Absolute path on the host.
        target: Absolute path inside. Plain processes see the host's own paths, so there it must equal
            the source.
        read_only: Whether the instance may only read it.
    """

    source: Path
    target: str
    read_only: bool = False


class InstanceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All that a runtime needs to know to start one instance.

    Attributes:
        id: ``[a-z0-9-]{1,63}``, unique in the home.
        command: Program and arguments, never read by a shell; empty only for an image that has its own.
        environment: What the instance's environment holds besides the platform's few variables.
        state: Folder of this instance. The runtime makes it (0700) and keeps its records and the log there.
        directory: Working directory. Inside a sandbox it is visible, read-only, at the same path; inside
            a container it must exist in the image or below a mount's target.
        limits: Most that it may use.
        mounts: Volumes and artefacts.
        image: What ``Podman.resolve_image`` returned; None for the other runtimes.
        network: File of the network that it lives in, with its loopback ports; the host's when None.
        home_label: ``[A-Za-z0-9._-]{1,64}``; names the platform's home so that strays can be found.
    """

    id: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    state: Path
    limits: Limits
    home_label: str
    directory: Path | None = None
    mounts: tuple[Mount, ...] = ()
    image: str | None = None
    network: Path | None = None


class Exit(msgspec.Struct, frozen=True):
    """How an instance ended.

    Attributes:
        code: Exit status as a shell reports it, 128 + n after signal n; None when nobody recorded it.
        signal: The signal that ended it, derived from the status.
        out_of_memory: Whether the kernel killed something in it for reaching the memory limit.
        at: When it ended; None when nobody recorded it.
        memory_limit: The limit in bytes, where one was enforced.
    """

    code: int | None
    signal: int | None = None
    out_of_memory: bool = False
    at: datetime | None = None
    memory_limit: int | None = None

    @classmethod
    def from_status(
        cls,
        status: int | None,
        *,
        at: datetime | None,
        out_of_memory: bool = False,
        memory_limit: int | None = None,
    ) -> Exit:
        """Read a shell's exit status (POSIX XCU 2.8.2)."""
        number = None if status is None else status - 128
        valid = number is not None and number in set(signal.Signals)
        return cls(status, number if valid else None, out_of_memory, at, memory_limit)

    @property
    def is_success(self) -> bool:
        """Whether the command ended with exit code 0."""
        return self.code == 0

    def sentence(self) -> str:
        """Say it to a person, as the end of a sentence that begins with the instance's name."""
        if self.out_of_memory and self.signal == signal.SIGKILL:
            return f"used more than {memory_words(self.memory_limit)} and was killed"
        if self.code is None:
            return "ended, and nothing recorded its exit code"
        if self.signal is not None:
            return f"was ended by {signal.Signals(self.signal).name} (exit code {self.code})"
        after = ""
        if self.out_of_memory:
            after = f", after a part of it used more than {memory_words(self.memory_limit)}"
        return f"ended with exit code {self.code}{after}"


def memory_words(limit: int | None) -> str:
    """Say a memory limit in bytes to a person."""
    return "its memory limit" if limit is None else f"its limit of {limit / 1024**2:g} MB"


class Isolation(msgspec.Struct, frozen=True):
    """What a runtime promises on this machine; a false field promises nothing.

    Attributes:
        files: An instance cannot see the platform's home, other instances' files or people's homes.
        processes: It cannot see or signal other processes of the host.
        environment: It cannot read the environment of other instances.
        privileges: It runs without the capabilities of the superuser.
        calls: The kernel refuses it the system calls that services do not need and that lead out.
        memory: The memory limit is enforced by the kernel.
        cpu: So is the share of processors.
        pids: So is the number of processes.
        network: It cannot leave the network that it was given. Where it was given none, it has the host's.
    """

    files: bool = False
    processes: bool = False
    environment: bool = False
    privileges: bool = False
    calls: bool = False
    memory: bool = False
    cpu: bool = False
    pids: bool = False
    network: bool = False

    def sentence(self, *, has_network: bool = False) -> str:
        """Say plainly what is and what is not isolated.

        Args:
            has_network: Whether instances are given networks of their own.
        """
        words = {
            "files": "files",
            "processes": "processes",
            "environment": "environment",
            "privileges": "privileges",
            "calls": "system calls",
            "memory": "memory limit",
            "cpu": "processor limit",
            "pids": "process limit",
            "network": "network",
        }
        held = msgspec.structs.replace(self, network=self.network and has_network)
        kept = [word for name, word in words.items() if getattr(held, name)]
        open_ = [word for name, word in words.items() if not getattr(held, name)]
        return f"enforced: {', '.join(kept) or 'nothing'}; not enforced: {', '.join(open_)}"


class Usage(msgspec.Struct, frozen=True):
    """What the living processes of an instance use.

    Attributes:
        memory: Resident bytes, summed; pages that processes share count once for each.
        cpu: Processor time, with that of children that have ended.
        processes: How many there are.
    """

    memory: int
    cpu: timedelta
    processes: int


class Stray(msgspec.Struct, frozen=True):
    """An instance of this home that nobody claims.

    Attributes:
        id: The instance's id.
        handle: What the runtime needs to remove it: the home's label or the container's id.
        pids: Its processes on the host.
    """

    id: str
    handle: str
    pids: tuple[int, ...]


class Instance(abc.ABC):
    """One instance that was started, in this or in an earlier life of the agent."""

    id: str
    state: Path

    @property
    @abc.abstractmethod
    def pid(self) -> int:
        """The main process on the host, for reports; its number may be reused after the end."""

    @abc.abstractmethod
    def is_running(self) -> bool:
        """Tell whether the main process lives."""

    @abc.abstractmethod
    async def wait(self) -> Exit:
        """Wait for the end of the main process, then end all that it left behind.

        May be called by several at once, and again after the end. Once another instance was started in the
        folder, one that had not waited before learns no more than that it ended.
        """

    @abc.abstractmethod
    async def stop(
        self, *, number: signal.Signals = signal.SIGTERM, grace: timedelta = timedelta(seconds=10)
    ) -> Exit:
        """Signal the main process, wait, and kill all that belongs to the instance when the grace is over.

        Raises:
            InstanceNotStopped: Something could not be killed.
        """

    @abc.abstractmethod
    def processes(self) -> list[int]:
        """Return the pids on the host of all that belongs to the instance, daemons included."""

    @abc.abstractmethod
    def listening_ports(self) -> list[int]:
        """Return the TCP ports on which its processes listen now, ascending."""

    @abc.abstractmethod
    def network(self) -> Path | None:
        """Return the way into its network while it runs; None where that is the agent's own."""

    @abc.abstractmethod
    def usage(self) -> Usage:
        """Measure its processes."""

    @abc.abstractmethod
    def memory_kills(self) -> int:
        """Count the processes of it that the kernel killed at its memory limit; the main one may live on."""

    @abc.abstractmethod
    def memory_limit(self) -> int | None:
        """Return the memory limit in bytes that is enforced; None where none is, or once it has ended."""

    @property
    def log(self) -> Path:
        """The file that holds both outputs."""
        return self.state / LOG_NAME


class Runtime(abc.ABC):
    """A way to run instances on this machine."""

    name: str
    may_be_silent: ClassVar[bool] = False
    """Whether it asks a program that may not answer, for which the rest of the platform does not wait."""

    @abc.abstractmethod
    async def available(self) -> str | None:
        """Return None when it works here, else a sentence with the reason and what to do."""

    @abc.abstractmethod
    def isolation(self) -> Isolation:
        """Say what is enforced on this machine."""

    @abc.abstractmethod
    async def start(self, spec: InstanceSpec) -> Instance:
        """Start an instance; return when its command begins, or has already ended.

        A log that an earlier instance left in the folder is continued.

        Raises:
            SpecInvalid: The spec can work in no runtime, or not in this one.
            CommandNotFound: There is no such program, or it cannot be executed.
            ImageNotFound: The image is not on this machine.
            InstanceRuns: The state folder belongs to an instance that runs.
            InstanceFailed: The runtime refused, for the reason in the message.
        """

    @abc.abstractmethod
    async def find(self, state: Path) -> Instance | None:
        """Adopt the instance of this folder, running or ended; None when none was started there."""

    @abc.abstractmethod
    async def strays(self, home_label: str, known_ids: frozenset[str]) -> list[Stray]:
        """Return what runs, or is left, of instances of this home whose id is not known."""

    def begun(self) -> frozenset[str]:
        """Return the ids of what was started by this object, where strays may be looked for meanwhile."""
        return frozenset()

    @abc.abstractmethod
    async def remove_stray(self, stray: Stray) -> None:
        """Kill a stray and all that belongs to it.

        Raises:
            InstanceNotStopped: Something could not be killed.
        """

    async def vacate(self, state: Path) -> None:
        """Make sure that a folder is free for an instance; end what one left that nobody waited for.

        Raises:
            InstanceRuns: An instance runs there.
        """
        earlier = await self.find(state)
        if earlier is None:
            return
        if earlier.is_running():
            raise InstanceRuns(f"{earlier.id} runs already as process {earlier.pid}; stop it first")
        await earlier.wait()

    async def run_once(
        self,
        spec: InstanceSpec,
        *,
        output: Callable[[bytes], None],
        limit: timedelta,
    ) -> Exit:
        """Run a command to its end with the surroundings of a service.

        Args:
            spec: Like the service's own, with another ``id``, ``state`` and ``command``.
            output: Is given both outputs as they come.
            limit: After this long the command is killed.

        Raises:
            RunTimedOut: The time was over.
        """
        offset = await asyncio.to_thread(log_size, spec.state)
        instance = await self.start(spec)
        ending = asyncio.create_task(instance.wait())
        try:
            async with asyncio.timeout(limit.total_seconds()):
                while not ending.done():
                    await asyncio.wait({ending}, timeout=0.05)
                    offset = _pass_on(instance.log, offset, output)
                while (end := _pass_on(instance.log, offset, output)) > offset:
                    offset = end
                return await ending
        except TimeoutError as e:
            raise RunTimedOut(
                f"{spec.command[0] if spec.command else spec.image} did not end within {limit} "
                "and was stopped",
                instance=spec.id,
            ) from e
        finally:
            if not ending.done():
                await instance.stop(grace=timedelta(0))
                await ending


def log_size(state: Path) -> int:
    """Return the bytes that the log of this folder's instance holds."""
    try:
        return (state / LOG_NAME).stat().st_size
    except FileNotFoundError:
        return 0


def _pass_on(log: Path, offset: int, output: Callable[[bytes], None]) -> int:
    """Hand over what was written since the offset, a bounded piece at a time; return the new offset."""
    with suppress(FileNotFoundError), log.open("rb") as stream:
        stream.seek(offset)
        if piece := stream.read(_READ_SIZE):
            output(piece)
            return offset + len(piece)
    return offset
