"""A platform whose services are operated, and a load that sees every request that fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from drystone.l25_deployer.api import DeployerApi, InstanceView
from drystone.l25_deployer.operations.api import OperationsApi
from l25_deployer.reached import at
from l25_deployer.small_platform import ASKING, SERVER, ask, deploy, descriptor, folder_of


class Reached(msgspec.Struct, frozen=True):
    """A platform that is reached one way."""

    deployer: DeployerApi
    api: OperationsApi
    port: int
    folder: Path

    async def deploy(self, name: str, more: str = "", server: str = SERVER) -> None:
        folder = folder_of(self.folder / name, {"server.py": server})
        await deploy(self.deployer, descriptor(name, more=more), folder)

    async def instances(self, name: str) -> list[InstanceView]:
        view = await self.deployer.show(ASKING, **at(name))
        return [one for one in view.instances if one.release == view.summary.release]

    async def pids(self, name: str) -> set[int | None]:
        return {one.pid for one in await self.instances(name) if one.state == "healthy"}


class Load:
    """Asks a service without a pause, and keeps what it did not answer well."""

    def __init__(self, port: int, host: str) -> None:
        self._port = port
        self._host = host
        self.failed: list[str] = []
        self.asked = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._go_on()) for _ in range(3)]
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            try:
                answer = await ask(self._port, self._host)
            except OSError as e:
                answer = repr(e)
            self.asked += 1
            if not answer.startswith("200"):
                self.failed.append(answer)
