"""The live platform: its agent, the log of its edge, and its orchestrator where that is on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import timedelta
from typing import TypeVar

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.contract import ANONYMOUS, Api, Context, connect
from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l00_kernel.home import Home
from drystone.l25_deployer.api import DeployerApi, HistoryEvent, LogRecord, ServiceSummary
from drystone.l35_mesh.observed.api import CallTimes, ObservedApi
from drystone.l80_governance.costs.api import By, CostReport, CostsApi
from drystone.l85_surfaces.console.errors import NotTurnedOn
from drystone.l85_surfaces.console.listings import Kind, Listing, Turned, What
from drystone.l85_surfaces.console.orchestrator import Orchestrator
from drystone.l85_surfaces.console.people import Person
from drystone.l85_surfaces.console.platform import AuditAsked, Platform, ReleasesAsked
from drystone.l85_surfaces.console.traffic import traffic
from drystone.l85_surfaces.console.views import (
    Audit,
    Logs,
    Overview,
    Release,
    ReleaseLine,
    Releases,
    Rolling,
    Service,
    Verb,
    Waiting,
)

LIMIT = timedelta(seconds=10)
ANEW = timedelta(seconds=10)
"""What is dear to ask is asked again after so long: the last changes of services, and what is wrong with the platform."""
ON_A_PAGE = 100
MOST_SEARCHED = 5_000
AT_ONCE = 8
"""Questions to the agent at once, of one page."""
A = TypeVar("A", bound=Api)
Key = tuple[str, str]
_ANEW = ANEW.total_seconds()


class _Change(msgspec.Struct, frozen=True):
    """The last change of a service, as it was asked for at a time while the service looked so."""

    of: ServiceSummary
    asked: float
    event: HistoryEvent | None


class LivePlatform(Platform):
    """Asks the agent of a home, which knows what runs here.

    Args:
        home: Of the platform; it exists.
        clock: The time.
    """

    def __init__(self, home: Home, clock: Clock | None = None) -> None:
        self._home = home
        self._clock = clock or SystemClock()
        self._orchestrator = Orchestrator(home.agent_socket)
        self._changes: dict[Key, _Change] = {}
        self._problems: tuple[float, list[str]] | None = None

    @override
    async def overview(
        self, person: Person | None, *, environment: str, search: str, cursor: str
    ) -> Overview:
        async with self._agent(DeployerApi) as api:
            lines, more = await _services(api, environment, search, cursor)
            changed = await self._changed(api, lines)
            problems = await self._wrong(api)
        rolling, silent = await self._on_the_way()
        held = {
            (one.environment, one.service): Rolling("", one.held, "held")
            for one in lines
            if one.held is not None
        }
        return Overview(
            services=lines,
            changed=changed,
            rolling={**held, **rolling},
            next=more,
            problems=[*problems, *silent],
            environment=environment,
            search=search,
        )

    async def _changed(
        self, api: DeployerApi, lines: Sequence[ServiceSummary]
    ) -> Mapping[Key, HistoryEvent]:
        """Return the last change of each; one that looks as it did a moment ago is not asked for again."""
        places, now = asyncio.Semaphore(AT_ONCE), time.monotonic()
        if len(self._changes) > MOST_SEARCHED:
            self._changes.clear()

        async def ask(one: ServiceSummary) -> None:
            async with places:
                page = await api.history(
                    _nobody(), environment=one.environment, service=one.service, limit=1
                )
            event = page.items[0] if page.items else None
            self._changes[one.environment, one.service] = _Change(one, now, event)

        def is_known(one: ServiceSummary) -> bool:
            known = self._changes.get((one.environment, one.service))
            return known is not None and known.of == one and now - known.asked < _ANEW

        await asyncio.gather(*(ask(one) for one in lines if not is_known(one)))
        found = {(one.environment, one.service): one for one in lines}
        changes = {key: self._changes[key].event for key in found}
        return {key: event for key, event in changes.items() if event is not None}

    async def _wrong(self, api: DeployerApi) -> list[str]:
        """Return what is wrong with the platform."""
        now = time.monotonic()
        if self._problems is None or now - self._problems[0] >= _ANEW:
            self._problems = (now, (await api.status(_nobody())).problems)
        return self._problems[1]

    @override
    async def service(self, person: Person | None, environment: str, name: str) -> Service:
        async with self._agent(DeployerApi) as api:
            view = await api.show(_nobody(), environment=environment, service=name)
            history = await api.history(_nobody(), environment=environment, service=name, limit=50)
        log, logged = self._home.access_log, f"{name}.{environment}"
        # Of the same minute all pages say the same, so that those without traffic are not sent again.
        now = self._clock.now().replace(second=0, microsecond=0)
        lines, rolling, may_roll_back = await self._recorded(environment, name)
        if rolling is None and view.canary is not None:
            rolling = Rolling("", view.canary.share, "held")
        return Service(
            view=view,
            history=history.items,
            traffic=await asyncio.to_thread(traffic, log, logged, now),
            calls=await self._calls(f"{environment}/{name}"),
            rolling=rolling,
            releases=lines,
            may_roll_back=may_roll_back,
            drift=await self._drifted(environment, name) if may_roll_back else [],
        )

    async def _drifted(self, environment: str, name: str) -> list[str]:
        """Say what serves and should not; nothing where nobody can say now."""
        with suppress(PlatformError, TimeoutError):
            return await self._orchestrator.drift(environment, name)
        return []

    async def _calls(self, name: str) -> list[CallTimes]:
        """Return the calls to a service and by it; none where nobody can say now."""
        with suppress(PlatformError, TimeoutError):
            async with self._agent(ObservedApi) as api:
                said = await api.durations(_nobody())
            return [one for one in said.durations if name in {one.caller, one.callee}]
        return []

    @override
    async def logs(self, environment: str, name: str, *, group: str, lines: int) -> Logs:
        async with self._agent(DeployerApi) as api:
            view = await api.show(_nobody(), environment=environment, service=name)
            groups = tuple(sorted({one.group for one in view.instances}))
            records = [
                record
                async for record in api.logs(
                    _nobody(),
                    environment=environment,
                    service=name,
                    group=group if group in groups else None,
                    lines=lines,
                )
            ]
        return Logs(
            environment=environment,
            service=name,
            records=records,
            group=group if group in groups else "",
            groups=groups,
            lines=lines,
        )

    @override
    async def follow(self, environment: str, name: str, *, group: str) -> AsyncIterator[LogRecord]:
        async with connect(DeployerApi, uds=self._home.agent_socket) as api:
            records = api.logs(
                _nobody(),
                environment=environment,
                service=name,
                group=group or None,
                lines=0,
                follow=True,
            )
            async with aclosing(records) as kept:  # type: ignore[type-var]
                async for record in kept:
                    yield record

    @override
    async def releases(self, asked: ReleasesAsked) -> Releases:
        return await self._orchestrator.all_releases(asked)

    @override
    async def release(self, person: Person | None, id_: str) -> Release:
        return await self._orchestrator.release(id_)

    @override
    async def approvals(self, person: Person | None) -> list[Waiting]:
        return await self._orchestrator.approvals()

    @override
    async def audit(self, person: Person | None, asked: AuditAsked) -> Audit:
        return await self._orchestrator.audit(person, asked)

    @override
    async def costs(self, by: By, month: str | None) -> CostReport:
        async with self._agent(CostsApi) as api:
            return await api.report(_nobody(), by=by, month=month)

    @override
    async def listing(self, person: Person | None, what: What, turned: Turned) -> Listing:
        return await self._orchestrator.listing(person, what, turned)

    @override
    async def end(self, person: Person, kind: Kind, id_: str) -> None:
        await self._orchestrator.end(person, kind, id_)

    @override
    async def act(self, person: Person, id_: str, verb: Verb, reason: str) -> None:
        await self._orchestrator.act(person, id_, verb, reason)

    @override
    async def roll_back(self, person: Person, environment: str, name: str, reason: str) -> str:
        return await self._orchestrator.roll_back(person, environment, name, reason)

    async def _on_the_way(self) -> tuple[Mapping[Key, Rolling], list[str]]:
        """Return what is on its way, and what keeps the orchestrator from telling."""
        try:
            return await self._orchestrator.rolling(), []
        except NotTurnedOn:
            return {}, []
        except PlatformError as e:
            return {}, [e.message]

    async def _recorded(
        self, environment: str, name: str
    ) -> tuple[list[ReleaseLine], Rolling | None, bool]:
        """Return releases of a service, the one on its way, and whether there is somebody to ask for the way back."""
        try:
            lines = await self._orchestrator.releases(environment, name)
            rolling = await self._orchestrator.rolling(environment, name)
        except PlatformError:
            return [], None, False
        return lines, rolling.get((environment, name)), True

    @asynccontextmanager
    async def _agent(self, contract: type[A]) -> AsyncIterator[A]:
        """Reach the agent for a short question.

        Raises:
            Unavailable: It says nothing for long.
        """
        try:
            async with (
                asyncio.timeout(LIMIT.total_seconds()),
                connect(contract, uds=self._home.agent_socket) as api,
            ):
                yield api
        except TimeoutError as e:
            raise Unavailable(
                f"the platform's agent says nothing for {LIMIT.total_seconds():g} s; load the page again"
            ) from e


async def _services(
    api: DeployerApi, environment: str, search: str, cursor: str
) -> tuple[list[ServiceSummary], str | None]:
    """Return services for one page, and the cursor of the next one."""
    within = environment or None
    if not search:
        page = await api.services(
            _nobody(), environment=within, cursor=cursor or None, limit=ON_A_PAGE
        )
        return page.items, page.next
    found: list[ServiceSummary] = []
    seen, more = 0, cursor or None
    while len(found) < ON_A_PAGE and seen < MOST_SEARCHED:
        page = await api.services(_nobody(), environment=within, cursor=more, limit=500)
        found += [one for one in page.items if _fits(one, search.lower())]
        seen, more = seen + len(page.items), page.next
        if more is None:
            break
    return found, more


def _fits(one: ServiceSummary, search: str) -> bool:
    return search in one.service.lower() or search in one.owner.lower()


def _nobody() -> Context:
    """Return a context without a name: at the agent's socket, whoever can open it is known."""
    return Context(ANONYMOUS)
