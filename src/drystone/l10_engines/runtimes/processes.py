"""Plain processes of the host: the quickest runtime, and the one that separates least."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
from typing_extensions import override

from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.runtimes.errors import SpecInvalid
from drystone.l10_engines.runtimes.hosted import HostedRuntime, Launch
from drystone.l10_engines.runtimes.port import InstanceSpec, Isolation
from drystone.l10_engines.runtimes.shell_guard import SHELL


class Processes(HostedRuntime):
    """Runs a command as the agent's user, among the host's files."""

    name = "processes"

    @override
    async def available(self) -> str | None:
        if shutil.which(SHELL) is None:
            return f"{SHELL} does not exist; install a POSIX shell, for example: apt install dash"
        return None

    @override
    def isolation(self) -> Isolation:
        return msgspec.structs.replace(self._enforced(), privileges=os.geteuid() != 0)

    @override
    def _launch(self, spec: InstanceSpec, environment: dict[str, str], program: Path) -> Launch:
        for mount in spec.mounts:
            if str(mount.source) != mount.target:
                raise SpecInvalid(
                    f"{spec.id}: plain processes see {mount.source} only at its own path, not at "
                    f"{mount.target}; use bubblewrap or podman"
                )
        return Launch([str(program), *spec.command[1:]])

    @override
    async def _main(
        self, state: Path, first: ProcessId
    ) -> tuple[ProcessId, ProcessId | None] | None:
        return first, None
