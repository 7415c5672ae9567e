"""Operates what is deployed on this machine."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l25_deployer.local import rotation, steering
from drystone.l25_deployer.local.forwarding import forward
from drystone.l25_deployer.operations.api import Forwarding, OperationsApi
from drystone.l25_deployer.scaling.queues import NoQueues, Queues
from drystone.l25_deployer.stacks.sizes import ServiceSize, UsedService, size_of

if TYPE_CHECKING:
    from drystone.l25_deployer.api import HistoryEvent, Progress
    from drystone.l25_deployer.local.platform import Platform
    from drystone.l25_deployer.local.services import Services
    from drystone.l25_deployer.local.telling import Teller
    from drystone.l25_deployer.operating import Operating

LOOK_EVERY_S = 0.25


class Operations(OperationsApi):
    """Operates services.

    Args:
        services: What is deployed.
        operating: Runs one operation on a service at a time, those of the deployer among them.
        platform: Tells when operations may begin.
        queues: Takes messages.
    """

    def __init__(
        self,
        *,
        services: Services,
        operating: Operating,
        platform: Platform,
        queues: Queues | None = None,
    ) -> None:
        self._services = services
        self._operating = operating
        self._platform = platform
        self._queues = NoQueues() if queues is None else queues

    @override
    async def scale(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        instances: int | None = None,
        group: str | None = None,
    ) -> AsyncIterator[Progress]:
        await self._platform.is_open.wait()
        kept = self._services.existing(environment, service)
        by = ctx.caller.name

        async def work(tell: Teller) -> None:
            await steering.scale(kept, tell, count=instances, group=group, by=by)

        async for progress in self._operating.operate(kept, work):
            yield progress

    @override
    async def restart(
        self, ctx: Context, *, environment: str, service: str, group: str | None = None
    ) -> AsyncIterator[Progress]:
        await self._platform.is_open.wait()
        kept = self._services.existing(environment, service)
        by = ctx.caller.name

        async def work(tell: Teller) -> None:
            await steering.restart(kept, tell, group=group, by=by)

        async for progress in self._operating.operate(kept, work):
            yield progress

    @override
    async def rotate(
        self, ctx: Context, *, environment: str, service: str, resource: str | None = None
    ) -> AsyncIterator[Progress]:
        await self._platform.is_open.wait()
        kept = self._services.existing(environment, service)
        by = ctx.caller.name

        async def work(tell: Teller) -> None:
            chosen = None if resource is None else [resource]
            await rotation.rotate(kept, tell, resources=chosen, by=by)

        async for progress in self._operating.operate(kept, work):
            yield progress

    @override
    async def events(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        last: int = 20,
        since: datetime | None = None,
        follow: bool = False,
    ) -> AsyncIterator[HistoryEvent]:
        documents = self._services.machine.documents
        length = documents.history_length(environment, service)
        every = (await asyncio.to_thread(documents.history, environment, service))[::-1]
        chosen = [one for one in every if since is None or one.at >= since]
        for one in chosen[max(0, len(chosen) - max(0, last)) :]:
            yield one
        told = len(every)
        while follow:
            await asyncio.sleep(LOOK_EVERY_S)
            now = documents.history_length(environment, service)
            if now == length:
                continue
            length = now
            every = (await asyncio.to_thread(documents.history, environment, service))[::-1]
            for one in every[told:]:
                yield one
            told = len(every)

    @override
    async def send(
        self, ctx: Context, *, environment: str, service: str, queue: str, body: str
    ) -> str:
        kept = self._services.existing(environment, service)
        sent = await self._queues.send(environment, service, queue, body)
        kept.write_history("message sent", f"to {queue}", by=ctx.caller.name)
        return sent

    @override
    async def sizes(self, ctx: Context) -> list[ServiceSize]:
        found = []
        for kept in self._services.all():
            release, stacks = kept.active_release(), kept.deployed()
            if release is not None and stacks is not None:
                counts = Counter(one.group for one in release.instances)
                found.append(size_of(stacks, counts))
        return found

    @override
    async def uses(self, ctx: Context, *, month: str) -> list[UsedService]:
        return await asyncio.to_thread(self._platform.hours.of, month)

    @override
    async def forward(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        to: str | None = None,
        remote: int | None = None,
        local: int | None = None,
    ) -> AsyncIterator[Forwarding]:
        kept = self._services.existing(environment, service)
        stream = forward(kept, to, remote, local)
        opened = await anext(stream)
        kept.write_history("port-forward", opened.target, by=ctx.caller.name)
        try:
            yield opened
            async for one in stream:
                yield one
        finally:
            await stream.aclose()  # type: ignore[attr-defined]  # a generator that is known as an iterator
