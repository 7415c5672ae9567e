"""Containers by podman: an image with a file system of its own, limits, and no capabilities.

Podman has no daemon: a container's parent is a small monitor, ``conmon``, so that containers outlive
the agent. Its log drivers would have conmon copy every byte and lose the output when it dies; instead
the driver ``passthrough`` gives the container the monitor's own outputs, and a two-line script in the
place of conmon opens ``state/log`` for it. So output goes from the container straight to the file.

Two things differ from a process of the host. The command is pid 1 of its container, to which the kernel
delivers no signal without a handler: a command that does not handle SIGTERM is killed when the grace is
over. And no capability is left (``--cap-drop ALL``): images whose first process is root and gives its
rights up itself, with chown and setuid, need another image or user. The root is read-only; ``/tmp``,
``/run`` and ``/var/tmp`` are writable and private.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import DeadlineExceeded, PlatformError
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.shortage import DiskFull, needs_room
from drystone.l10_engines.processes import identity, proc_files
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.runtimes import cgroups, proc_table
from drystone.l10_engines.runtimes.command_check import check_spec
from drystone.l10_engines.runtimes.errors import (
    CommandNotFound,
    ImageNotFound,
    InstanceFailed,
    InstanceNotStopped,
    PodmanSilent,
    RuntimeMissing,
    SpecInvalid,
)
from drystone.l10_engines.runtimes.podman_command import (
    LIMIT,
    PodmanCommand,
    State,
    explain,
)
from drystone.l10_engines.runtimes.podman_environment import environment_words
from drystone.l10_engines.runtimes.podman_options import HOME, INSTANCE, container_name, options
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
from drystone.l10_engines.runtimes.system_calls import narrowed

_BEGIN_LIMIT = timedelta(milliseconds=500)
_ANSWER_LIMIT = timedelta(seconds=3)
_MONITOR_LIMIT = timedelta(seconds=10)
_PAUSE = 0.002
_REMOVALS = 4

CONTAINER_FOUND = FaultPoint("start.container.found", "a container runs; nothing is recorded")
CONTAINER_RECORDED = FaultPoint("start.container.written", "a container runs and can be adopted")
CONTAINER_ENDED = FaultPoint(
    "stop.container.ended", "a container has ended, and how is recorded; podman still lists it"
)


class _Record(msgspec.Struct, frozen=True):
    """What is needed to adopt a container; kept as ``state/instance.json``."""

    id: str
    runtime: str
    container: str
    main: ProcessId
    monitor: ProcessId
    groups: tuple[str, ...]


class PodmanInstance(RecordedInstance):
    """A container that was started here."""

    def __init__(self, state: Path, record: _Record, podman: PodmanCommand) -> None:
        super().__init__(record.id, state, record.main, tuple(map(Path, record.groups)))
        self._record = record
        self._podman = podman
        self._ended: Exit | None = None

    @property
    def monitor(self) -> ProcessId:
        """The conmon that waits for the container."""
        return self._record.monitor

    @override
    async def wait(self) -> Exit:
        await identity.wait(self._main)
        # Podman learns of it from the kernel only with cgroup v2; the group is there for some moments yet.
        kills, limit = self.memory_kills(), self.memory_limit()
        with suppress(TimeoutError):
            # The monitor records the exit code and ends.
            async with asyncio.timeout(_MONITOR_LIMIT.total_seconds()):
                await identity.wait(self._record.monitor)
        if self._ended is None:
            self._ended = await self._finish(kills, limit)
        return self._ended

    async def _finish(self, kills: int, limit: int | None) -> Exit:
        """Find out how it ended and remove the container."""
        if read_record(self.state / STARTED, _Record) != self._record:
            return Exit(None)  # the folder is that of a later instance now
        if (known := self._known_exit()) is not None:
            # Whoever wrote that may have died before the container was removed.
            await _remove(self._podman, self._record.container)
            return known
        ended = _exit(await self._podman.state(self._record.container), kills, limit)
        if (
            known := self._known_exit()
        ) is not None:  # somebody else waited as well and was quicker
            return known
        with suppress(DiskFull):  # then nobody who comes later learns how it ended
            write_record(self.state / ENDED, ended)
        CONTAINER_ENDED.reach()
        await _remove(self._podman, self._record.container)
        return ended

    @override
    def processes(self) -> list[int]:
        namespace = proc_table.pid_namespace(self.pid) if self.is_running() else None
        if namespace is None:
            return []
        return sorted(proc_table.in_pid_namespace(proc_table.table(), namespace))


class Podman(Runtime):
    """Runs images, in the network that they are given or in that of the host."""

    name = "podman"

    may_be_silent = True

    def __init__(self) -> None:
        self._podman = PodmanCommand()
        self._started_ids: set[str] = set()

    @override
    async def available(self) -> str | None:
        try:
            async with asyncio.timeout(_ANSWER_LIMIT.total_seconds()):
                await self._podman.info()
        except (PodmanSilent, TimeoutError):
            pass  # it may answer later, and what runs is adopted without it
        except RuntimeMissing as e:
            return e.message
        if not self.isolation().pids:
            return "podman cannot make control groups here; mount /sys/fs/cgroup writable"
        return None

    @override
    def isolation(self) -> Isolation:
        enforced = {name: self._enforces(name) for name in ("memory", "cpu", "pids")}
        kept = ("files", "processes", "environment", "privileges", "network")
        calls = self._podman.profile is not None
        return Isolation(calls=calls, **enforced, **dict.fromkeys(kept, True))

    def _enforces(self, controller: str) -> bool:
        if os.geteuid() != 0:  # then it is systemd that makes the groups, and podman that knows
            return controller in self._podman.controllers
        is_unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
        return os.access(Path("/sys/fs/cgroup", "" if is_unified else controller), os.W_OK)

    @override
    def begun(self) -> frozenset[str]:
        return frozenset(self._started_ids)

    async def resolve_image(self, reference: str) -> str:
        """Return the id of an image, which never changes its meaning as a tag does.

        Args:
            reference: Name with tag or digest, or an id.

        Raises:
            ImageNotFound: It is not on this machine; the message names those that are.
        """
        # The reference comes from a descriptor; behind "--" it can be no option.
        answer = await self._podman("image", "inspect", "--format", "{{.Id}}", "--", reference)
        if answer.code == 0:
            return answer.output.decode().split()[0]
        images = await self._podman("images", "--format", "{{.Repository}}:{{.Tag}}")
        known = [name for name in images.output.decode().split() if not name.startswith("<none>")]
        raise ImageNotFound(
            f"the image {reference!r} is not on this machine; try: podman pull {shlex.quote(reference)}. "
            f"Images here: {', '.join(sorted(known)[:20]) or 'none'}",
            image=reference,
        )

    @override
    async def start(self, spec: InstanceSpec) -> Instance:
        check_spec(spec)
        if spec.image is None:
            raise SpecInvalid(f"{spec.id}: podman runs images, and none is named")
        await self.vacate(spec.state)
        before = log_size(spec.state)
        with needs_room(spec.state):
            await self._prepare(spec)
        info = await self._podman.info()
        self._started_ids.add(spec.id)
        given = [*options(spec, self.isolation()), *self._call_filter(spec)]
        try:
            words, variables = environment_words(spec)
            answer = await self._podman(
                *("--runtime", info.host.oci_runtime.path, "--conmon", str(spec.state / "conmon")),
                *("run", "--detach", *given, *words, "--", spec.image, *spec.command),
                environment=variables,
                directory=spec.state,
            )
        except DeadlineExceeded as e:
            await _remove(self._podman, container_name(spec))
            raise InstanceFailed(f"{spec.id} cannot be started: {e}") from e
        finally:
            (spec.state / "environment").unlink(missing_ok=True)
        if answer.code != 0:
            await _remove(self._podman, container_name(spec))
            raise explain(answer, instance=spec.id, image=spec.image)
        try:
            CONTAINER_FOUND.reach()
            instance = self._begun(spec)
        except (PlatformError, OSError, ValueError):
            # Nobody else knows of it yet, and it would run for as long as this agent lives.
            await _remove(self._podman, container_name(spec))
            raise
        CONTAINER_RECORDED.reach()
        await _wait_until_executed(instance, info.host.oci_runtime.path)
        if not instance.is_running():
            await self._explain_end_at_once(instance, spec, before)
        return instance

    def _call_filter(self, spec: InstanceSpec) -> list[str]:
        """Write which system calls are refused, beyond podman's default; return the option that says so."""
        if self._podman.profile is None:
            return []
        profile = narrowed(msgspec.json.decode(self._podman.profile.read_bytes()))
        path = spec.state / "filter.json"
        path.write_bytes(msgspec.json.encode(profile))
        return [f"--security-opt=seccomp={path}"]

    async def _prepare(self, spec: InstanceSpec) -> None:
        spec.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        spec.state.chmod(0o700)
        for name in (STARTED, ENDED, "container", "pid", "monitor"):
            (spec.state / name).unlink(missing_ok=True)
        (spec.state / LOG_NAME).touch(mode=0o600)
        conmon = shlex.quote((await self._podman.info()).host.conmon.path)
        script = spec.state / "conmon"
        # Podman first asks a conmon for its version and reads the answer.
        script.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && exec {conmon} --version\n'
            f'exec {conmon} "$@" </dev/null >>{shlex.quote(str(spec.state / LOG_NAME))} 2>&1\n'
        )
        script.chmod(0o700)

    def _begun(self, spec: InstanceSpec) -> PodmanInstance:
        container = (spec.state / "container").read_text().strip()
        main, monitor = (
            identity.identify(pid) or ProcessId(pid, 0, "")
            for pid in (int((spec.state / name).read_text()) for name in ("pid", "monitor"))
        )
        groups = tuple(map(str, cgroups.memory_groups_of(main.pid)))
        record = _Record(spec.id, self.name, container, main, monitor, groups)
        write_record(spec.state / STARTED, record)
        return PodmanInstance(spec.state, record, self._podman)

    async def _explain_end_at_once(
        self, instance: PodmanInstance, spec: InstanceSpec, before: int
    ) -> None:
        """Raise when it ended because the OCI runtime could not execute the command."""
        with (spec.state / LOG_NAME).open("rb") as stream:
            stream.seek(before)
            said = stream.read(4096).decode(errors="replace")
        if said.startswith(f"exec {spec.command[0] if spec.command else ''}"):
            await instance.wait()
            raise CommandNotFound(f"{spec.id}: the command cannot be executed: {said.strip()}")

    @override
    async def find(self, state: Path) -> PodmanInstance | None:
        owner = read_record(state / STARTED, Owner)
        if owner is None or owner.runtime != self.name:
            return None
        record = read_record(state / STARTED, _Record)
        return None if record is None else PodmanInstance(state, record, self._podman)

    @override
    async def strays(self, home_label: str, known_ids: frozenset[str]) -> list[Stray]:
        if await self.available() is not None:  # then no container of ours can run either
            return []
        await _until_others_end(f"--label={HOME}={home_label}")
        found = []
        for entry in await self._podman.listed(f"{HOME}={home_label}"):
            name = entry.labels.get(INSTANCE, "")
            if name not in known_ids:
                found.append(Stray(name, entry.id, _inhabitants(entry.pid)))
        return found

    @override
    async def remove_stray(self, stray: Stray) -> None:
        await _remove(self._podman, stray.handle)


def _exit(state: State | None, kills: int, limit: int | None) -> Exit:
    if state is None or state.status not in {"exited", "stopped"}:
        return Exit(None, out_of_memory=kills > 0, memory_limit=limit)
    at = datetime.fromisoformat(state.finished_at).astimezone(UTC)
    # Podman reports -1 when the monitor could not say.
    code = state.exit_code if state.exit_code >= 0 else None
    out_of_memory = kills > 0 or state.oom_killed
    return Exit.from_status(code, at=at, out_of_memory=out_of_memory, memory_limit=limit)


async def _until_others_end(label: str) -> None:
    """Wait for a podman that an earlier agent left starting a container: until it ends, none is listed."""
    for entry in proc_table.table().values():
        if entry.parent == os.getpid():
            continue
        words = (proc_files.content(entry.pid, "cmdline") or b"").split(b"\0")
        if label.encode() in words and (podman := identity.identify(entry.pid)):
            with suppress(TimeoutError):
                async with asyncio.timeout(LIMIT.total_seconds()):
                    await identity.wait(podman)


def _inhabitants(pid: int) -> tuple[int, ...]:
    namespace = proc_table.pid_namespace(pid) if pid else None
    if namespace is None:
        return ()
    return tuple(sorted(proc_table.in_pid_namespace(proc_table.table(), namespace)))


async def _wait_until_executed(instance: PodmanInstance, oci_runtime: str) -> None:
    """Wait until pid 1 has become the command: until then it is the OCI runtime's own program."""
    name = Path(oci_runtime).name
    with suppress(TimeoutError):  # a command may be called like the runtime
        async with asyncio.timeout(_BEGIN_LIMIT.total_seconds()):
            while name in (proc_table.program(instance.pid) or ""):  # noqa: ASYNC110 - another's doing
                await asyncio.sleep(_PAUSE)


async def _remove(podman: PodmanCommand, container: str) -> None:
    """Remove a container, running or not; that it is gone already is as good.

    Raises:
        InstanceNotStopped: Podman cannot.
    """
    answer = None
    # The first may only find out that the monitor and the container died.
    for _ in range(_REMOVALS):
        answer = await podman("rm", "--force", "--ignore", "--time", "0", "--volumes", container)
        if answer.code == 0:
            return
    reason = answer.complaint if answer else ""
    raise InstanceNotStopped(f"podman could not remove {container}: {reason}")
