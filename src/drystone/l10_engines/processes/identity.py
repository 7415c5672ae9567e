"""Which process is which, across restarts of the one who asks.

A process id alone is reused by the kernel; together with the start time (field 22 of
``/proc/PID/stat``, proc(5)) it names one process for as long as the machine runs. The pair is what
a restarted agent needs to adopt what an earlier one started.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.shortage import is_shortage
from drystone.l10_engines.processes.proc_files import content

if TYPE_CHECKING:
    from datetime import timedelta

PROC = Path("/proc")
_SHORTAGE_PAUSE_S = 0.2


class ProcessId(msgspec.Struct, frozen=True):
    """One process of this boot of the machine.

    Attributes:
        pid: The process id.
        started: Clock ticks after boot at which it started.
        boot: The kernel's boot id, so that a record from before a restart of the machine names nothing.
    """

    pid: int
    started: int
    boot: str


@cache  # for as long as this process lives there is no other
def boot_id() -> str:
    """Return the identity of this boot of the machine."""
    return Path(PROC, "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> ProcessId | None:
    """Return the identity of a process that runs now; None if there is none or it is a zombie."""
    fields = stat_fields(pid)
    return None if fields is None or _has_ended(fields) else _identity(pid, fields)


def identify_child(pid: int) -> ProcessId:
    """Return the identity of a child of this process that nobody has reaped; it may have ended."""
    fields = stat_fields(pid)
    if fields is None:  # this process ignores SIGCHLD: the kernel reaps at once
        return ProcessId(pid, 0, "")
    return _identity(pid, fields)


def is_alive(process: ProcessId) -> bool:
    """Tell whether this very process runs; a zombie does not."""
    return identify(process.pid) == process


def stat_fields(pid: int) -> list[str] | None:
    """Return the fields of ``/proc/PID/stat`` from the state (field 3 of proc(5)) on; None when it is gone."""
    line = content(pid, "stat")
    # The name before the last parenthesis is any bytes; what follows it is numbers and a letter.
    return None if line is None else line[line.rindex(b")") + 2 :].decode("ascii").split()


def _identity(pid: int, fields: list[str]) -> ProcessId:
    return ProcessId(pid, int(fields[19]), boot_id())


def _has_ended(fields: list[str]) -> bool:
    return fields[0] in "ZX"


def reap(process: ProcessId) -> int | None:
    """Collect this very process if it is a child of this one and has ended, so that it leaves no zombie.

    A zombie keeps its number, so what has another identity is never collected in its place.

    Returns:
        Its exit code, or minus the signal's number; None when there is nothing to collect.
    """
    fields = stat_fields(process.pid)
    if fields is None or not _has_ended(fields) or _identity(process.pid, fields) != process:
        return None
    try:
        pid, status = os.waitpid(process.pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if pid else None


async def wait(process: ProcessId) -> int | None:
    """Wait until the process has ended and reap it.

    Works for children and for adopted processes alike (pidfd_open(2)).

    Returns:
        The exit code, or minus the signal's number, of a child of this process; None for any other.
    """
    while True:
        try:
            if is_alive(process):
                with suppress(ProcessLookupError):
                    handle = _opened(process)
                    try:
                        await _until_readable(handle, process)
                    finally:
                        os.close(handle)
            return reap(process)
        except OSError as e:
            if not is_shortage(e):
                raise
            # That this process can open nothing more does not say that the other one has ended.
            await asyncio.sleep(_SHORTAGE_PAUSE_S)


def _opened(process: ProcessId) -> int:
    """Open a pidfd.

    Raises:
        ProcessLookupError: There is no such process.
        OSError: This process can open nothing more.
    """
    try:
        return os.pidfd_open(process.pid)
    except (
        FileNotFoundError
    ) as e:  # this is what newer kernels say of one that is reaped at this very moment
        raise ProcessLookupError(errno.ESRCH, f"process {process.pid} has just ended") from e


async def _until_readable(handle: int, process: ProcessId) -> None:
    if is_alive(process):  # and was when the handle was opened, so it is the handle's
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)


def send(process: ProcessId, number: signal.Signals) -> bool:
    """Send a signal to this very process; False if it is gone.

    The signal goes through a pidfd, so that it can never hit another process that took the number.
    """
    try:
        handle = _opened(process)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(process):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


async def stop(
    process: ProcessId, *, number: signal.Signals = signal.SIGTERM, grace: timedelta
) -> int | None:
    """Ask a process to end, and kill it when the grace is over.

    Returns:
        What :func:`wait` returns.
    """
    if send(process, number):
        try:
            async with asyncio.timeout(grace.total_seconds()):
                return await wait(process)
        except TimeoutError:
            send(process, signal.SIGKILL)
    return await wait(process)
