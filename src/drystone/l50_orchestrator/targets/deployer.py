"""A platform's deployer as a target: in this process, over a socket, or over the network.

The deployer names what happens once by a key, and so does the orchestrator; what this driver adds is that a service that is not there is
nothing to be surprised at, and that people who ask are named in the deployer's own records.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import msgspec
from typing_extensions import override

from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.contract import every
from drystone.l25_deployer import held_words
from drystone.l25_deployer.api import DeployerApi, PlanView, Progress, ReleaseView, Source
from drystone.l25_deployer.errors import NoCanary, ServiceNotFound
from drystone.l50_orchestrator.target import Arm, Doing, Outcome, Present, Signals, Standing, Target

_ASKING = Caller("orchestrator")
_PAGE = 500
_ACTIVE = "active"
_DOINGS = {
    "deploy done": "deploy",
    "rollback done": "rollback",
    "settle done": "settle",
    "destroyed": "destroy",
}
"""Events of the deployer's history after which something else serves."""


class DeployerTarget(Target):
    """Runs releases by a deployer.

    Args:
        deployer: Of the platform that is the target. Who reaches it by a client gives that its credentials; here nothing is secret.
    """

    def __init__(self, deployer: DeployerApi) -> None:
        self._deployer = deployer

    @override
    async def plan(self, ctx: Context, source: Source, environment: str, version: str) -> PlanView:
        return await self._deployer.plan(
            _named(ctx), source=source, environment=environment, version=version
        )

    @override
    async def deploy(
        self,
        ctx: Context,
        key: str,
        source: Source,
        environment: str,
        version: str,
        *,
        hold: bool,
        confirm: tuple[str, ...] = (),
        artefact: str = "",
    ) -> AsyncIterator[Progress]:
        async for one in self._deployer.deploy(
            _named(ctx),
            source=source,
            environment=environment,
            version=version,
            confirm=list(confirm),
            key=key,
            hold=hold,
            artifact=artefact or None,
        ):
            yield one

    @override
    async def outcome(self, environment: str, service: str, key: str) -> Outcome:
        found = await self._deployer.outcome(
            _context(), environment=environment, service=service, key=key
        )
        releases = await self._releases(environment, service) if found.release else []
        digest = next((one.artifact for one in releases if one.number == found.release), "")
        return Outcome(found.state, found.release, found.detail, digest)

    @override
    async def present(self, environment: str, service: str | None = None) -> list[Present]:
        names = [service] if service is not None else await self._names(environment)
        return [
            Present(name, one.number, one.version, one.key, one.artifact)
            for name in names
            for one in await self._releases(environment, name)
            if one.state == _ACTIVE
        ]

    @override
    async def standing(
        self, environment: str, service: str, *, engines: bool = False
    ) -> Standing | None:
        try:
            found = await self._deployer.standing(
                _context(), environment=environment, service=service, engines=engines
            )
        except ServiceNotFound:
            return None
        if found is None:
            return None
        return Standing(
            release=found.release,
            version=found.version,
            key=found.key,
            artefact=found.artifact,
            shares=found.shares,
            hosts=tuple(found.hosts),
            stacks=msgspec.json.decode(msgspec.json.encode(found.stacks)),
            kept=tuple(found.kept),
            is_busy=found.is_busy,
            deviations=found.deviations,
        )

    @override
    async def last_doing(self, environment: str, service: str) -> Doing | None:
        try:
            page = await self._deployer.history(
                _context(), environment=environment, service=service, limit=_PAGE
            )
        except ServiceNotFound:
            return None
        last = next((one for one in page.items if one.event in _DOINGS), None)
        return None if last is None else Doing(last.at, last.by, _DOINGS[last.event])

    @override
    async def shift(
        self,
        environment: str,
        service: str,
        key: str,
        *,
        share: float,
        cohort: str,
        header: str | None,
        by: str = "request",
    ) -> None:
        await self._deployer.shift(
            _context(),
            environment=environment,
            service=service,
            key=key,
            share=share,
            cohort=cohort,
            header=header,
            by=by,
        )

    @override
    async def settle(
        self, ctx: Context, environment: str, service: str, key: str
    ) -> AsyncIterator[Progress]:
        async for one in self._deployer.settle(
            _named(ctx), environment=environment, service=service, key=key
        ):
            yield one

    @override
    async def withdraw(
        self, ctx: Context, environment: str, service: str, key: str, reason: str
    ) -> AsyncIterator[Progress]:
        try:
            async for one in self._deployer.withdraw(
                _named(ctx), environment=environment, service=service, key=key, reason=reason
            ):
                yield one
        except (ServiceNotFound, NoCanary):
            return  # it was never there, or has been settled: the outcome tells which

    @override
    async def destroy(
        self, ctx: Context, environment: str, service: str, confirm: tuple[str, ...]
    ) -> AsyncIterator[Progress]:
        with suppress(ServiceNotFound):
            async for one in self._deployer.destroy(
                _named(ctx), environment=environment, service=service, confirm=list(confirm)
            ):
                yield one

    @override
    async def signals(self, environment: str, service: str, key: str) -> Signals:
        found = await self._deployer.signals(
            _context(), environment=environment, service=service, key=key
        )
        return Signals(
            at=timedelta(seconds=found.at),
            stable=_arm(found.stable),
            canary=_arm(found.canary),
            bounds=tuple(timedelta(seconds=bound) for bound in found.bounds),
            events=found.events,
            unmeasured=found.unmeasured,
            by=found.by,
        )

    @override
    async def roll_back(
        self, ctx: Context, key: str, environment: str, service: str, release: int
    ) -> AsyncIterator[Progress]:
        async for one in self._deployer.rollback(
            _named(ctx), environment=environment, service=service, release=release, key=key
        ):
            yield one

    async def _releases(self, environment: str, service: str) -> list[ReleaseView]:
        try:
            view = await self._deployer.show(_context(), environment=environment, service=service)
        except ServiceNotFound:
            return []
        return view.releases

    async def _names(self, environment: str) -> list[str]:
        services = every(
            lambda cursor: self._deployer.services(
                _context(), environment=environment, cursor=cursor, limit=_PAGE
            )
        )
        return [one.service async for one in services]


def _context() -> Context:
    return Context(_ASKING)


def _named(ctx: Context) -> Context:
    """Return a context in the name of whoever asked, without their deadline: what has begun is brought to its end."""
    return Context(Caller(ctx.caller.name))


def _arm(arm: held_words.Arm) -> Arm:
    return Arm(
        requests=arm.requests,
        errors=min(arm.errors, arm.requests),
        times=arm.times,
        restarts=arm.restarts,
        log_errors=arm.log_errors,
        calls=arm.calls,
        dependency_errors=min(arm.failed_calls, arm.calls),
        users_in_failed_call=arm.users_in_failed_call,
        users=arm.users,
        users_in_error=arm.users_in_error,
        users_tried=arm.users_tried,
        users_at_risk=arm.users_at_risk,
        users_turned=arm.users_turned,
        torn=arm.torn,
    )
