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
import getpass
import io
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Barrier

import uvicorn
import uvloop
from typing_extensions import Buffer, override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from drystone.l00_kernel import fault_points
from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import Caller, serve
from drystone.l00_kernel.errors import Conflict, PlatformError, Unavailable
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.migrations import forget_earlier
from drystone.l00_kernel.ports import Log
from drystone.l00_kernel.settings import Settings
from drystone.l10_engines.processes.sacrifice import AGENT, offer
from drystone.l90_assembly.arrival import arrive
from drystone.l90_assembly.lines import LineLog
from drystone.l90_assembly.standalone import Standalone, assemble

MOST_CONNECTIONS = 1000
LEAST_FILES = 128
"""Open files that the agent, the edge and each engine may have; the object store alone takes 71 before it is used."""

THREADS = 8
REFUSED = 3
"""Trying again would not help; the keeper does not."""


LISTENS = FaultPoint("up.socket.bound", "the agent can be reached; nothing was started")


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


def most_connections() -> int:
    """Return how many clients the agent serves at once: the rest of its descriptors is for its own work."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(soft // 4, MOST_CONNECTIONS)


def _http(most: int) -> type[HttpToolsProtocol]:
    """Return what speaks HTTP with one client, and hangs up on those beyond ``most``.

    A client that is refused costs no descriptor; one that waits for its turn would hold one for ever.
    """

    class Bounded(HttpToolsProtocol):
        @override
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self._is_refused = len(self.connections) >= most
            if self._is_refused:
                transport.abort()
            else:
                super().connection_made(transport)

        @override
        def connection_lost(self, exc: Exception | None) -> None:
            if not self._is_refused:
                super().connection_lost(exc)

    return Bounded


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to the agent."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
    clock = SystemClock()
    log = LineLog(sys.stderr, clock)
    for said in fault_points.arm(environ.get(fault_points.VARIABLE, ""), home.run, log.warning):
        log.warning(said)
    await arrive(home, log)
    settings = Settings.load(home, environ)
    stopped, leaving = asyncio.Event(), asyncio.Event()
    whole = await assemble(
        home, settings, clock=clock, log=log, environ=environ, on_stopped=stopped.set
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leaving.set)
    me = Caller(getpass.getuser(), frozenset({"admin"}))

    async def authenticate(_headers: Mapping[str, str]) -> Caller:
        return me  # only the home's owner can open the socket

    app = serve(whole.deployer, authenticate=authenticate, clock=clock, log=log)
    config = uvicorn.Config(
        app,
        http=_http(most_connections()),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    with _listening(home.agent_socket) as listener:
        LISTENS.reach()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        starting = asyncio.create_task(_start(home, whole, log))
        await _first(stopped, leaving)
        starting.cancel()
        server.should_exit = True
        await serving
        await asyncio.gather(starting, return_exceptions=True)
        await _part(whole, log)


async def _start(home: Home, whole: Standalone, log: Log) -> None:
    try:
        await whole.platform.start()
    except Exception as e:
        # Nobody waits for this before the agent leaves; whoever looks for what is missing finds it in the log.
        log.error("the start broke off", error=e)  # noqa: TRY400 - not a logger of the library
        raise
    if not whole.platform.startup.failures:
        await asyncio.to_thread(forget_earlier, home)


async def _part(whole: Standalone, log: LineLog) -> None:
    await whole.leave()
    log.info("agent leaves")


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """Listen on a socket that only this user can open, from its first moment on."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    try:
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)


async def _first(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


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
