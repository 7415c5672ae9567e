"""The parts of the platform on this machine, and the order in which they come up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.api import StartupStep
from drystone.l25_deployer.dependencies import waves
from drystone.l25_deployer.local.operations import recover
from drystone.l25_deployer.local.startup import Part, Startup, stop_parts
from drystone.l25_deployer.local.telling import Teller

if TYPE_CHECKING:
    from drystone.l10_engines.supervision.port import EngineStatus
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.services import Services

RETRY_AFTER = timedelta(seconds=2)

SERVICES = 100
"""Height of the lowest deployed service in reports; those that need it lie above."""


class Platform:
    """Starts the parts in their order, then every deployed service, and stops them the other way round.

    Args:
        waves: The platform's own parts, in recovery order.
        services: What is deployed.
        engines: Reports the engines.
        on_stopped: Called when everything has ended and the agent may go.
    """

    def __init__(
        self,
        *,
        waves: Sequence[Sequence[Part]],
        services: Services,
        engines: Callable[[], Sequence[EngineStatus]],
        on_stopped: Callable[[], None],
    ) -> None:
        self.startup = Startup()
        self.engines = engines
        self._waves = waves
        self._services = services
        self._on_stopped = on_stopped
        self._retrying: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bring everything up. What fails is reported, and services are tried again until they come."""
        try:
            edge = self._services.machine.edge
            for kept in self._services.all():
                edge.note(kept.name, kept.routing())  # so that a new agent takes no route away
            await self.startup.run(self._waves)
            for height, wave in enumerate(self._service_waves()):
                await asyncio.gather(*(self._start_service(kept, height) for kept in wave))
            await self._remove_strays()
        except PlatformError as e:
            self.startup.add(StartupStep(SERVICES, "edge", "failed", 0.0, str(e)))
        finally:
            self.startup.end()

    def _service_waves(self) -> list[list[KeptService]]:
        """Put services into waves: each comes after what it cannot do without."""
        every = {kept.record.key: kept for kept in self._services.all()}
        stacks = {key: stack for key, kept in every.items() if (stack := kept.stack())}
        ordered = [[every.pop(key) for key in wave] for wave in waves(stacks)]
        unfinished = [kept for kept in every.values() if kept.record.operation is not None]
        return [*ordered, unfinished] if unfinished else ordered

    async def _start_service(self, kept: KeptService, height: int) -> None:
        """Recover one service; on failure go on trying in the background."""

        async def start() -> str:
            adopted = await self._recover(kept)
            return "adopted" if adopted else ""

        part = Part(kept.name, SERVICES + height, start, kept.leave)
        await self.startup.start(part)
        if kept.problems:
            task = asyncio.create_task(self._retry(kept), name=f"recover {kept.name}")
            self._retrying.add(task)
            task.add_done_callback(self._retrying.discard)

    async def _recover(self, kept: KeptService) -> bool:
        """Return whether everything was found running.

        Raises:
            PlatformError: It did not come up.
        """
        tell = Teller(lambda _: None, self._services.machine.clock)
        async with kept.lock:
            try:
                adopted = await recover(kept, tell)
                await kept.publish()
                if kept.active is not None:
                    await kept.active.until_healthy(None)
            except PlatformError as e:
                kept.problems = [str(e)]
                raise
            kept.problems = []
            return adopted

    async def _retry(self, kept: KeptService) -> None:
        while kept.problems:
            await asyncio.sleep(RETRY_AFTER.total_seconds())
            with suppress(PlatformError):
                await self._recover(kept)

    async def _remove_strays(self) -> None:
        """End what earlier lives of the platform left behind and no record names."""
        machine = self._services.machine
        known = frozenset(
            one.blueprint.spec.id
            for kept in self._services.all()
            for running in kept.running.values()
            for one in running.instances
        )
        for runtime in machine.runtimes.values():
            try:
                for stray in await runtime.strays(machine.label, known):
                    machine.log.warning("stray removed", instance=stray.id)
                    await runtime.remove_stray(stray)
            except PlatformError as e:
                machine.log.warning("strays not removed", error=e, runtime=runtime.name)

    async def stop(self) -> AsyncIterator[StartupStep]:
        """End every service and every part, from the top; data stays, and so do the records."""
        await self._give_up_retrying()
        services = [
            [Part(kept.name, SERVICES + height, _nothing, kept.suspend) for kept in wave]
            for height, wave in enumerate(self._service_waves())
        ]
        async for step in stop_parts([*self._waves, *services]):
            yield step
        self._on_stopped()

    async def leave(self) -> None:
        """Stop looking after everything; all that runs goes on without the agent."""
        await self._give_up_retrying()
        for kept in self._services.all():
            await kept.leave()

    async def _give_up_retrying(self) -> None:
        for task in self._retrying:
            task.cancel()
        await asyncio.gather(*self._retrying, return_exceptions=True)


async def _nothing() -> str:
    return ""
