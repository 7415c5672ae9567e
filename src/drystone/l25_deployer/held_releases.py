"""The calls by which somebody else carries out a rollout: what was deployed with a hold is shifted, settled or withdrawn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l25_deployer.api import DeployerApi, Outcome, Progress, Signals
from drystone.l25_deployer.errors import NoCanary, ServiceNotFound
from drystone.l25_deployer.local import held
from drystone.l25_deployer.operating import Operating

if TYPE_CHECKING:
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.platform import Platform
    from drystone.l25_deployer.local.services import Services
    from drystone.l25_deployer.local.telling import Teller


class HeldReleases(DeployerApi):
    """The part of the deployer that looks after releases which are held.

    Args:
        services: What is deployed.
        platform: Says when operations may begin.
    """

    def __init__(self, *, services: Services, platform: Platform) -> None:
        self._services = services
        self._platform = platform
        self._operating = Operating(services)

    @property
    def operating(self) -> Operating:
        """What runs operations; all of them end when the platform stops."""
        return self._operating

    @override
    async def outcome(self, ctx: Context, *, environment: str, service: str, key: str) -> Outcome:
        kept = self._services.find(environment, service)
        if kept is not None:
            return held.outcome(kept.record, key)
        try:
            record = self._services.machine.documents.service(environment, service)
        except ServiceNotFound:
            return Outcome("unknown")
        return held.outcome(record, key)

    @override
    async def shift(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        key: str,
        share: float,
        cohort: str = "request",
        header: str | None = None,
        by: str | None = None,
    ) -> None:
        kept = await self._recovered(environment, service)
        async with kept.lock:
            await held.shift(kept, key, share=share, cohort=cohort, header=header, by=by)

    @override
    async def settle(
        self, ctx: Context, *, environment: str, service: str, key: str
    ) -> AsyncIterator[Progress]:
        kept = await self._recovered(environment, service)

        async def work(tell: Teller) -> None:
            await held.settle(kept, key, tell, by=ctx.caller.name)

        async for progress in self._operating.operate(kept, work):
            yield progress

    @override
    async def withdraw(
        self, ctx: Context, *, environment: str, service: str, key: str, reason: str
    ) -> AsyncIterator[Progress]:
        kept = await self._recovered(environment, service)
        operation = kept.record.operation
        if operation is not None and operation.key == key and operation.kind == "deploy":
            task = kept.task
            if task is not None:
                task.cancel()
                await asyncio.wait({task})

        async def work(tell: Teller) -> None:
            canary = kept.record.canary
            if canary is not None and canary.key == key:
                await held.withdraw(kept, tell, reason=reason[:1000], by=ctx.caller.name)
                return
            found = held.outcome(kept.record, key)
            if found.state == "serving":
                raise NoCanary(
                    f"release {found.release} of {kept.name} was settled; `drystone rollback` goes back"
                )
            tell.info("done", f"nothing is held under the key {key!r} ({found.state})")

        async for progress in self._operating.operate(kept, work):
            yield progress

    @override
    async def signals(self, ctx: Context, *, environment: str, service: str, key: str) -> Signals:
        kept = await self._recovered(environment, service)
        return await kept.counting.signals(held.require_held(kept, key))

    async def _withdraw_aborted(self, kept: KeptService, by: str) -> None:
        """Withdraw what is held, since somebody aborts it."""

        async def work(tell: Teller) -> None:
            if kept.record.canary is not None:
                await held.withdraw(kept, tell, reason=f"aborted by {by}", by=by)

        async for _ in self._operating.operate(kept, work):
            pass

    async def _recovered(self, environment: str, service: str) -> KeptService:
        await self._platform.is_open.wait()
        kept = self._services.existing(environment, service)
        await kept.recovered.wait()
        return kept
