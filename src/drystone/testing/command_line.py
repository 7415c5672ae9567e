"""Drive a platform as a person does: by its command line, in processes of their own.

For journeys that prove a platform as a whole, a demonstration, measurements. Every command runs in a session of its
own, so that Ctrl-C in the terminal reaches the caller alone, which decides what it means.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import Home
from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.networks.kernel import let_go

LIMIT = timedelta(minutes=5)
"""For one command, when the caller knows nothing better: the installation of an application takes this long."""

LONGEST_LINE = 1024 * 1024
LONGEST_SHOWN = 200
"""Of a command line that should not be there any more; a sandbox's is very long."""

GLANCE_S = 0.05


class CommandFailed(PlatformError):
    """A command ended with another exit code than it should."""


class Said(msgspec.Struct, frozen=True):
    """What a command left behind: its exit code, and what it wrote to standard output and to standard error."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """What it wrote with ``--json`` where the answer is a stream: one object per line."""
        return [msgspec.json.decode(line) for line in self.out.splitlines()]


class CommandLine:
    """The command ``drystone`` for one home.

    Args:
        home: The home; need not exist.
        env: More environment variables for the commands, and so for the platform that ``up`` starts.
    """

    def __init__(self, home: Path, env: Mapping[str, str] | None = None) -> None:
        self.home = home
        self._program = str(Path(sys.executable).with_name("drystone"))
        self._env = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "DRYSTONE_HOME": str(home),
            **(env or {}),
        }

    @asynccontextmanager
    async def running(self, *arguments: str | Path, reads: bool = False) -> AsyncIterator[Process]:
        """Run a command; one that still runs when the block is left is killed.

        Args:
            arguments: Of the command.
            reads: Whether it has a standard input to read from.
        """
        process = await asyncio.create_subprocess_exec(
            self._program,
            *map(str, arguments),
            stdin=PIPE if reads else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=self._env,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            # What is left in the pipes is read, so that their transports close with the process.
            await process.communicate()

    async def run(self, *arguments: str | Path, limit: timedelta = LIMIT) -> Said:
        """Run a command to its end.

        Raises:
            TimeoutError: It took longer than the limit and was killed.
        """
        async with self.running(*arguments) as process, asyncio.timeout(limit.total_seconds()):
            out, err = await process.communicate()
            assert process.returncode is not None  # noqa: S101 - communicate() waits for the end
            return Said(
                process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
            )

    async def must(self, *arguments: str | Path, limit: timedelta = LIMIT) -> Said:
        """Run a command that must succeed.

        Raises:
            CommandFailed: It did not; the message holds what it said.
        """
        said = await self.run(*arguments, limit=limit)
        if said.code != 0:
            raise CommandFailed(self._blame(arguments, said.code, said.err + said.out))
        return said

    async def ask(self, *arguments: str | Path) -> Any:
        """Run a command that must succeed with ``--json`` and return its one document."""
        return msgspec.json.decode((await self.must(*arguments, "--json")).out)

    async def steps(self, *arguments: str | Path) -> AsyncGenerator[dict[str, Any], None]:
        """Run a command that must succeed with ``--json`` and yield each object when it comes.

        Raises:
            CommandFailed: It failed; the message holds what it said.
        """
        async with self.running(*arguments, "--json") as process:
            assert process.stdout is not None  # noqa: S101 - asked for above
            assert process.stderr is not None  # noqa: S101 - asked for above
            problems = asyncio.create_task(process.stderr.read())
            try:
                async for line in process.stdout:
                    yield msgspec.json.decode(line)
                said = (await problems).decode(errors="replace")
            finally:
                problems.cancel()
                await asyncio.wait({problems})
            if code := await process.wait():
                raise CommandFailed(self._blame(arguments, code, said))

    def _blame(self, arguments: tuple[str | Path, ...], code: int, said: str) -> str:
        words = " ".join(map(str, arguments))
        return f"`drystone {words}` ended with {code} and said:\n{said.rstrip()}"


def short_home(word: str) -> Path:
    """Make an empty folder to be a home.

    Its path is short: that of a unix socket has at most 107 bytes.
    """
    return Path(tempfile.mkdtemp(prefix=f"{word}-", dir="/tmp"))


async def stop(platform: CommandLine, *, limit: timedelta = timedelta(minutes=1)) -> None:
    """Stop a platform, whatever state it is in; one that does not run is stopped.

    An agent that was killed a moment ago is waited for: its keeper starts it again, and then it can be told.

    Raises:
        CommandFailed: It was not stopped within the limit.
    """
    end = asyncio.get_running_loop().time() + limit.total_seconds()
    while True:
        said = await platform.run("down")
        if said.code == 0:
            return
        if asyncio.get_running_loop().time() > end:
            raise CommandFailed(f"the platform does not stop: {said.err or said.out}")
        await asyncio.sleep(GLANCE_S)


def remains(home: Path) -> list[str]:
    """List what a stopped platform has left behind on the machine: nothing, if all is well.

    Looks for processes that name the home or carry its label, for its mounts, its groups of processes and its
    containers. A process that is gone leaves no port and no open socket.
    """
    label = _label(home)
    found = [f"process {pid}: {words[:LONGEST_SHOWN]}" for pid, words in processes_of(home).items()]
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    places = (home, Home(home).networks)
    found += [f"mount {line}" for line in mounts if any(f" {place}/" in line for place in places)]
    # Not Path.glob: other tests' groups vanish while one looks, which os.walk() takes in its stride.
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        if Path(folder).name == f"drystone-{label}":
            found += [f"group {folder}/{name}" for name in names]
    return found + [f"container {name}" for name in _containers(label)]


def processes_of(home: Path) -> dict[int, str]:
    """Return the command lines of the processes that belong to a home, by process id.

    An engine may write its title over its command line and environment, as Postgres and Valkey do; it works
    in its folder of the home.
    """
    path, label = os.fsencode(home), _label(home).encode()
    marks = (b"DRYSTONE_HOME_LABEL=" + label, path + b"/", path + b"\0")
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        with suppress(OSError):  # it has ended meanwhile, or it is somebody else's
            command = (folder / "cmdline").read_bytes()
            text = command + (folder / "environ").read_bytes()
            folder_in_use = os.fsencode((folder / "cwd").readlink()) + b"/"
            is_ours = folder_in_use.startswith(path + b"/") or any(mark in text for mark in marks)
            if command and is_ours:
                found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def kill_what_remains(home: Path) -> None:
    """Kill the processes of a home that could not be stopped in an orderly way, and let go of its networks."""
    for pid in processes_of(home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for file in Home(home).networks.glob("*"):
        let_go(file)
    Networks(Home(home).networks).leave()


def _label(home: Path) -> str:
    return Home(home).label


def _containers(label: str) -> list[str]:
    try:
        listed = subprocess.run(
            ["podman", "ps", "--all", "--format", "{{.Names}}"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return []
    return [name for name in listed.stdout.split() if label in name]
