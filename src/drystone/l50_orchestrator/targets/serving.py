"""A target for another platform: the implementation of :class:`TargetApi` on this platform's own target.

What comes this way was decided by the other platform, and no policy, freeze or approval of this one is asked. So bringing something up and giving it traffic
takes the right to make exceptions beside the right to deploy: the token of a build has it never, and nobody gets around the guardrails by this door.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l00_kernel.ports import Field
from drystone.l10_engines.postgres.database import Database
from drystone.l25_deployer.api import PlanView, Progress, Source
from drystone.l25_deployer.descriptor import read
from drystone.l25_deployer.errors import DescriptorRefused
from drystone.l50_orchestrator.ports import Action, Book, Gate, Registry
from drystone.l50_orchestrator.sources.service import Sources
from drystone.l50_orchestrator.target import Doing, Outcome, Present, Signals, Standing, Target
from drystone.l50_orchestrator.targets.api import TargetApi
from drystone.l50_orchestrator.targets.errors import TargetElsewhere

_HERE = "here"


class ServedTarget(TargetApi):
    """Carries out what another platform decides, as far as its token goes.

    Args:
        target: This platform's own.
        database: In which changes are noted.
        gate: Who may do what.
        registry: Which environments are carried out here.
        book: The audit log.
        sources: What was sent.
    """

    def __init__(
        self,
        target: Target,
        database: Database,
        *,
        gate: Gate,
        registry: Registry,
        book: Book,
        sources: Sources,
    ) -> None:
        self._target = target
        self._database = database
        self._gate = gate
        self._registry = registry
        self._book = book
        self._sources = sources

    @override
    async def plan(
        self, ctx: Context, *, environment: str, service: str, source: Source, version: str
    ) -> PlanView:
        await self._may(ctx, Action.PLAN, environment, service)
        found = await self._source(ctx, source, environment, service)
        return await self._target.plan(ctx, found, environment, version)

    @override
    async def deploy(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        key: str,
        source: Source,
        version: str,
        hold: bool,
        confirm: tuple[str, ...] = (),
        artefact: str = "",
    ) -> AsyncIterator[Progress]:
        await self._past_guardrails(ctx, environment, service)
        if confirm:  # data that goes takes the same right as a service that goes
            await self._may(ctx, Action.DESTROY, environment, service)
        found = await self._source(ctx, source, environment, service)
        await self._note(ctx, Action.DEPLOY, environment, service, key=key, version=version)
        async for one in self._target.deploy(
            ctx,
            key,
            found,
            environment,
            version,
            hold=hold,
            confirm=confirm,
            artefact=artefact,
        ):
            yield one

    @override
    async def roll_back(
        self, ctx: Context, *, environment: str, service: str, key: str, release: int
    ) -> AsyncIterator[Progress]:
        await self._note(ctx, Action.ROLL_BACK, environment, service, key=key, release=release)
        async for one in self._target.roll_back(ctx, key, environment, service, release):
            yield one

    @override
    async def outcome(self, ctx: Context, *, environment: str, service: str, key: str) -> Outcome:
        await self._may(ctx, Action.SEE, environment, service)
        return await self._target.outcome(environment, service, key)

    @override
    async def present(
        self, ctx: Context, *, environment: str, service: str | None = None
    ) -> list[Present]:
        await self._may(ctx, Action.SEE, environment, service)
        return await self._target.present(environment, service)

    @override
    async def standing(
        self, ctx: Context, *, environment: str, service: str, engines: bool = False
    ) -> Standing | None:
        await self._may(ctx, Action.SEE, environment, service)
        return await self._target.standing(environment, service, engines=engines)

    @override
    async def last_doing(self, ctx: Context, *, environment: str, service: str) -> Doing | None:
        await self._may(ctx, Action.SEE, environment, service)
        return await self._target.last_doing(environment, service)

    @override
    async def shift(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        key: str,
        share: float,
        cohort: str,
        header: str | None,
        by: str = "request",
    ) -> None:
        await self._past_guardrails(ctx, environment, service)
        await self._note(ctx, Action.STEER, environment, service, key=key, share=share)
        await self._target.shift(
            environment, service, key, share=share, cohort=cohort, header=header, by=by
        )

    @override
    async def settle(
        self, ctx: Context, *, environment: str, service: str, key: str
    ) -> AsyncIterator[Progress]:
        await self._past_guardrails(ctx, environment, service)
        await self._note(ctx, Action.STEER, environment, service, key=key, share=1)
        async for one in self._target.settle(ctx, environment, service, key):
            yield one

    @override
    async def withdraw(
        self, ctx: Context, *, environment: str, service: str, key: str, reason: str
    ) -> AsyncIterator[Progress]:
        await self._note(ctx, Action.STEER, environment, service, key=key, why=reason[:500])
        async for one in self._target.withdraw(ctx, environment, service, key, reason):
            yield one

    @override
    async def destroy(
        self, ctx: Context, *, environment: str, service: str, confirm: tuple[str, ...] = ()
    ) -> AsyncIterator[Progress]:
        await self._note(ctx, Action.DESTROY, environment, service, data=", ".join(confirm)[:1000])
        async for one in self._target.destroy(ctx, environment, service, confirm):
            yield one

    @override
    async def signals(self, ctx: Context, *, environment: str, service: str, key: str) -> Signals:
        await self._may(ctx, Action.SEE, environment, service)
        return await self._target.signals(environment, service, key)

    async def _past_guardrails(self, ctx: Context, environment: str, service: str) -> None:
        await self._may(ctx, Action.DEPLOY, environment, service)
        await self._may(ctx, Action.EXCEPT, environment, service)

    async def _may(
        self, ctx: Context, action: Action, environment: str, service: str | None
    ) -> None:
        """Refuse those who may not, and environments that are carried out elsewhere: two platforms could wait for each other."""
        await self._gate.require(ctx, action, service=service, environment=environment)
        place = await self._registry.environment(environment)
        if place.target != _HERE:
            raise TargetElsewhere(
                f"{environment} is carried out by the target {place.target!r}: bind the environment to that one instead"
            )

    async def _note(
        self, ctx: Context, action: Action, environment: str, service: str, **fields: Field
    ) -> None:
        """Refuse those who may not, and note what the others do before it is done."""
        await self._may(ctx, action, environment, service)
        actor = await self._gate.require(ctx, action, service=service, environment=environment)
        async with self._database.session() as session, session.transaction():
            await self._book.note(
                session, actor, f"target.{action.value}", f"{environment}/{service}", **fields
            )

    async def _source(self, ctx: Context, source: Source, environment: str, service: str) -> Source:
        """Return a descriptor with the folder of what was sent for it.

        Raises:
            DescriptorRefused: It has mistakes, or is another service's: nobody may deploy one by the right to another.
        """
        reading = read(source.text, file=source.file)
        if reading.descriptor is None:
            raise DescriptorRefused(reading.report())
        if reading.descriptor.service != service:
            raise DescriptorRefused(
                f"{source.file} describes {reading.descriptor.service}, not {service}"
            )
        folder = await self._sources.folder_of(
            ctx, source.folder, environment=environment, service=service
        )
        return msgspec.structs.replace(source, folder=folder)
