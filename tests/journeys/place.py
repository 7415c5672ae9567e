"""A running platform and what journeys do with it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import yaml

from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port, is_free
from drystone.testing.command_line import (
    CommandLine,
    Said,
    kill_what_remains,
    processes_of,
    remains,
    short_home,
    stop,
)
from drystone.testing.load import Load, Report, run
from drystone.testing.python_image import PYTHON

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SERVER = Path(__file__).parent / "app/server.py"

RATE = 100
PATIENCE = timedelta(seconds=40)

T = TypeVar("T")


@dataclass
class Place:
    """One platform in a home of its own.

    Attributes:
        drystone: Its command line.
        port: The port of its edge.
        names: How many names were given out.
    """

    drystone: CommandLine
    port: int
    names: int = field(default=0)

    @property
    def home(self) -> Path:
        """Its home."""
        return self.drystone.home

    def name(self) -> str:
        """Return a name that no other service of this platform has."""
        self.names += 1
        return f"small-{self.names}"

    def url(self, service: str, path: str = "/", *, env: str = "dev") -> str:
        """Return the address of a service at the edge."""
        return f"http://{service}.{env}.localhost:{self.port}{path}"

    async def get(
        self, service: str, path: str = "/", *, env: str = "dev", method: str = "GET", **more: Any
    ) -> httpx2.Response:
        """Ask a service through the edge."""
        headers = {"host": f"{service}.{env}.localhost:{self.port}", **more.pop("headers", {})}
        async with httpx2.AsyncClient(timeout=30) as client:
            return await client.request(
                method, f"http://127.0.0.1:{self.port}{path}", headers=headers, **more
            )

    async def version(self, service: str, *, env: str = "dev") -> str:
        """Return the version that answers; the status must be good."""
        answer = await self.get(service, env=env)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-version"]

    async def deploy(self, descriptor: Path, *arguments: str, env: str = "dev") -> Said:
        """Deploy, and leave it to the caller what to make of the end."""
        return await self.drystone.run("deploy", descriptor, "--env", env, *arguments)

    async def show(self, service: str, *, env: str = "dev") -> Any:
        """Return what ``show`` tells."""
        return await self.drystone.ask("show", service, "--env", env)

    async def instances(self, service: str, *, env: str = "dev") -> list[Any]:
        """Return the instances of the release that serves."""
        view = await self.show(service, env=env)
        return [i for i in view["instances"] if i["release"] == view["summary"]["release"]]

    async def pids(self) -> dict[str, int]:
        """Return the engines' and all instances' process ids, by name."""
        status = await self.drystone.ask("status")
        found = {engine["name"]: engine["pid"] for engine in status["engines"] if engine["pid"]}
        for service in status["services"]:
            view = await self.show(service["service"], env=service["environment"])
            found |= {one["id"]: one["pid"] for one in view["instances"]}
        return found

    async def history(self, service: str, *, env: str = "dev") -> list[Any]:
        """Return what happened, newest first."""
        found: list[Any] = await self.drystone.ask("history", service, "--env", env, "-n", "100")
        return found

    @property
    def lives_apart(self) -> bool:
        """Whether instances have ports of their own, each service in a network that it has to itself."""
        return any(Home(self.home).networks.glob("*"))

    @asynccontextmanager
    async def traffic(
        self, service: str, path: str = "/", *, env: str = "dev"
    ) -> AsyncIterator[Callable[[], Awaitable[Report]]]:
        """Let requests arrive until the returned function is called, which returns what became of them."""
        enough = asyncio.Event()
        load = Load(url=self.url(service, path, env=env), rate=RATE, length=timedelta(minutes=3))
        running = asyncio.create_task(run(load, stop=enough))

        async def stopped() -> Report:
            enough.set()
            return await running

        try:
            yield stopped
        finally:
            await stopped()


async def eventually(look: Callable[[], Awaitable[T | None]], *, within: timedelta = PATIENCE) -> T:
    """Look again and again until there is something to see, and return it."""
    async with asyncio.timeout(within.total_seconds()):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.05)


@asynccontextmanager
async def place(env: Mapping[str, str] | None = None) -> AsyncIterator[Place]:
    """Start a platform, and make sure in the end that nothing of it is left."""
    found = Place(CommandLine(short_home("jny"), env), free_port())
    try:
        await found.drystone.must("up", "--detach", "--port", str(found.port))
        yield found
    finally:
        await remove(found)


async def remove(gone: Place) -> None:
    """Stop a platform and remove its home; nothing may be left of it."""
    try:
        await stop(gone.drystone)
        left = remains(gone.home)
        left += [str(path) for path in (gone.home / "run").iterdir() if path.is_socket()]
        assert not left, f"left behind: {left}"
        assert is_free(gone.port), f"port {gone.port} is still in use"
    finally:
        if processes_of(gone.home):
            kill_what_remains(gone.home)
        shutil.rmtree(gone.home)


def small_service(folder: Path, name: str, *behaviour: str, **changes: Any) -> Path:
    """Write a service that needs no set-up; its descriptor's path.

    Args:
        folder: Where to; what is there is replaced.
        name: The service's name.
        behaviour: How it is to misbehave: see ``app/server.py``.
        changes: Top-level keys of the descriptor; None removes one.
    """
    folder.mkdir(exist_ok=True)
    shutil.copy(SERVER, folder)
    descriptor = {
        "schema": 1,
        "service": name,
        "owner": "tests",
        "process": {"command": [PYTHON, "server.py", "${port}", *behaviour]},
        "health": {"path": "/healthcheck", "interval": "200ms", "grace": "20s"},
        "env": {"APP_VERSION": "${version}"},
        "stop": {"drain": "1s", "grace": "2s"},
        "deploy": {"keep_warm": "0s"},
        **changes,
    }
    kept = {key: value for key, value in descriptor.items() if value is not None}
    path = folder / "service.yaml"
    path.write_text(yaml.safe_dump(kept, sort_keys=False))
    return path
