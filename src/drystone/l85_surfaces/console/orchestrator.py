"""The orchestrator of a home, asked as somebody or as nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from drystone.l00_kernel.contract import ANONYMOUS, Api, Context, connect
from drystone.l00_kernel.errors import Unavailable
from drystone.l50_orchestrator.access.api import AccessApi
from drystone.l50_orchestrator.audit.api import AuditApi
from drystone.l50_orchestrator.drift.api import DriftApi
from drystone.l50_orchestrator.guardrails.api import GuardrailsApi
from drystone.l50_orchestrator.registry.api import RegistryApi
from drystone.l50_orchestrator.releases.api import ReleasesApi, ReleaseSummary, ReleaseView
from drystone.l50_orchestrator.running.api import OrchestratorApi
from drystone.l85_surfaces.console import house, told
from drystone.l85_surfaces.console.errors import NotSignedIn, NotTurnedOn, PageNotFound
from drystone.l85_surfaces.console.listings import Kind, Listing, Turned, What
from drystone.l85_surfaces.console.people import Person
from drystone.l85_surfaces.console.platform import AuditAsked, ReleasesAsked
from drystone.l85_surfaces.console.views import (
    Audit,
    Release,
    ReleaseLine,
    Releases,
    Rolling,
    Verb,
    Waiting,
)

PERSON = "x-drystone-person"
"""Header by which the page tells the orchestrator whom the sign-in has proven, percent-encoded: only the home's owner can open the
socket, and whoever comes with it may do no more than that person."""

LIMIT = timedelta(seconds=10)
_LONGEST_NUMBER = 12
ON_A_PAGE = 100
MOST_SHOWN = 20
"""Releases on their way that are looked at one by one, for one page."""
A = TypeVar("A", bound=Api)


class Orchestrator:
    """Asks the orchestrator.

    Args:
        agent: Socket of the home's agent, which knows where it answers.
    """

    def __init__(self, agent: Path) -> None:
        self._agent = agent

    async def is_on(self) -> bool:
        """Tell whether somebody turned it on."""
        async with asyncio.timeout(LIMIT.total_seconds()):
            return await self._socket() is not None

    async def releases(self, environment: str, service: str, most: int = 20) -> list[ReleaseLine]:
        """Return the latest releases of a service."""
        async with self._asked(ReleasesApi, None) as api:
            page = await api.history(
                _nobody(), environment=environment, service=service, limit=most
            )
        return [told.line(one) for one in page.items]

    async def all_releases(self, asked: ReleasesAsked) -> Releases:
        """Return some of all releases, newest first.

        Raises:
            NotTurnedOn: It is off.
        """
        async with self._asked(ReleasesApi, None) as api:
            page = await api.history(
                _nobody(),
                environment=asked.environment or None,
                service=asked.service or None,
                open_only=asked.is_open,
                cursor=asked.cursor or None,
                limit=ON_A_PAGE,
            )
        return Releases(
            lines=[told.line(one) for one in page.items],
            next=page.next,
            environment=asked.environment,
            service=asked.service,
            is_open=asked.is_open,
        )

    async def drift(self, environment: str, service: str) -> list[str]:
        """Say what serves of a service and should not."""
        async with self._asked(DriftApi, None) as api:
            found = await api.find(_nobody(), environment=environment, service=service)
        return told.drifted(found)

    async def rolling(
        self, environment: str = "", service: str = ""
    ) -> Mapping[tuple[str, str], Rolling]:
        """Return what is on its way, by environment and service."""
        async with self._asked(ReleasesApi, None) as api:
            page = await api.history(
                _nobody(),
                environment=environment or None,
                service=service or None,
                open_only=True,
                limit=200,
            )
            seen = [one for one in page.items if one.state == "rolling"][:MOST_SHOWN]
            views = await _shown(api, seen)
        by_id = {one.summary.id: one.rollout for one in views}
        found: dict[tuple[str, str], Rolling] = {}
        for one in reversed(page.items):  # the one that is furthest stands where several wait
            found[one.environment, one.service] = told.rolling(one, by_id.get(one.id))
        for one in seen:
            found[one.environment, one.service] = told.rolling(one, by_id.get(one.id))
        return found

    async def release(self, id_: str) -> Release:
        """Return one release.

        Raises:
            NotFound: There is none of this id.
            NotTurnedOn: It is off.
        """
        async with self._asked(ReleasesApi, None) as api:
            return told.release(await api.show(_nobody(), release=id_))

    async def approvals(self) -> list[Waiting]:
        """Return what waits for people.

        Raises:
            NotTurnedOn: It is off.
        """
        async with self._asked(ReleasesApi, None) as api:
            page = await api.history(_nobody(), open_only=True, limit=200)
            some = [one for one in page.items if one.state == "waiting"][:MOST_SHOWN]
            views = await _shown(api, some)
        return [told.waiting(one) for one in views if one.approve]

    async def audit(self, person: Person | None, asked: AuditAsked) -> Audit:
        """Return some of the audit log, as far as this person may read it.

        Raises:
            NotSignedIn: There is nobody.
            Denied: They may not.
            NotTurnedOn: It is off.
        """
        if person is None:
            await self._require_on()
            raise NotSignedIn("the audit log is shown to those who are signed in and may read it")
        async with self._asked(AuditApi, person) as api:
            page = await api.entries(
                _nobody(),
                actor=asked.actor or None,
                subject=asked.subject or None,
                action=asked.action or None,
                cursor=asked.cursor or None,
            )
        return Audit(
            entries=[told.entry(one) for one in page.items],
            next=page.next,
            actor=asked.actor,
            action=asked.action,
            subject=asked.subject,
        )

    async def listing(self, person: Person | None, what: What, turned: Turned) -> Listing:
        """Return a page of lists; that of access as far as this person may see it.

        Raises:
            NotSignedIn: There is nobody.
            NotTurnedOn: It is off.
        """
        if what == "access":
            if person is None:
                await self._require_on()
                raise NotSignedIn("who may do what is shown to those who are signed in")
            async with self._asked(AccessApi, person) as access:
                return await house.access_of(access, person.name, turned)
        async with self._asked(AccessApi, person) as access:
            if what == "registry":
                async with self._asked(RegistryApi, None) as registry:
                    return await house.registry(registry, access, turned)
            async with self._asked(GuardrailsApi, None) as guardrails:
                return await house.guardrails(
                    guardrails, None if person is None else access, turned
                )

    async def end(self, person: Person, kind: Kind, id_: str) -> None:
        """End something, as this person.

        Raises:
            Denied: They may not.
            NotFound: There is no such thing.
        """
        match kind:
            case "tokens":
                async with self._asked(AccessApi, person) as access:
                    await access.revoke_token(_nobody(), id=id_)
            case "glass":
                if not id_.isdecimal() or len(id_) > _LONGEST_NUMBER:
                    raise PageNotFound("no glass has this number; go back to the page")
                async with self._asked(AccessApi, person) as access:
                    await access.end_glass(_nobody(), number=int(id_))
            case "exceptions":
                async with self._asked(GuardrailsApi, person) as guardrails:
                    await guardrails.end_exception(_nobody(), name=id_)
            case "freezes":
                async with self._asked(GuardrailsApi, person) as guardrails:
                    await guardrails.lift(_nobody(), name=id_)

    async def _require_on(self) -> None:
        if not await self.is_on():
            raise NotTurnedOn

    async def act(self, person: Person, id_: str, verb: Verb, reason: str) -> None:
        """Do something about a release, as this person.

        Raises:
            Denied: They may not.
            Conflict: It is not possible now.
        """
        async with self._asked(ReleasesApi, person) as api:
            match verb:
                case "approve" | "reject":
                    agrees = verb == "approve"
                    await api.approve(_nobody(), release=id_, agrees=agrees, message=reason)
                case "roll-back":
                    one = (await api.show(_nobody(), release=id_)).summary
                    await api.rollback(
                        _nobody(),
                        environment=one.environment,
                        service=one.service,
                        release=one.number,
                        message=reason,
                    )
                case _:
                    await api.steer(_nobody(), release=id_, verb=verb, message=reason)

    async def roll_back(self, person: Person, environment: str, service: str, reason: str) -> str:
        """Begin the way back of a service, as this person; return the id of the release that leads there.

        Raises:
            Denied: They may not.
            Conflict: There is no way back.
        """
        async with self._asked(ReleasesApi, person) as api:
            one = await api.rollback(
                _nobody(), environment=environment, service=service, message=reason
            )
        return one.id

    @asynccontextmanager
    async def _asked(self, contract: type[A], person: Person | None) -> AsyncIterator[A]:
        headers = None if person is None else {PERSON: quote(person.name, safe="")}
        try:
            async with asyncio.timeout(LIMIT.total_seconds()):
                socket = await self._socket()
                if socket is None:
                    raise NotTurnedOn
                async with connect(contract, uds=socket, headers=headers) as api:
                    yield api
        except TimeoutError as e:
            raise Unavailable(
                f"the orchestrator says nothing for {LIMIT.total_seconds():g} s; load the page again"
            ) from e

    async def _socket(self) -> Path | None:
        """Return where it answers; None where it is off.

        Raises:
            Unavailable: It is on, and does not answer.
        """
        async with connect(OrchestratorApi, uds=self._agent) as api:
            state = await api.state(_nobody())
        if not state.is_on:
            return None
        if not state.socket:
            raise Unavailable(f"the orchestrator does not answer: {state.problem}")
        return Path(state.socket)


async def _shown(api: ReleasesApi, some: list[ReleaseSummary]) -> list[ReleaseView]:
    return list(await asyncio.gather(*(api.show(_nobody(), release=one.id) for one in some)))


def _nobody() -> Context:
    """Return a context without a name; who asks is told by a header, or it is whoever can open the socket."""
    return Context(ANONYMOUS)
