"""Sandboxes by bubblewrap: a process with its own view of files and processes, at the price of a fork.

The sandbox sees the system's programs and libraries, a few public files of ``/etc``, its working directory,
its mounts, a private ``/tmp`` and the home of its own; the platform's home and other people's files do not
exist in it. Calls of the kernel that no service needs are refused (``system_calls``). The network is the
host's: instances listen on loopback ports.

Bubblewrap runs as three processes: a monitor outside, an init as pid 1 inside, and the command as pid 2.
Signals are for pid 2: the monitor would die of them and pull the sandbox down in the middle of a request
(bubblewrap 0.8), and the kernel keeps them from an init. Who is who, the monitor tells through
``--info-fd``. ``--die-with-parent`` is not used: an instance must survive the agent, and its guard.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.brief import run_briefly
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.runtimes import proc_table
from drystone.l10_engines.runtimes.cgroups import Cgroups
from drystone.l10_engines.runtimes.errors import CommandNotFound, InstanceFailed, SpecInvalid
from drystone.l10_engines.runtimes.hosted import HostedRuntime, Launch, home_of
from drystone.l10_engines.runtimes.interpreters import needed_paths
from drystone.l10_engines.runtimes.port import InstanceSpec, Isolation
from drystone.l10_engines.runtimes.shell_guard import (
    FILTER_DESCRIPTOR,
    INFO_DESCRIPTOR,
    INFO_FILE,
)
from drystone.l10_engines.runtimes.system_calls import filter_program

_ROOT_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_PUBLIC_ETC = [
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "fonts",
    "gai.conf",
    "group",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "passwd",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl",
    "timezone",
]
# Linux lets uid 0 write these without any capability: core_pattern alone would be a way out.
_KERNEL_SETTINGS = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr")
# What it lets uid 0 read without any capability: memory, keys and addresses of the whole machine.
_KERNEL_SECRETS = (
    *("kallsyms", "kcore", "key-users", "keys", "kmsg", "kpagecgroup", "kpagecount", "kpageflags"),
    *("latency_stats", "sched_debug", "slabinfo", "timer_list", "vmallocinfo"),
)
_COMPLAINT = "bwrap: "
_MAIN_INSIDE = 2


class _Info(msgspec.Struct):
    """What bubblewrap writes to ``--info-fd``."""

    child: int = msgspec.field(name="child-pid")


class Bubblewrap(HostedRuntime):
    """Runs a command in a sandbox of its own."""

    name = "bubblewrap"

    def __init__(self, *, groups: Cgroups | None = None) -> None:
        super().__init__(groups=groups)
        self._program = shutil.which("bwrap")
        self._verdict: tuple[str | None] | None = None
        self._filter = filter_program() if proc_table.knows_filters() else None

    @override
    async def available(self) -> str | None:
        if self._verdict is None:
            self._verdict = (await self._try(),)
        return self._verdict[0]

    @override
    def isolation(self) -> Isolation:
        return msgspec.structs.replace(
            self._enforced(),
            files=True,
            processes=True,
            environment=True,
            privileges=True,
            calls=self._filter is not None,
        )

    async def _try(self) -> str | None:
        """Run ``true`` in a sandbox: whether namespaces may be made is known only by making them."""
        if self._program is None:
            return "bubblewrap is not installed; try: apt install bubblewrap"
        try:
            trial = await run_briefly([self._program, *_sandbox(), "/bin/true"], env={})
        except Unavailable as e:
            return f"bubblewrap does not work here: {e}"
        if trial.code == 0:
            return None
        reason = trial.complaint.removeprefix(_COMPLAINT)
        return f"bubblewrap cannot make a sandbox here: {reason or trial.code}"

    @override
    def _launch(self, spec: InstanceSpec, environment: dict[str, str], program: Path) -> Launch:
        if self._program is None:
            raise InstanceFailed("bubblewrap is not installed; try: apt install bubblewrap")
        home = home_of(spec)
        directory = spec.directory or home
        shown = [*needed_paths(program), directory]
        for path in shown:
            if spec.state.is_relative_to(path):
                raise SpecInvalid(
                    f"{spec.id}: showing {path} to the instance would show the platform's own files; "
                    "run it from a folder that does not contain them"
                )
        words = [self._program, "--info-fd", str(INFO_DESCRIPTOR), *_sandbox()]
        if self._filter is not None:
            words += ["--seccomp", str(FILTER_DESCRIPTOR)]
        for path in shown:
            words += ["--ro-bind", str(path), str(path)]
        for mount in spec.mounts:
            kind = "--ro-bind" if mount.read_only else "--bind"
            words += [kind, str(mount.source), mount.target]
        words += ["--bind", str(home), str(home), "--chdir", str(directory)]
        command = [*words, "--", str(program), *spec.command[1:]]
        return Launch(command, with_info=True, call_filter=self._filter)

    @override
    async def _main(
        self, state: Path, first: ProcessId
    ) -> tuple[ProcessId, ProcessId | None] | None:
        try:
            info = msgspec.json.decode((state / INFO_FILE).read_bytes(), type=_Info)
        except (FileNotFoundError, msgspec.DecodeError):  # not there, or not all of it
            return None
        init = identity.identify(info.child)
        for pid in _children(info.child):
            main = identity.identify(pid)
            if main and proc_table.number_inside(pid) == _MAIN_INSIDE and self._has_begun(pid):
                return main, init
        return None

    def _has_begun(self, pid: int) -> bool:
        """Tell whether a process has become the command: before, it is bubblewrap."""
        if self._program is None:
            return True
        with suppress(FileNotFoundError, ProcessLookupError):
            return not Path("/proc", str(pid), "exe").samefile(self._program)
        return False

    @override
    def _failure(self, spec: InstanceSpec, said: str) -> PlatformError | None:
        complaint = next((line for line in said.splitlines() if line.startswith(_COMPLAINT)), None)
        if complaint is None:
            return None
        reason = complaint.removeprefix(_COMPLAINT)
        if reason.startswith("execvp"):
            return CommandNotFound(
                f"{spec.command[0]!r} cannot be executed in the sandbox of {spec.id}: {reason}"
            )
        return InstanceFailed(f"bubblewrap could not make the sandbox of {spec.id}: {reason}")


def _sandbox() -> list[str]:
    """Return the options that every sandbox has."""
    words = ["--unshare-ipc", "--unshare-uts", "--unshare-pid", "--unshare-cgroup-try"]
    if os.geteuid() == 0:
        words += ["--cap-drop", "ALL"]
    words += ["--ro-bind", "/usr", "/usr"]
    for name in _ROOT_FOLDERS:
        folder = Path("/", name)
        if folder.is_symlink():
            words += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            words += ["--ro-bind", str(folder), str(folder)]
    for pattern in _PUBLIC_ETC:
        for path in Path("/etc").glob(pattern):
            words += ["--ro-bind-try", str(path), str(path)]
    words += ["--proc", "/proc"]
    for name in _KERNEL_SETTINGS:
        words += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    for name in _KERNEL_SECRETS:
        if Path("/proc", name).exists():
            words += [
                "--ro-bind",
                "/dev/null",
                f"/proc/{name}",
            ]  # a device where none may be opened
    return [*words, "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]  # noqa: S108


def _children(pid: int) -> list[int]:
    """Return the children of a process (CONFIG_PROC_CHILDREN, or a look at all processes)."""
    try:
        text = Path("/proc", str(pid), "task", str(pid), "children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return [entry.pid for entry in proc_table.table().values() if entry.parent == pid]
    return [int(word) for word in text.split()]
