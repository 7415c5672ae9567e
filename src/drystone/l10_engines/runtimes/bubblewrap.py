"""Sandboxes by bubblewrap: a process with its own view of files and processes, at the price of a fork.

The sandbox sees the system's programs and libraries, a few public files of ``/etc``, its working directory,
its mounts, a private ``/tmp`` and the home of its own; the platform's home and other people's files do not
exist in it. Calls of the kernel that no service needs are refused (``system_calls``). Its network is the one that
it was given, or the host's.

Bubblewrap runs as three processes: a monitor outside, an init as pid 1 inside, and the command as pid 2.
Signals are for pid 2: the monitor would die of them and pull the sandbox down in the middle of a request
(bubblewrap 0.8), and the kernel keeps them from an init. Who is who, the monitor tells through
``--info-fd``. ``--die-with-parent`` is not used: an instance must survive the agent, and its guard.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.brief import run_briefly
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.runtimes import proc_table
from drystone.l10_engines.runtimes.cgroups import Cgroups
from drystone.l10_engines.runtimes.errors import CommandNotFound, InstanceFailed
from drystone.l10_engines.runtimes.hosted import HostedRuntime, Launch, home_of
from drystone.l10_engines.runtimes.interpreters import needed_paths
from drystone.l10_engines.runtimes.port import InstanceSpec, Isolation
from drystone.l10_engines.runtimes.sandbox import View, require_hidden
from drystone.l10_engines.runtimes.sandbox import options as sandbox_options
from drystone.l10_engines.runtimes.shell_guard import (
    FILTER_DESCRIPTOR,
    FILTER_FILE,
    INFO_DESCRIPTOR,
    INFO_FILE,
    SHELL,
)
from drystone.l10_engines.runtimes.system_calls import filter_program

if TYPE_CHECKING:
    from collections.abc import Sequence

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
            network=True,
        )

    async def _try(self) -> str | None:
        """Run ``true`` in a sandbox: whether namespaces may be made is known only by making them."""
        if self._program is None:
            return "bubblewrap is not installed; try: apt install bubblewrap"
        try:
            trial = await run_briefly([self._program, *sandbox_options(), "/bin/true"], env={})
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
        require_hidden(spec.state, shown, to=spec.id)
        words = [self._program, "--info-fd", str(INFO_DESCRIPTOR), *sandbox_options()]
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

    def enclose(self, command: Sequence[str], view: View, *, scratch: Path) -> tuple[str, ...]:
        """Return what runs a command that is no instance in a sandbox; its processes end when it does.

        Args:
            command: Program, an absolute path, and arguments.
            view: What it sees.
            scratch: A folder that it does not see, for what must be there while it begins.

        Raises:
            SpecInvalid: It would see what it must not.
            InstanceFailed: Bubblewrap is not installed.
        """
        if self._program is None:
            raise InstanceFailed("bubblewrap is not installed; try: apt install bubblewrap")
        needed = needed_paths(Path(command[0]))
        require_hidden(view.hidden, (*needed, *view.readable), to="the set-up")
        words = [self._program, "--die-with-parent", *sandbox_options(), *view.options(needed)]
        if self._filter is None:
            return (*words, "--", *command)
        (scratch / FILTER_FILE).write_bytes(self._filter)
        opening = f'exec {FILTER_DESCRIPTOR}<"$0"; exec "$@"'
        words += ["--seccomp", str(FILTER_DESCRIPTOR), "--", *command]
        return (SHELL, "-c", opening, str(scratch / FILTER_FILE), *words)

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


def _children(pid: int) -> list[int]:
    """Return the children of a process (CONFIG_PROC_CHILDREN, or a look at all processes)."""
    try:
        text = Path("/proc", str(pid), "task", str(pid), "children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return [entry.pid for entry in proc_table.table().values() if entry.parent == pid]
    return [int(word) for word in text.split()]
