"""A service may have a sidecar that is a process of its own: before it starts, while everything dies, until it is gone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from drystone.l10_engines.loopback_ports import is_free
from drystone.l10_engines.networks.driver import Networks
from drystone.testing.python_image import PYTHON
from journeys.place import Place, eventually, small_service

ASK = (
    "import os, sys, urllib.request;"
    "print(urllib.request.urlopen(os.environ[sys.argv[1]] + '/call', timeout=20).read().decode())"
)


async def call(platform: Place, caller: str, which: str) -> Any:
    """Call a dependency as a service does, and return what it answered."""
    said = await platform.drystone.must("exec", caller, "--", PYTHON, "-c", ASK, which)
    return json.loads(said.out)


async def sidecar(platform: Place, service: str) -> dict[str, Any] | None:
    """Return what the platform tells of a service's own proxy."""
    engines = (await platform.drystone.ask("status"))["engines"]
    return next((e for e in engines if e["name"] == f"sidecar {service}.dev"), None)


def folder(platform: Place, service: str) -> Path:
    return platform.home / "engines/sidecars" / f"{service}.dev"


def envoy(platform: Place, service: str) -> int | None:
    """Return the process id of a service's own Envoy."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            inside = (place / "cwd").readlink().parent == folder(platform, service)
            if inside and (place / "exe").readlink().name.startswith("envoy"):
                return int(place.name)
        except OSError:
            continue
    return None


@pytest.mark.slow
async def test_a_sidecar_of_its_own_serves_through_switches_and_deaths(
    own_platform: Place, tmp_path: Path
) -> None:
    platform = own_platform
    callee, caller, plain = platform.name(), platform.name(), platform.name()
    own = {"proxy": {"placement": "instance"}}
    services = {
        plain: {},
        callee: own,
        caller: {
            **own,
            "dependencies": {callee: "hard", plain: "hard"},
            "env": {
                "APP_VERSION": "${version}",
                "CALLEE": f"${{dependencies.{callee}.url}}",
                "PLAIN": f"${{dependencies.{plain}.url}}",
            },
        },
    }
    for service, more in services.items():
        said = await platform.deploy(small_service(tmp_path / service, service, **more))
        assert said.code == 0, said.err
    assert [(await platform.show(s))["sidecar"] for s in services] == ["node", *["instance"] * 2]
    assert (await sidecar(platform, plain)) is None
    first = envoy(platform, callee)
    assert first is not None
    for dependency in ("CALLEE", "PLAIN"):
        assert (await call(platform, caller, dependency))["path"] == "/call"

    if await Networks(tmp_path).available() is None:
        # It listens in the network of its service, where nobody but the platform's proxies comes.
        port = json.loads((platform.home / "ports.json").read_text())[f">{callee}.dev"]
        assert is_free(port)

    async with platform.traffic(callee) as stopped:
        for number in range(3):
            descriptor = small_service(tmp_path / callee, callee, **services[callee])
            assert (await platform.deploy(descriptor, "--version", f"v{number}")).code == 0
        report = await stopped()
    assert report.failures() == {}
    assert await platform.version(callee) == "v2"
    assert envoy(platform, callee) == first

    # The agent dies, then the sidecar: its runner starts it from what it accepted last.
    agent = int((platform.home / "run/agent.lock").read_text())
    keeper = int(Path("/proc", str(agent), "stat").read_text().rpartition(")")[2].split()[1])
    for pid in (keeper, agent):
        os.kill(pid, signal.SIGKILL)
    os.kill(first, signal.SIGKILL)

    async def another() -> int | None:
        found = envoy(platform, callee)
        return found if found != first else None

    await eventually(another)

    async def serves() -> bool:
        return (await platform.get(callee)).status_code == 200

    await eventually(serves)

    await platform.drystone.must("up", "--detach", "--port", str(platform.port))
    assert await call(platform, caller, "CALLEE")
    adopted = envoy(platform, caller)
    assert (await sidecar(platform, caller) or {})["pid"] == adopted

    # Back to the proxy of the host, and away.
    async with platform.traffic(callee) as stopped:
        descriptor = small_service(tmp_path / callee, callee)
        assert (await platform.deploy(descriptor)).code == 0
        assert await call(platform, caller, "CALLEE")
        report = await stopped()
    assert report.failures() == {}

    async def gone() -> bool:
        return envoy(platform, callee) is None and not folder(platform, callee).exists()

    await eventually(gone)
    await platform.drystone.must("destroy", caller, "--yes", caller)
    assert envoy(platform, caller) is None
    assert not folder(platform, caller).exists()
