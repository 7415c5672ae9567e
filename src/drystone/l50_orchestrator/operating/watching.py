"""Shows what runs to those who may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import Invalid
from drystone.l50_orchestrator.operating.allowing import Allowing, Wanted
from drystone.l50_orchestrator.operating.api import WatchingApi
from drystone.l50_orchestrator.ports import Action

if TYPE_CHECKING:
    from datetime import datetime

    from drystone.l00_kernel.context import Context
    from drystone.l00_kernel.contract import Page
    from drystone.l25_deployer.api import (
        DeployerApi,
        HistoryEvent,
        LogRecord,
        PlatformStatus,
        ServiceSummary,
        ServiceView,
    )
    from drystone.l25_deployer.operations.api import OperationsApi
    from drystone.l35_mesh.observed.api import ObservedApi, Refusals

MOST_LISTED = 500
MOST_LINES = 1_000_000
"""Past lines of an instance, which pass through and are not kept."""


class Watched(WatchingApi):
    """Shows the services of this platform.

    Args:
        allowing: Decides and bounds.
        deployer: Of this platform.
        operations: Likewise.
        observed: Likewise.
    """

    def __init__(
        self,
        allowing: Allowing,
        *,
        deployer: DeployerApi,
        operations: OperationsApi,
        observed: ObservedApi,
    ) -> None:
        self._allowing = allowing
        self._deployer = deployer
        self._operations = operations
        self._observed = observed

    @override
    async def status(self, ctx: Context) -> PlatformStatus:
        named = await self._allowing.listed(ctx)
        return without_its_machine(await self._deployer.status(named))

    @override
    async def services(
        self,
        ctx: Context,
        *,
        environment: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ServiceSummary]:
        named = await self._allowing.listed(ctx)
        return await self._deployer.services(
            named, environment=environment, cursor=cursor, limit=max(1, min(limit, MOST_LISTED))
        )

    @override
    async def show(self, ctx: Context, *, environment: str, service: str) -> ServiceView:
        named = await self._allowing.allowed(ctx, _see(environment, service))
        return await self._deployer.show(named, environment=environment, service=service)

    @override
    async def refusals(self, ctx: Context, *, environment: str, service: str) -> Refusals:
        named = await self._allowing.allowed(ctx, _see(environment, service))
        return await self._observed.refusals(named, environment=environment, service=service)

    @override
    async def history(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[HistoryEvent]:
        named = await self._allowing.allowed(ctx, _see(environment, service))
        most = max(1, min(limit, MOST_LISTED))
        return await self._deployer.history(
            named, environment=environment, service=service, cursor=cursor, limit=most
        )

    @override
    def events(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        last: int = 20,
        since: datetime | None = None,
        follow: bool = False,
    ) -> AsyncIterator[HistoryEvent]:
        _require_number(last)
        return self._allowing.stream(
            ctx,
            _see(environment, service),
            lambda named: self._operations.events(
                named,
                environment=environment,
                service=service,
                last=last,
                since=since,
                follow=follow,
            ),
        )

    @override
    def logs(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        group: str | None = None,
        release: int | None = None,
        lines: int = 100,
        follow: bool = False,
        instance: str | None = None,
        since: datetime | None = None,
    ) -> AsyncIterator[LogRecord]:
        _require_number(lines)
        return self._allowing.stream(
            ctx,
            _see(environment, service),
            lambda named: self._deployer.logs(
                named,
                environment=environment,
                service=service,
                group=group,
                release=release,
                lines=lines,
                follow=follow,
                instance=instance,
                since=since,
            ),
        )


def without_its_machine(view: PlatformStatus) -> PlatformStatus:
    """Return how a platform is for somebody elsewhere, who has no use for its folders and processes."""

    def plain(text: str) -> str:
        return text.replace(view.home, "HOME") if view.home else text

    engines = [
        msgspec.structs.replace(
            one, pid=None, address="", problem=None if one.problem is None else plain(one.problem)
        )
        for one in view.engines
    ]
    startup = [msgspec.structs.replace(one, text=plain(one.text)) for one in view.startup]
    return msgspec.structs.replace(
        view,
        home="",
        agent_pid=0,
        engines=engines,
        startup=startup,
        problems=[plain(one) for one in view.problems],
        exposed=[plain(one) for one in view.exposed],
        bounded=[plain(one) for one in view.bounded],
    )


def _see(environment: str, service: str) -> Wanted:
    return Wanted(Action.SEE, environment, service)


def _require_number(lines: int) -> None:
    """Refuse a number of lines or events that there cannot be.

    Raises:
        Invalid: It is one.
    """
    if not 0 <= lines <= MOST_LINES:
        raise Invalid(f"ask for 0 to {MOST_LINES} at once, not for {lines}")
