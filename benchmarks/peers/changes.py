"""Ways to put the next version of a service in the place of the one that runs."""

from __future__ import annotations

import abc
import json
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.peers.programs import missing, need
from benchmarks.peers.proxies import Haproxy, Proxy
from benchmarks.peers.stage import Stage, stage, until_answered
from benchmarks.stand import SERVER, Stand, stand
from typing_extensions import override

from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.python_image import CODE, PYTHON

LIMITS = {"nofile": 1024, "nproc": 1024}
"""For containers; those that podman would set cannot be set everywhere."""

PODMAN = ["--network", "host", *(f"--ulimit={name}={most}:{most}" for name, most in LIMITS.items())]


class Change(abc.ABC):
    """One way, with one service that runs.

    Attributes:
        name: What it is, for the table.
        url: Where the service answers.
    """

    name: str
    url: str

    @abc.abstractmethod
    async def start(self, version: str) -> None:
        """Start the service."""

    async def prepare(self, version: str) -> None:  # noqa: B027 - most have nothing to do
        """Do what has to be done before the switch, such as starting the next version."""

    @abc.abstractmethod
    async def switch(self, version: str) -> None:
        """Let the next version serve: the command that is measured."""

    async def retire(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what has to be done after the switch, such as ending the version before."""

    async def stop(self) -> None:  # noqa: B027 - most have nothing to do
        """End what does not end with the stage."""


class ByProxy(Change):
    """Two instances of the service; a proxy is told which of them to ask."""

    def __init__(self, stage: Stage, proxy: Proxy) -> None:
        self._stage, self._proxy = stage, proxy
        self.name = f"{proxy.name}, {proxy.way}"
        self.url = f"http://127.0.0.1:{proxy.port}/"
        self._instances: list[tuple[int, Process]] = []

    @override
    async def start(self, version: str) -> None:
        await self.prepare(version)
        await self._proxy.start(self._instances[-1][0])

    @override
    async def prepare(self, version: str) -> None:
        taken = {port for port, _ in self._instances} | {self._proxy.port}
        port = free_port(taken=taken)
        self._instances.append((port, await self._stage.serve(version, port)))

    @override
    async def switch(self, version: str) -> None:
        await self._proxy.switch(self._instances[-1][0])

    @override
    async def retire(self) -> None:
        _, process = self._instances.pop(0)
        await self._stage.end(process)

    @override
    async def stop(self) -> None:
        await self._proxy.stop()


class ByScript(ByProxy):
    """What a person writes: start the next instance, wait until it answers, tell HAProxy."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, Haproxy(stage))
        self.name = "a process and HAProxy, by a script"

    @override
    async def switch(self, version: str) -> None:
        await ByProxy.prepare(self, version)
        await super().switch(version)

    @override
    async def start(self, version: str) -> None:
        await ByProxy.prepare(self, version)
        await self._proxy.start(self._instances[-1][0])

    @override
    async def prepare(self, version: str) -> None:
        """Nothing: the start belongs to the measured command."""


class ByContainers(ByScript):
    """The same with containers: ``podman run``, wait, tell HAProxy."""

    def __init__(self, stage: Stage, image: str) -> None:
        super().__init__(stage)
        self.name = "`podman run` and HAProxy, by a script"
        self._image = image
        self._containers: list[str] = []

    @override
    async def start(self, version: str) -> None:
        await self._proxy.start(await self._run(version))

    @override
    async def switch(self, version: str) -> None:
        await self._proxy.switch(await self._run(version))

    @override
    async def retire(self) -> None:
        await self._remove(self._containers.pop(0))

    @override
    async def stop(self) -> None:
        for container in self._containers:
            await self._remove(container)
        await super().stop()

    async def _run(self, version: str) -> int:
        port = free_port(taken={self._proxy.port})
        container = f"drystone-peer-{port}"
        self._containers.append(container)
        options = ["--name", container, "--env", f"APP_VERSION={version}", *PODMAN]
        command = [PYTHON, CODE, str(port)]
        await self._stage.run(
            need("podman"), "run", "--detach", "--rm", *options, self._image, *command
        )
        await until_answered(port)
        return port

    async def _remove(self, container: str) -> None:
        await self._stage.run(need("podman"), "rm", "--force", "--ignore", "--time", "2", container)


class ByGunicorn(Change):
    """One gunicorn; HUP makes it start new workers and end the old ones."""

    name = "gunicorn, HUP"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        self._version = stage.folder / "version"
        self._process: Process | None = None

    @override
    async def start(self, version: str) -> None:
        self._version.write_text(version)
        self._process = await self._stage.start(
            need("gunicorn"),
            *("--bind", f"127.0.0.1:{self._port}", "--workers", "2"),
            *("--worker-class", "gthread", "--threads", "16", "--no-control-socket"),
            "wsgi:application",
            *("--pythonpath", str(Path(__file__).parent)),
            env={"VERSION_FILE": str(self._version)},
        )
        await until_answered(self._port)

    @override
    async def switch(self, version: str) -> None:
        assert self._process
        self._version.write_text(version)
        self._process.send_signal(signal.SIGHUP)


class BySupervisor(Change):
    """Supervisord; the changed program is stopped and started by ``supervisorctl update``."""

    name = "supervisor, `update`"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        self._config = stage.folder / "supervisord.conf"

    @override
    async def start(self, version: str) -> None:
        self._write(version)
        await self._stage.start(need("supervisord"), "--nodaemon", "-c", self._config)
        await until_answered(self._port)

    @override
    async def switch(self, version: str) -> None:
        self._write(version)
        await self._stage.run(need("supervisorctl"), "-c", self._config, "update")

    def _write(self, version: str) -> None:
        program = {"service": (self._port, version)}
        self._config.write_text(supervisor_config(self._stage.folder, program))


def supervisor_config(folder: Path, programs: dict[str, tuple[int, str]]) -> str:
    """Return supervisord's configuration for instances at ports, each of a version."""
    text = f"""
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
[unix_http_server]
file={folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/supervisor.sock
"""
    for name, (port, version) in programs.items():
        text += f"""
[program:{name}]
command={PYTHON} {SERVER} {port}
environment=APP_VERSION="{version}"
autorestart=true
startretries=1000
"""
    return text


class ByCompose(Change):
    """podman-compose; ``up -d`` makes the changed container anew."""

    name = "podman-compose, `up -d`"

    def __init__(self, stage: Stage, image: str) -> None:
        self._stage, self._image = stage, image
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        self._file = stage.folder / "compose.yaml"

    @override
    async def start(self, version: str) -> None:
        await self.switch(version)
        await until_answered(self._port)

    @override
    async def switch(self, version: str) -> None:
        service = {
            "image": self._image,
            "container_name": f"drystone-peer-{self._port}",
            "network_mode": "host",
            "command": [PYTHON, CODE, str(self._port)],
            "environment": {"APP_VERSION": version},
            "stop_grace_period": "2s",
            "ulimits": {name: {"soft": most, "hard": most} for name, most in LIMITS.items()},
        }
        whole = {"name": f"peer{self._port}", "services": {"service": service}}
        self._file.write_text(json.dumps(whole))  # JSON is YAML
        await self._compose("up", "-d")

    @override
    async def stop(self) -> None:
        await self._compose("down")

    async def _compose(self, *words: str) -> None:
        # It runs `podman`, and its own name must lead to its environment.
        await self._stage.run(need("podman-compose"), "-f", self._file, *words)


class ByDrystone(Change):
    """`drystone deploy`, whole: start, health, switch, drain, end of the release before."""

    def __init__(self, one: Stand, runtime: str, image: str | None = None) -> None:
        self._one, self._image = one, image
        self.name = f"Drystone, `deploy` ({runtime})"
        self.url = one.url

    @override
    async def start(self, version: str) -> None:
        await self.switch(version)

    @override
    async def switch(self, version: str) -> None:
        await self._one.deploy(self._one.descriptor(image=self._image), version)


NAMES = (
    "drystone-processes",
    "drystone-bubblewrap",
    "drystone-podman",
    "script",
    "containers",
    "gunicorn",
    "supervisor",
    "compose",
)
_NEEDS = {
    "drystone-bubblewrap": ("bwrap",),
    "drystone-podman": ("podman",),
    "script": ("haproxy",),
    "containers": ("haproxy", "podman"),
    "gunicorn": ("gunicorn",),
    "supervisor": ("supervisord",),
    "compose": ("podman", "podman-compose"),
}


def lacking(name: str) -> str:
    """Say what is not installed of what a way needs; nothing if all is."""
    return missing(_NEEDS.get(name, ()))


@asynccontextmanager
async def change(name: str, image: str) -> AsyncIterator[Change]:
    """Give one of the ways by its name; what it starts is gone in the end."""
    if name.startswith("drystone-"):
        runtime = name.removeprefix("drystone-")
        contained = image if runtime == "podman" else None
        async with stand("auto" if contained else runtime) as one:
            yield ByDrystone(one, runtime, contained)
        return
    makers: dict[str, Callable[[Stage], Change]] = {
        "script": ByScript,
        "gunicorn": ByGunicorn,
        "supervisor": BySupervisor,
        "containers": lambda stage: ByContainers(stage, image),
        "compose": lambda stage: ByCompose(stage, image),
    }
    async with stage() as on, ended(makers[name](on)) as one_way:
        yield one_way


@asynccontextmanager
async def ended(one: Change) -> AsyncIterator[Change]:
    """Stop a way in the end."""
    try:
        yield one
    finally:
        await one.stop()
