"""Jobs of services, for those who may run them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l50_orchestrator.operating.allowing import Allowing, Wanted
from drystone.l50_orchestrator.operating.api import JobbingApi
from drystone.l50_orchestrator.ports import Action

if TYPE_CHECKING:
    from drystone.l00_kernel.context import Context
    from drystone.l25_deployer.jobs.api import JobsApi, RunOutput, RunView


class Jobbed(JobbingApi):
    """Runs jobs of the services of this platform.

    Args:
        allowing: Decides, writes down and bounds.
        jobs: Of this platform.
    """

    def __init__(self, allowing: Allowing, jobs: JobsApi) -> None:
        self._allowing = allowing
        self._jobs = jobs

    @override
    async def run(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        job: str,
        arguments: list[str] | None = None,
    ) -> RunView:
        wanted = Wanted(Action.DEPLOY, environment, service, "job-run", {"job": job})
        named = await self._allowing.allowed(ctx, wanted)
        return await self._jobs.run(
            named, environment=environment, service=service, job=job, arguments=arguments
        )

    @override
    async def runs(self, ctx: Context, *, environment: str, service: str) -> list[RunView]:
        named = await self._allowing.allowed(ctx, Wanted(Action.SEE, environment, service))
        return await self._jobs.runs(named, environment=environment, service=service)

    @override
    def output(
        self, ctx: Context, *, environment: str, service: str, run: str, follow: bool = False
    ) -> AsyncIterator[RunOutput]:
        return self._allowing.stream(
            ctx,
            Wanted(Action.SEE, environment, service),
            lambda named: self._jobs.output(
                named, environment=environment, service=service, run=run, follow=follow
            ),
        )

    @override
    async def stop(
        self, ctx: Context, *, environment: str, service: str, run: str, reason: str = ""
    ) -> RunView:
        wanted = Wanted(Action.STEER, environment, service, "job-stop", {"run": run})
        named = await self._allowing.allowed(ctx, wanted)
        return await self._jobs.stop(
            named, environment=environment, service=service, run=run, reason=reason
        )
