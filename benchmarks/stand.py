"""A platform to measure, and how times are taken."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import CommandLine, kill_what_remains, short_home, stop
from drystone.testing.python_image import CODE, PYTHON

SERVER = Path(__file__).with_name("trivial_server.py")
NAME = "trivial"
GLANCE_S = 0.002


@dataclass
class Stand:
    """One platform.

    Attributes:
        drystone: Its command line.
        port: The port of its edge.
        runtime: What isolates its instances.
        steps: How long each step of the deploys took, by name, in seconds.
    """

    drystone: CommandLine
    port: int
    runtime: str
    steps: dict[str, list[float]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://{NAME}.dev.localhost:{self.port}/"

    def descriptor(
        self, *, image: str | None = None, warm: str = "0s", name: str = NAME, **more: object
    ) -> Path:
        """Write the trivial service's descriptor, beside its code.

        Args:
            image: What to run it in, if it is to be a container.
            warm: How long a release is kept warm after the next one.
            name: What to call the service.
            more: Further keys of the descriptor.
        """
        # A folder of its own: a service is built of all that lies beside its descriptor.
        folder = self.drystone.home.with_name(self.drystone.home.name + "-service") / name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(SERVER, folder)
        code = CODE if image else SERVER.name
        command = [PYTHON, code, "${port}"]
        artifact = (
            {"image": image, "command": command} if image else {"process": {"command": command}}
        )
        path = folder / f"{name}.yaml"
        path.write_text(  # JSON is YAML
            json.dumps(
                {
                    "schema": 1,
                    "service": name,
                    "owner": "benchmarks",
                    **artifact,
                    "env": {"APP_VERSION": "${version}"},
                    "stop": {"drain": "2s", "grace": "2s"},
                    "deploy": {"keep_warm": warm},
                    **more,
                }
            )
        )
        return path

    async def until_version(self, version: str, *command: str | Path) -> float:
        """Run a command; the seconds from its start to the first answer of a version, command included."""
        begun = time.monotonic()
        answering = asyncio.create_task(first_answer(self.port, NAME, version))
        async for step in self.drystone.steps(*command):
            if step.get("state") == "ended":
                self.steps.setdefault(step["step"], []).append(step["seconds"])
        async with asyncio.timeout(30):
            return await answering - begun

    async def deploy(self, descriptor: Path, version: str) -> float:
        """Deploy a version; the seconds until it answers."""
        return await self.until_version(version, "deploy", descriptor, "--version", version)


@asynccontextmanager
async def stand(runtime: str = "auto") -> AsyncIterator[Stand]:
    """Start a platform; nothing of it is left in the end."""
    found = Stand(CommandLine(short_home("bench")), free_port(), runtime)
    try:
        await found.drystone.must("up", "-d", "--port", str(found.port), "--runtime", runtime)
        yield found
    finally:
        await remove(found.drystone)


async def remove(drystone: CommandLine) -> None:
    """Stop a platform and remove its home."""
    await stop(drystone)
    kill_what_remains(drystone.home)
    shutil.rmtree(drystone.home)
    shutil.rmtree(drystone.home.with_name(drystone.home.name + "-service"), ignore_errors=True)


async def first_answer(port: int, service: str | None = None, version: str | None = None) -> float:
    """Ask every 2 ms until an answer is good, and of the version; the moment on the monotonic clock."""
    host = f"{service}.dev.localhost" if service else "localhost"
    wanted = f"x-version: {version}".encode() if version else b" 200 ok"
    request = f"GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            if wanted in (await _head(port, request)).lower():  # some proxies write X-Version
                return time.monotonic()
        await asyncio.sleep(GLANCE_S)


async def _head(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


async def bare_start() -> float:
    """Return the seconds in which the service answers when nothing but Python starts it."""
    port = free_port()
    begun = time.monotonic()
    process = await asyncio.create_subprocess_exec(PYTHON, str(SERVER), str(port), stderr=DEVNULL)
    try:
        return await first_answer(port) - begun
    finally:
        process.terminate()
        await process.wait()


async def seconds(drystone: CommandLine, *command: str | Path) -> float:
    """Return how long a command takes that must succeed."""
    begun = time.monotonic()
    await drystone.must(*command)
    return time.monotonic() - begun


def spread(times: list[float]) -> str:
    """Write a median and the range around it."""
    return f"{median(times):.2f} s ({min(times):.2f} to {max(times):.2f})"


def table(title: str, columns: list[str], rows: list[list[Any]]) -> str:
    """Set a table in Markdown."""
    lines = [f"### {title}", "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""])
