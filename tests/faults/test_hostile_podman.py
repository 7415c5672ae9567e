"""Podman that hangs: what needs it says so and waits, all else goes on."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l10_engines.runtimes import podman_command
from drystone.l10_engines.runtimes.errors import PodmanSilent
from drystone.l25_deployer.api import DeployerApi, ServiceView
from drystone.l25_deployer.local import strays
from drystone.testing.command_line import remains, short_home
from drystone.testing.python_image import CODE, PYTHON, python_image
from l25_deployer.small_platform import ASKING, deploy, embedded, folder_of, settings

PLAIN = """
schema: 1
service: plain
owner: tests
process: {command: [python3, -S, -E, server.py, "${port}"]}
health: {path: /, interval: 100ms, timeout: 2s, healthy: 1, unhealthy: 3, grace: 30s}
"""
BOXED = """
schema: 1
service: boxed
owner: tests
image: IMAGE
command: COMMAND
port: 8080
health: {path: /, interval: 100ms, timeout: 2s, healthy: 1, unhealthy: 3, grace: 30s}
"""
HANGS = """#!/bin/sh
[ -e {gate} ] || exec sleep 600
exec {podman} "$@"
"""
SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose ``podman``, the first on the path, hangs while there is no file ``gate``."""
    real = shutil.which("podman")
    if real is None:
        pytest.skip("podman is not installed")
    folder = short_home("silent")
    (folder / "bin").mkdir()
    (folder / "bin/podman").write_text(HANGS.format(gate=folder / "gate", podman=real))
    (folder / "bin/podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
async def test_a_platform_is_ready_and_deploys_although_podman_hangs(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A podman that hangs is waited for in real time, of which the test needs little.
    monkeypatch.setattr(podman_command, "PATIENCE", timedelta(seconds=1))
    monkeypatch.setattr(podman_command, "_ASKING_LIMIT", timedelta(seconds=5))
    monkeypatch.setattr(strays, "WITHIN", timedelta(seconds=1))
    home = Home.create(root / "h")
    async with asyncio.timeout(90), embedded(root / "h", settings(home)) as whole:
        api = whole.deployer
        assert (await api.status(ASKING)).ready
        told = await deploy(api, PLAIN, folder_of(root / "plain"))
        assert told[-1].step == "done"
        boxed = boxed_of("localhost/any:1")
        with pytest.raises(PodmanSilent, match="podman does not answer"):
            await deploy(api, boxed, folder_of(root / "boxed"))
        _ = [step async for step in api.stop(ASKING)]
    (root / "gate").touch()
    assert remains(root / "h") == []


def boxed_of(image: str) -> str:
    return BOXED.replace("IMAGE", image).replace("COMMAND", json.dumps([PYTHON, CODE]))


async def view_of(api: DeployerApi, name: str) -> ServiceView:
    return await api.show(ASKING, environment="dev", service=name)


async def problems_of(api: DeployerApi) -> list[str]:
    return (await api.status(ASKING)).problems


async def state_of(api: DeployerApi) -> str:
    return (await view_of(api, "boxed")).summary.state


@pytest.mark.slow
async def test_a_container_is_adopted_without_podman_and_started_again_once_it_answers(
    root: Path,
) -> None:
    home = Home.create(root / "h")
    chosen = settings(home)
    (root / "gate").touch()
    (root / "server.py").write_text(SERVER)
    with python_image(root / "server.py") as image:
        async with embedded(root / "h", chosen) as whole:
            await deploy(whole.deployer, boxed_of(image), folder_of(root / "boxed"))
            (before,) = (await view_of(whole.deployer, "boxed")).instances
        (root / "gate").unlink()
        async with asyncio.timeout(90), embedded(root / "h", chosen) as whole:
            (adopted,) = (await view_of(whole.deployer, "boxed")).instances
            assert adopted.pid == before.pid
            assert await state_of(whole.deployer) == "serving"
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)
        async with asyncio.timeout(120), embedded(root / "h", chosen) as whole:
            assert any(
                "podman does not answer" in text for text in await problems_of(whole.deployer)
            )
            (root / "gate").touch()
            while await state_of(whole.deployer) != "serving":  # noqa: ASYNC110 - another's doing
                await asyncio.sleep(0.1)
            _ = [step async for step in whole.deployer.stop(ASKING)]
    assert remains(root / "h") == []
