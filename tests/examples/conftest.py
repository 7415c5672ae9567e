from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import msgspec
import pytest
import pytest_asyncio

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.postgres.databases import Databases
from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.processes.identity import ProcessId, is_alive, stop
from drystone.l10_engines.processes.spawn import spawn
from drystone.testing.conformance.engines import eventually, short_home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EXAMPLE = Path(__file__).parents[2] / "examples/guestbook"


class Guestbook(msgspec.Struct, frozen=True):
    """How to run parts of the guestbook on one database, as the platform does."""

    python: Path
    url: str
    engine: Postgres
    outputs: Path
    started: list[ProcessId] = []

    def start(self, *command: str, version: str = "1") -> tuple[ProcessId, Path]:
        """Start ``python -m`` with these arguments; the process and the file with its output."""
        output = self.outputs / f"{len(self.started)}.log"
        env = {"DB_URL": self.url, "APP_VERSION": version, "PATH": os.environ["PATH"]}
        process = spawn(
            [str(self.python), "-B", "-m", *command], output=output, env=env, directory=EXAMPLE
        )
        self.started.append(process)
        return process, output

    async def serve(self, *, version: str = "1") -> tuple[str, ProcessId]:
        """Serve a version; its address and process, once it is healthy."""
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        process, output = self.start("guestbook", str(port), version=version)
        await eventually(lambda: answers(f"{address}/healthcheck") or _not_ended(process, output))
        return address, process


def answers(url: str) -> bool:
    """Tell whether a URL answers with a good status now."""
    try:
        return httpx2.get(url).is_success
    except httpx2.TransportError:
        return False


def _not_ended(process: ProcessId, output: Path) -> bool:
    assert is_alive(process), output.read_text()
    return False


@pytest.fixture(scope="session")
def guestbook_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the guestbook's requirements."""
    environment = tmp_path_factory.mktemp("guestbook") / "environment"
    uv = Path(sys.executable).parent / "uv"
    python = environment / "bin/python"
    requirements = EXAMPLE / "requirements.txt"
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, environment], check=True)
    subprocess.run(
        [uv, "pip", "install", "-q", "-p", python, "--no-deps", "-r", requirements], check=True
    )
    return python


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guestbook(
    guestbook_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Guestbook]:
    with short_home() as home:
        engine = Postgres("postgres", home / "postgres")
        started: list[ProcessId] = []
        try:
            await engine.start()
            access = await Databases(engine).provision("guestbook", connections=50, password="open")
            outputs = tmp_path_factory.mktemp("outputs")
            yield Guestbook(guestbook_python, access.url(), engine, outputs, started)
        finally:
            for process in started:
                await stop(process, grace=timedelta(seconds=10))
            await engine.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(guestbook: Guestbook) -> str:
    """The address of version 1 on a migrated database."""
    guestbook.start("guestbook.migrate")
    address, _ = await guestbook.serve()
    return address
