"""What plain processes and bubblewrap share: an instance is a guard, a main process and its relatives."""

from __future__ import annotations

import abc
import asyncio
import os
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.shortage import DiskFull, needs_room
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.runtimes import cgroups, proc_table, shell_guard
from drystone.l10_engines.runtimes.command_check import check_spec, find_program
from drystone.l10_engines.runtimes.errors import (
    InstanceFailed,
    InstanceNotStopped,
    SpecInvalid,
)
from drystone.l10_engines.runtimes.port import (
    LOG_NAME,
    Exit,
    Instance,
    InstanceSpec,
    Isolation,
    Runtime,
    Stray,
    log_size,
)
from drystone.l10_engines.runtimes.recorded import RecordedInstance
from drystone.l10_engines.runtimes.records import ENDED, STARTED, Owner, read_record, write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_START_LIMIT = timedelta(seconds=20)
_GUARD_LIMIT = timedelta(seconds=2)
_KILL_ROUNDS = 200
_LOOKS = 3
_PAUSE = 0.002


FOLDER_NEXT = FaultPoint("start.folder.begun", "the folder of an instance is next", writes=True)
GROUPS_MADE = FaultPoint("start.groups.made", "an instance has control groups and no process")
LAUNCHED = FaultPoint("start.guard.launched", "the guard of an instance runs; nothing is recorded")
MAIN_FOUND = FaultPoint("start.process.found", "an instance runs; nothing is recorded")
RECORDED = FaultPoint("start.record.written", "an instance runs and can be adopted")
END_UNRECORDED = FaultPoint("stop.processes.ended", "an instance has ended; how is not recorded")


class HostedRecord(msgspec.Struct, frozen=True):
    """What is needed to adopt an instance; kept as ``state/instance.json``."""

    id: str
    home_label: str
    runtime: str
    guard: ProcessId
    main: ProcessId
    init: ProcessId | None
    groups: tuple[str, ...]


class Launch(NamedTuple):
    """How a runtime executes a command: the words for the guard, and what it wants on its descriptors."""

    command: Sequence[str]
    with_info: bool = False
    call_filter: bytes | None = None


class HostedInstance(RecordedInstance):
    """An instance whose processes are the host's own."""

    def __init__(self, state: Path, record: HostedRecord) -> None:
        super().__init__(record.id, state, record.main, tuple(map(Path, record.groups)))
        self._record = record
        self._ended: Exit | None = None

    @override
    async def wait(self) -> Exit:
        # A status that is there before the end is that of a watcher that was killed. It is looked for first: an
        # instance that ends between the two looks has a good one at the second.
        is_wrong = shell_guard.recorded_status(self.state) is not None and self.is_running()
        await identity.wait(self._main)
        with suppress(TimeoutError):
            # A guard outlives its command by a moment; one that somebody stopped is not waited for.
            async with asyncio.timeout(_GUARD_LIMIT.total_seconds()):
                await identity.wait(self._record.guard)
        if self._ended is None:
            self._ended = await self._finish(is_wrong=is_wrong)
        return self._ended

    async def _finish(self, *, is_wrong: bool) -> Exit:
        """End what is left and find out how it ended."""
        if read_record(self.state / STARTED, HostedRecord) != self._record:
            return Exit(None)  # the folder, and the id, are those of a later instance now
        if (known := self._known_exit()) is not None:
            return known
        # The counter of the group is read before the group goes.
        kills, limit = self.memory_kills(), self.memory_limit()
        await self._end_all()
        if (
            known := self._known_exit()
        ) is not None:  # somebody else waited as well and was quicker
            return known
        recorded = None if is_wrong else shell_guard.recorded_status(self.state)
        status, at = recorded or (None, None)
        ended = Exit.from_status(status, at=at, out_of_memory=kills > 0, memory_limit=limit)
        END_UNRECORDED.reach()
        with suppress(DiskFull):  # whoever asks again finds the guard's record
            write_record(self.state / ENDED, ended)
        return ended

    @override
    def processes(self) -> list[int]:
        if self._groups:
            return sorted(_living(cgroups.members(self._groups)))
        return sorted(self._members())

    def _members(self) -> set[int]:
        rows = proc_table.table()
        known = (self._record.guard, self._main, self._record.init)
        roots = {process.pid for process in known if process and identity.is_alive(process)}
        marks = cookie(self.id, self._record.home_label)
        # The guard is the first of them.
        roots |= proc_table.carrying(rows, marks, since=self._record.guard.started)
        roots |= cgroups.members(self._groups)
        return proc_table.with_relatives(rows, roots)

    async def _end_all(self) -> None:
        await kill_all(self._members, self.id, self._groups)
        identity.reap(self._record.guard)
        await cgroups.remove_after_death(self._groups)


class HostedRuntime(Runtime):
    """Starts guards and finds them again; a subclass says what the guard executes.

    Args:
        groups: Where control groups may be made; found out by a trial when omitted.
    """

    def __init__(self, *, groups: cgroups.Cgroups | None = None) -> None:
        self._cgroups = cgroups.Cgroups() if groups is None else groups

    @abc.abstractmethod
    def _launch(self, spec: InstanceSpec, environment: dict[str, str], program: Path) -> Launch:
        """Return what the guard executes for this spec."""

    @abc.abstractmethod
    async def _main(
        self, state: Path, first: ProcessId
    ) -> tuple[ProcessId, ProcessId | None] | None:
        """Return the service's main process and the init of its sandbox; None while it is not there yet.

        Args:
            state: The instance's folder.
            first: What the guard has executed.
        """

    def _failure(self, spec: InstanceSpec, said: str) -> PlatformError | None:
        """Explain an end at once by what the log says, when it was not the service that failed."""
        return None

    def _enforced(self) -> Isolation:
        names = self._cgroups.enforced()
        return Isolation(memory="memory" in names, cpu="cpu" in names, pids="pids" in names)

    @override
    async def start(self, spec: InstanceSpec) -> Instance:
        check_spec(spec)
        if spec.image is not None or not spec.command:
            raise SpecInvalid(f"{spec.id}: {self.name} runs a command, not an image; use podman")
        await self.vacate(spec.state)
        with needs_room(spec.state):
            FOLDER_NEXT.reach()
            directory = _prepare(spec)
        environment = self._environment(spec, directory)
        program = find_program(spec.command[0], path=environment["PATH"], directory=directory)
        launch = self._launch(spec, environment, program)
        before = log_size(spec.state)
        groups = self._make_groups(spec)
        try:
            GROUPS_MADE.reach()
            guard = shell_guard.launch(
                launch.command,
                state=spec.state,
                environment=environment,
                directory=directory,
                groups=groups,
                with_info=launch.with_info,
                call_filter=launch.call_filter,
                network=spec.network,
            )
        except DiskFull:
            cgroups.remove(groups)
            raise
        except (PlatformError, OSError) as e:
            cgroups.remove(groups)
            raise InstanceFailed(f"{spec.id} cannot be started: {e}") from e
        try:
            LAUNCHED.reach()
            main, init = await self._begun(spec, guard, groups)
            MAIN_FOUND.reach()
            record = HostedRecord(
                spec.id, spec.home_label, self.name, guard, main, init, tuple(map(str, groups))
            )
            write_record(spec.state / STARTED, record)
        except (PlatformError, OSError, asyncio.CancelledError):
            # Nobody else knows of it yet: without a record no later look would find it.
            await self._abandon(spec, guard, groups)
            raise
        RECORDED.reach()
        instance = HostedInstance(spec.state, record)
        if not instance.is_running():
            failure = self._failure(spec, _said_since(spec.state, before))
            if failure is not None:
                await instance.wait()
                raise failure
        return instance

    def _make_groups(self, spec: InstanceSpec) -> tuple[Path, ...]:
        try:
            return self._cgroups.create(spec.home_label, spec.id, spec.limits)
        except OSError as e:
            raise InstanceFailed(f"{spec.id}: its control groups cannot be made: {e}") from e

    def _environment(self, spec: InstanceSpec, directory: Path) -> dict[str, str]:
        # A shell exports PWD in any case; setting it here keeps the environment the same everywhere.
        own = {"PATH": DEFAULT_PATH, "HOME": str(home_of(spec)), "LANG": "C.UTF-8"}
        own["PWD"] = str(directory)
        marks = cookie(spec.id, spec.home_label) | {"DRYSTONE_RUNTIME": self.name}
        return own | dict(spec.environment) | marks

    async def _begun(
        self, spec: InstanceSpec, guard: ProcessId, groups: tuple[Path, ...]
    ) -> tuple[ProcessId, ProcessId | None]:
        """Wait until the command runs, or has already ended; return its process and the sandbox's init."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_LIMIT.total_seconds()
        number = None
        while loop.time() < deadline:
            ended = not identity.is_alive(guard)  # asked first: what it wrote can then be read
            number = shell_guard.recorded_pid(spec.state)
            first = None if number is None else identity.identify(number)
            found = None if first is None else await self._main(spec.state, first)
            if found:
                return found
            if ended and number is not None:
                return ProcessId(number, 0, ""), None
            if ended:
                break
            await asyncio.sleep(_PAUSE)
        raise InstanceFailed(f"{spec.id} did not begin; its log {spec.state / LOG_NAME} says more")

    async def _abandon(
        self, spec: InstanceSpec, guard: ProcessId, groups: tuple[Path, ...]
    ) -> None:
        """End what was launched and did not become an instance."""
        marks = cookie(spec.id, spec.home_label)
        await kill_all(lambda: _marked(marks, groups), spec.id, groups)
        identity.reap(guard)
        await cgroups.remove_after_death(groups)

    @override
    async def find(self, state: Path) -> HostedInstance | None:
        owner = read_record(state / STARTED, Owner)
        if owner is None or owner.runtime != self.name:
            return None
        record = read_record(state / STARTED, HostedRecord)
        return None if record is None else HostedInstance(state, record)

    @override
    async def strays(self, home_label: str, known_ids: frozenset[str]) -> list[Stray]:
        rows = proc_table.table()
        marks = {"DRYSTONE_HOME_LABEL": home_label, "DRYSTONE_RUNTIME": self.name}
        found: dict[str, set[int]] = {}
        for pid in proc_table.carrying(rows, marks):
            name = proc_table.environment(pid).get("DRYSTONE_INSTANCE")
            if name is not None and name not in known_ids:
                found.setdefault(name, set()).add(pid)
        # Whoever died between making the groups and the first process left groups of nobody.
        for name in self._cgroups.empty(home_label) - known_ids:
            found.setdefault(name, set())
        return [Stray(name, home_label, tuple(sorted(pids))) for name, pids in found.items()]

    @override
    async def remove_stray(self, stray: Stray) -> None:
        marks = cookie(stray.id, stray.handle) | {"DRYSTONE_RUNTIME": self.name}
        groups = self._cgroups.groups(stray.handle, stray.id)
        await kill_all(lambda: _marked(marks, groups), stray.id, groups)
        await cgroups.remove_after_death(groups)


def cookie(instance: str, home_label: str) -> dict[str, str]:
    """Return the variables that mark every process of an instance."""
    return {"DRYSTONE_INSTANCE": instance, "DRYSTONE_HOME_LABEL": home_label}


def home_of(spec: InstanceSpec) -> Path:
    """Return the folder that is ``HOME`` of an instance, the only writable one it always has."""
    return spec.state / "home"


def _prepare(spec: InstanceSpec) -> Path:
    """Make the folders of an instance, forget what an earlier one left, return the working directory."""
    home = home_of(spec)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    spec.state.chmod(0o700)
    for name in (STARTED, ENDED):
        (spec.state / name).unlink(missing_ok=True)
    directory = spec.directory or home
    if not directory.is_dir():
        raise SpecInvalid(f"{spec.id}: the working directory {directory} does not exist")
    return directory


def _said_since(state: Path, offset: int) -> str:
    """Return the beginning of what was written to the log since an offset."""
    with (state / LOG_NAME).open("rb") as stream:
        stream.seek(offset)
        return stream.read(4096).decode(errors="replace")


def _marked(marks: dict[str, str], groups: Iterable[Path]) -> set[int]:
    rows = proc_table.table()
    found = proc_table.carrying(rows, marks) | cgroups.members(groups)
    return proc_table.with_relatives(rows, found)


def _living(pids: Iterable[int]) -> set[int]:
    return {pid for pid in pids if proc_table.row(pid)}


async def kill_all(
    members: Callable[[], set[int]], instance: str, groups: Iterable[Path] = ()
) -> None:
    """Kill until nobody is left.

    A process that forks and ends while the process table is read hides its child from one look, hardly from several
    that follow each other. Where a group keeps them from forking at all, one look is enough.

    Args:
        members: Looks for them.
        instance: Whose they are, for the message.
        groups: Control groups that they are all in.

    Raises:
        InstanceNotStopped: Somebody is still there after many rounds.
    """
    needed = 1 if cgroups.seal(groups) else _LOOKS
    in_vain = 0
    for turn in range(_KILL_ROUNDS):
        # Who is in the groups is known at once; the look at all processes is for whoever left them.
        left = (_living(cgroups.members(groups)) or members()) - {os.getpid()}
        in_vain = 0 if left else in_vain + 1
        if in_vain == needed:
            return
        for pid in left:
            # The pid was read a moment ago; a pidfd keeps a reused number from being hit later still.
            if (process := identity.identify(pid)) is not None:
                with suppress(PermissionError):
                    identity.send(process, signal.SIGKILL)
        await asyncio.sleep(_PAUSE * min(turn + 1, 25))
    raise InstanceNotStopped(
        f"{len(members())} processes of {instance} are left after being killed: "
        f"{sorted(members())[:10]}",
        instance=instance,
    )
