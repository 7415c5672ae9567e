"""The agent: one process per home that looks after everything that runs there.

::

    python -m drystone.l90_assembly.agent --home DIR

It holds a lock on the home, answers on ``run/agent.sock``, and brings the platform up. What it starts outlives it: an
agent that dies is replaced by its keeper, and the new one adopts what it finds.

Exit codes: 0 after a deliberate stop or SIGTERM, 3 when trying again would not help; anything else is a crash.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import importlib
import io
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Barrier

import uvloop
from typing_extensions import Buffer, override

from drystone.l00_kernel.errors import Conflict, PlatformError, Unavailable
from drystone.l00_kernel.home import Home
from drystone.l10_engines.processes.sacrifice import AGENT, offer
from drystone.l90_assembly.runtimes import Trials

LEAST_FILES = 128
"""Open files that the agent, the edge and each engine may have; the object store alone takes 71 before it is used."""

THREADS = 8
REFUSED = 3
"""Trying again would not help; the keeper does not."""


class TooFewFiles(Unavailable):
    """The limit of open files is too low for a platform."""


class HomeTaken(Conflict):
    """Another agent looks after this home."""


class _Output(io.FileIO):
    """Standard error that loses what it has no room for.

    Otherwise a full disk would fail whoever has something to say, and the end of the process, too: Python
    ends with 120 when the last words cannot be written, and the keeper would take that for a crash.
    """

    @override
    def write(self, content: Buffer, /) -> int:
        with contextlib.suppress(OSError):
            super().write(content)
        return memoryview(content).nbytes


def _be_quiet_on_full_disks() -> None:
    """Let nothing fail for want of room in the agent's log."""
    raw = _Output(sys.stderr.fileno(), "w", closefd=False)
    sys.stderr = io.TextIOWrapper(raw, sys.stderr.encoding, "backslashreplace", write_through=True)


def raise_limits() -> None:
    """Use all the file descriptors that this process may have; what a shell gives is meant for people.

    Raises:
        TooFewFiles: They are not enough for a platform.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < LEAST_FILES:
        raise TooFewFiles(
            f"a process may open {hard} files here, and a platform needs at least {LEAST_FILES}: raise the hard limit"
            " where it is set (`ulimit -Hn`, LimitNOFILE= of a systemd unit, --ulimit nofile= of a container)"
        )


def take_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Start every thread that this loop will use now: where no process can be made, no thread can either.

    The work of threads then never fails for want of one, and whoever asked for it need not expect that.

    Raises:
        RuntimeError: There is no room for them now.
    """
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="agent")
    loop.set_default_executor(threads)
    together = Barrier(THREADS)
    wait([threads.submit(together.wait) for _ in range(THREADS)])


def lock_home(home: Home) -> int:
    """Hold the home for as long as this process lives; a dead process holds nothing.

    Returns:
        The open file that holds the lock.

    Raises:
        HomeTaken: Another agent holds it; the message has its pid.
    """
    descriptor = os.open(home.run / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise HomeTaken(
            f"another agent (process {holder}) looks after {home.path};"
            " use it, or choose another home with --home"
        ) from None
    with contextlib.suppress(OSError):  # on a full disk the lock holds without the number, too
        os.pwrite(descriptor, f"{os.getpid():<19}\n".encode(), 0)  # in place, which needs no room
    return descriptor


async def run(home: Home, environ: Mapping[str, str]) -> None:
    """Bring the platform up and look after it until it is stopped or this process is told to leave."""
    take_threads(asyncio.get_running_loop())
    trials = Trials()
    # To load the platform takes as long as the trials of what can run here: both go on at once.
    await asyncio.to_thread(importlib.import_module, "drystone.l90_assembly.life")
    from drystone.l90_assembly.life import live  # noqa: PLC0415 - loaded just now

    await live(home, environ, trials)


def main(arguments: Sequence[str]) -> int:
    """Run an agent; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m drystone.l90_assembly.agent")
    parser.add_argument("--home", type=Path, required=True)
    given = parser.parse_args(arguments)
    _be_quiet_on_full_disks()
    offer(AGENT)
    # Engines and builds make files too; what others may read is opened to them one by one.
    os.umask(0o077)
    try:
        raise_limits()
        home = Home.create(given.home)
        lock = lock_home(home)
    except PlatformError as e:
        sys.stderr.write(f"{e}\n")
        return REFUSED
    try:
        uvloop.run(run(home, os.environ))
    except PlatformError as e:
        sys.stderr.write(f"the platform cannot start: {e}\n")
        return REFUSED
    finally:
        os.close(lock)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
