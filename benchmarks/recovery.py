"""An instance killed under load: how long requests fail, by who keeps it."""

from __future__ import annotations

import abc
import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.peers.changes import PODMAN, supervisor_config
from benchmarks.peers.programs import find, missing, need
from benchmarks.peers.proxies import Nginx
from benchmarks.peers.stage import Stage, stage, until_answered
from benchmarks.stand import SERVER, Stand, stand, table
from typing_extensions import override

from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import processes_of
from drystone.testing.load import Load, Outcome, run
from drystone.testing.python_image import CODE, PYTHON, python_image

RATE = 200
QUIET_S = 1.0
"""An instance is back when a new process is there and no request has failed for so long."""

LIMIT_S = 30.0
LONGEST = timedelta(minutes=5)


class Kept(abc.ABC):
    """A service whose instances somebody keeps.

    Attributes:
        url: Where it answers.
    """

    url: str

    @abc.abstractmethod
    async def start(self) -> None:
        """Start it and return when it answers."""

    @abc.abstractmethod
    def instances(self) -> set[int]:
        """Return the processes that are its instances now."""

    async def stop(self) -> None:  # noqa: B027 - most have nothing to do
        """End what does not end with the stage."""


class ByDrystone(Kept):
    """`drystone deploy`; its agent keeps the instances, its edge shares the requests."""

    def __init__(self, one: Stand, number: int, image: str | None) -> None:
        self._one, self._number, self._image = one, number, image
        self.url = one.url

    @override
    async def start(self) -> None:
        descriptor = self._one.descriptor(image=self._image, scale=self._number)
        await self._one.deploy(descriptor, "v0")

    @override
    def instances(self) -> set[int]:
        found = processes_of(self._one.drystone.home)
        if self._image:  # what is in a container does not know of the home, but its conmon does
            monitors = [pid for pid, words in found.items() if "conmon" in words.partition(" ")[0]]
            return {child for pid in monitors for child in children(pid)}
        return {pid for pid, words in found.items() if words.startswith(f"{PYTHON} {SERVER.name}")}


def children(pid: int) -> list[int]:
    """Return the children of a process; none if it has ended."""
    with suppress(OSError):
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []


class BehindNginx(Kept):
    """Instances at ports of their own, shared out by an nginx."""

    def __init__(self, on: Stage, number: int) -> None:
        self._on = on
        self._nginx = Nginx(on)
        self.ports: list[int] = []
        for _ in range(number):
            self.ports.append(free_port(taken={*self.ports, self._nginx.port}))
        self.url = f"http://127.0.0.1:{self._nginx.port}/"

    @override
    async def start(self) -> None:
        await self.keep()
        for port in self.ports:
            await until_answered(port)
        await self._nginx.balance(self.ports)
        await until_answered(self._nginx.port)

    @abc.abstractmethod
    async def keep(self) -> None:
        """Let somebody start and keep the instances."""

    @override
    def instances(self) -> set[int]:
        wanted = {str(port) for port in self.ports}
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if Path(words[0]).name.startswith("python") and words[-2:-1][0] in wanted:
                    found.add(int(folder.name))
        return found


class BySupervisor(BehindNginx):
    """Supervisord with ``autorestart``."""

    @override
    async def keep(self) -> None:
        config = self._on.folder / "supervisord.conf"
        programs = {f"service{port}": (port, "v0") for port in self.ports}
        config.write_text(supervisor_config(self._on.folder, programs))
        await self._on.start(need("supervisord"), "--nodaemon", "-c", config)


class ByCircus(BehindNginx):
    """Circusd, with its usual look around every second."""

    @override
    async def keep(self) -> None:
        sockets = [f"ipc://{self._on.folder}/{name}" for name in ("control", "events")]
        text = f"[circus]\nendpoint={sockets[0]}\npubsub_endpoint={sockets[1]}\n"
        for port in self.ports:
            text += f"[watcher:service{port}]\ncmd={PYTHON} {SERVER} {port}\ncopy_env=true\n"
        config = self._on.folder / "circus.ini"
        config.write_text(text)
        await self._on.start(need("circusd"), config)


class ByPodman(BehindNginx):
    """``podman run --restart=always``."""

    def __init__(self, on: Stage, number: int, image: str) -> None:
        super().__init__(on, number)
        self._image = image

    @override
    async def keep(self) -> None:
        for port in self.ports:
            options = ["--name", f"drystone-peer-{port}", "--restart=always", *PODMAN]
            command = [self._image, PYTHON, CODE, str(port)]
            await self._on.run(need("podman"), "run", "--detach", *options, *command)

    @override
    async def stop(self) -> None:
        for port in self.ports:
            remove = ("rm", "--force", "--ignore", "--time", "1", f"drystone-peer-{port}")
            await self._on.run(need("podman"), *remove)


class ByGunicorn(Kept):
    """Workers of one gunicorn, which share one listening socket."""

    def __init__(self, on: Stage, number: int) -> None:
        self._on, self._number = on, number
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        self._process: Process | None = None

    @override
    async def start(self) -> None:
        version = self._on.folder / "version"
        version.write_text("v0")
        self._process = await self._on.start(
            need("gunicorn"),
            *("--bind", f"127.0.0.1:{self._port}", "--workers", str(self._number)),
            *("--worker-class", "gthread", "--threads", "16", "--no-control-socket"),
            *("--pythonpath", str(Path(__file__).parent / "peers"), "wsgi:application"),
            env={"VERSION_FILE": str(version)},
        )
        await until_answered(self._port)

    @override
    def instances(self) -> set[int]:
        assert self._process
        return set(children(self._process.pid))


KEEPERS: dict[str, tuple[str, ...]] = {
    "Drystone (processes)": (),
    "Drystone (bubblewrap)": ("bwrap",),
    "Drystone (podman)": ("podman",),
    "supervisor": ("supervisord", "nginx"),
    "circus": ("circusd", "nginx"),
    "`podman run --restart=always`": ("podman", "nginx"),
    "gunicorn workers": ("gunicorn",),
}


class Death(NamedTuple):
    """What a killed instance cost: failed requests, and seconds from the kill to the end of the last of them."""

    failed: int
    seconds: float


async def recoveries(count: int) -> str:
    """Kill an instance again and again, of one and of two."""
    kills = max(1, count // 2)
    rows = []
    async with AsyncExitStack() as whole:
        image = whole.enter_context(python_image(SERVER)) if find("podman") else ""
        for keeper, needs in KEEPERS.items():
            if trouble := missing(needs):
                rows.append([keeper, trouble, *[""] * 4])
                continue
            cells: list[str] = []
            for number in (1, 2):
                try:
                    async with _kept(keeper, number, image) as kept:
                        cells += _cells(await _deaths(kept, kills))
                except (RuntimeError, TimeoutError) as e:
                    cells += [f"gave up: {type(e).__name__}", ""]
                    print(f"{keeper}, {number}: {e}", file=sys.stderr)
            rows.append([keeper, *cells])
    title = f"kill -9 of an instance at {RATE} requests/s, medians of {kills} (least to most)"
    columns = ["kept by", "one: failed", "good again after", "two: failed", "good again after"]
    return table(title, columns, rows)


@asynccontextmanager
async def _kept(keeper: str, number: int, image: str) -> AsyncIterator[Kept]:
    if keeper.startswith("Drystone"):
        runtime = keeper.partition("(")[2].rstrip(")")
        contained = image if runtime == "podman" else None
        async with stand("auto" if contained else runtime) as one:
            yield ByDrystone(one, number, contained)
        return
    makers: dict[str, Callable[[Stage, int], Kept]] = {
        "supervisor": BySupervisor,
        "circus": ByCircus,
        "gunicorn workers": ByGunicorn,
        "`podman run --restart=always`": lambda on, number: ByPodman(on, number, image),
    }
    async with stage() as on:
        kept = makers[keeper](on, number)
        try:
            yield kept
        finally:
            await kept.stop()


async def _deaths(kept: Kept, kills: int) -> list[Death]:
    await kept.start()
    failed: list[float] = []
    loop = asyncio.get_running_loop()

    def observe(outcome: Outcome) -> None:
        if outcome.failure is not None:
            failed.append(loop.time())

    enough = asyncio.Event()
    load = Load(url=kept.url, rate=RATE, length=LONGEST)
    running = asyncio.create_task(run(load, stop=enough, observe=observe))
    deaths = []
    try:
        for _ in range(kills):
            await asyncio.sleep(QUIET_S)
            failed.clear()
            before = kept.instances()
            victim = max(before)
            begun = loop.time()
            os.kill(victim, signal.SIGKILL)
            await _until_back(kept, before, begun, failed)
            deaths.append(Death(len(failed), max(failed, default=begun) - begun))
    finally:
        enough.set()
        await running
    return deaths


async def _until_back(kept: Kept, before: set[int], begun: float, failed: list[float]) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(LIMIT_S):
        while (  # noqa: ASYNC110 - other processes end it
            len(now := kept.instances()) < len(before)
            or now == before
            or loop.time() - max(failed, default=begun) < QUIET_S
        ):
            await asyncio.sleep(0.05)


def _cells(deaths: list[Death]) -> list[str]:
    failed = [death.failed for death in deaths]
    seconds = [death.seconds for death in deaths]
    return [
        f"{median(failed):.0f} ({min(failed)} to {max(failed)})",
        f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})",
    ]
