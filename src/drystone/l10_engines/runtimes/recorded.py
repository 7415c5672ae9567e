"""What instances of all runtimes share: a main process on the host, and records in the instance's folder."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from typing_extensions import override

from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.runtimes import cgroups, proc_table
from drystone.l10_engines.runtimes.port import Exit, Instance, Usage
from drystone.l10_engines.runtimes.records import ENDED, read_record


class RecordedInstance(Instance):
    """An instance that was started or adopted.

    Args:
        instance_id: Its id.
        state: Its folder.
        main: Its main process.
        groups: Its control groups; none where nothing is enforced.
    """

    def __init__(
        self, instance_id: str, state: Path, main: ProcessId, groups: tuple[Path, ...]
    ) -> None:
        self.id = instance_id
        self.state = state
        self._main = main
        self._groups = groups
        self._kill_counters = cgroups.kill_counters(groups)

    @property
    @override
    def pid(self) -> int:
        return self._main.pid

    @override
    def is_running(self) -> bool:
        return identity.is_alive(self._main)

    @override
    async def stop(
        self, *, number: signal.Signals = signal.SIGTERM, grace: timedelta = timedelta(seconds=10)
    ) -> Exit:
        # The main process alone: whoever waits for it must live on to record how it ended. In a container
        # its end is the end of everything else (pid_namespaces(7)).
        if identity.send(self._main, number):
            with suppress(TimeoutError):
                async with asyncio.timeout(grace.total_seconds()):
                    await identity.wait(self._main)
            identity.send(self._main, signal.SIGKILL)
        return await self.wait()

    @override
    def listening_ports(self) -> list[int]:
        return proc_table.listening_ports(self.processes())

    @override
    def network(self) -> Path | None:
        return proc_table.network_of(self.pid) if self.is_running() else None

    @override
    def usage(self) -> Usage:
        return proc_table.usage(self.processes())

    @override
    def memory_kills(self) -> int:
        return cgroups.memory_kills(self._kill_counters)

    @override
    def memory_limit(self) -> int | None:
        return cgroups.memory_limit(self._groups)

    def _known_exit(self) -> Exit | None:
        """Return how it ended, if that has been recorded."""
        return read_record(self.state / ENDED, Exit)
