"""The deployer: takes descriptors, and looks after what they became."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

import drystone
from drystone.l00_kernel import fault_points
from drystone.l00_kernel.contract import Context, Page, make_cursor, read_cursor
from drystone.l00_kernel.errors import Invalid
from drystone.l00_kernel.shortage import full_disks
from drystone.l05_graph.forms.survey_text import dump
from drystone.l10_engines.proxy.settings import bound_by, files_here
from drystone.l25_deployer.api import (
    DependencyModel,
    ExecOutput,
    HistoryEvent,
    LogRecord,
    PlanView,
    PlatformStatus,
    Progress,
    ServiceSummary,
    ServiceView,
    Source,
    StandingView,
    StartupStep,
)
from drystone.l25_deployer.errors import NothingToAbort, PlanRefused
from drystone.l25_deployer.exposure import of_networks, of_platform
from drystone.l25_deployer.held_releases import HeldReleases
from drystone.l25_deployer.intake import Intake, require_allowed
from drystone.l25_deployer.local import held, operations, views
from drystone.l25_deployer.local.ahead import look_ahead
from drystone.l25_deployer.local.following import Asked, read_logs
from drystone.l25_deployer.local.live_dependencies import LiveDependencies
from drystone.l25_deployer.local.one_off import execute
from drystone.l25_deployer.local.services import Services
from drystone.l25_deployer.local.standing import deviations, standing
from drystone.l25_deployer.local.telling import Teller

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l25_deployer.dependencies.verdict import Verdict
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.platform import Platform


class Deployer(HeldReleases):
    """Deploys services on this machine.

    Args:
        home: The home, for reports.
        services: What is deployed.
        intake: Reads descriptors and plans.
        platform: Starts and stops the parts of the platform.
        dependencies: What needs what.
    """

    def __init__(
        self,
        *,
        home: Path,
        services: Services,
        intake: Intake,
        platform: Platform,
        dependencies: LiveDependencies,
    ) -> None:
        super().__init__(services=services, platform=platform)
        self._home = home
        self._intake = intake
        self._dependencies = dependencies
        self._machine = services.machine
        self._since: datetime = self._machine.clock.now()

    @override
    async def status(self, ctx: Context) -> PlatformStatus:
        startup = self._platform.startup
        every = self._services.all()
        lacking = await self._machine.mesh.lacks_network()
        return PlatformStatus(
            version=drystone.__version__,
            home=str(self._home),
            url=self._machine.url("localhost"),
            agent_pid=os.getpid(),
            since=self._since,
            ready=startup.is_over and not startup.failures,
            runtime=self._intake.runtime,
            isolation=[
                f"{n}: {r.isolation().sentence(has_network=lacking is None)}"
                for n, r in self._machine.runtimes.items()
            ],
            engines=[views.engine(status) for status in self._platform.engines()],
            startup=startup.final(),
            services=[views.summary(kept) for kept in every],
            away=self._platform.presence.absence,
            exposed=[
                *of_platform(
                    self._intake.runtime, builds_isolated=self._machine.artifacts.are_isolated
                ),
                *of_networks(
                    lacking, [one.name for one in every if one.active and not one.record.is_apart]
                ),
            ],
            bounded=[said] if (said := bound_by(files_here())) is not None else [],
            problems=[
                *fault_points.remarks(),
                *(
                    f"{room.sentence()}; no deploy begins"
                    for room in full_disks(self._machine.disks)
                ),
                *startup.failures,
                *self._platform.troubles(),
                *self._machine.copying.platform_troubles(),
                *self._services.unreadable.values(),
                *(f"{kept.name}: {text}" for kept in every for text in views.problems(kept)),
            ],
        )

    @override
    async def startup(self, ctx: Context) -> AsyncIterator[StartupStep]:
        async for step in self._platform.startup.watch():
            yield step

    @override
    async def stop(self, ctx: Context, *, drain: bool = False) -> AsyncIterator[StartupStep]:
        await self._operating.stop()
        async for step in self._platform.stop(drain=drain):
            yield step

    @override
    async def plan(
        self, ctx: Context, *, source: Source, environment: str, version: str | None = None
    ) -> PlanView:
        wanted = self._intake.take(source, environment, version or "1")
        kept = self._services.find(environment, wanted.service)
        if kept is not None and version is None:
            wanted = self._intake.called(wanted, str(kept.record.next_release))
        view = self._intake.show(wanted, kept, self._dependencies)
        return await look_ahead(view, wanted, kept, self._machine)

    @override
    async def deploy(
        self,
        ctx: Context,
        *,
        source: Source,
        environment: str,
        version: str | None = None,
        confirm: list[str] | None = None,
        wait: bool = True,
        key: str | None = None,
        hold: bool = False,
        artifact: str | None = None,
    ) -> AsyncIterator[Progress]:
        held.require_key(key)
        await self._platform.is_open.wait()
        taken = self._intake.take(source, environment, version or "1")
        kept = self._services.get(environment, taken.service)
        by = ctx.caller.name

        async def work(tell: Teller) -> None:
            if held.is_known(kept.record, key):
                held.report(kept, key, tell)
                return
            held.require_none(kept.record)
            held.require_holdable(kept, taken.stacks, hold=hold)
            with tell.step("check", source.file) as found:
                number = kept.record.next_release
                tell.release = number
                wanted = self._intake.called(taken, version or str(number))
                confirmed = frozenset(confirm or ())
                view = self._intake.show(wanted, kept, self._dependencies, confirmed)
                found.extend(view.findings)
                # Until the operation is written down nothing is awaited, so that of two deploys that
                # would tangle together the second sees the first.
                require_allowed(view)
                held.require_quota(kept, wanted.stacks, confirmed, hold=hold)
                for note in view.notes:
                    tell.info("check", note)
                for notice in view.not_yet if key is None else ():  # who gives keys acts on more
                    tell.info("check", f"accepted, not acted on yet: {notice}")
                for sentence in view.exposed:
                    tell.info("check", f"not isolated: {sentence}")
            release = self._intake.release(wanted, source, number, by, key)
            await operations.deploy(
                kept,
                release,
                tell,
                folder=wanted.folder,
                by=by,
                confirmed=confirmed,
                holds=hold,
                artifact=artifact,
            )

        async for progress in self._operating.operate(kept, work, wait=wait, key=key):
            yield progress

    @override
    async def rollback(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        release: int | None = None,
        key: str | None = None,
    ) -> AsyncIterator[Progress]:
        held.require_key(key)
        await self._platform.is_open.wait()
        kept = self._services.existing(environment, service)
        by = ctx.caller.name

        async def work(tell: Teller) -> None:
            if held.is_known(kept.record, key):
                held.report(kept, key, tell)
                return
            if await held.withdraw_for_rollback(kept, tell, by=by, number=release, key=key):
                return
            number = kept.record.trail[-1] if release is None and kept.record.trail else release
            if number is not None:
                earlier = kept.release(number)
                for text in _all_of(self._dependencies.check(earlier.stacks)):
                    tell.info("check", text)
            await operations.roll_back(kept, tell, by=by, number=release, key=key)

        async for progress in self._operating.operate(kept, work):
            yield progress

    @override
    async def abort(self, ctx: Context, *, environment: str, service: str) -> str:
        kept = self._services.existing(environment, service)
        task = kept.task
        if task is None and kept.record.canary is not None:
            await self._withdraw_aborted(kept, ctx.caller.name)
            return operations.serving(kept)
        if task is None:
            raise NothingToAbort(f"nothing is being done to {kept.name}")
        task.cancel()
        await asyncio.wait({task})
        return operations.serving(kept)

    @override
    async def destroy(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        confirm: list[str] | None = None,
        final_backup: bool = True,
    ) -> AsyncIterator[Progress]:
        await self._platform.is_open.wait()
        kept = self._services.existing(environment, service)
        with_data = frozenset(confirm or ())
        unknown = with_data - set(kept.record.eternal)
        if unknown:
            raise Invalid(
                f"{kept.name} has no resource {', '.join(sorted(unknown))};"
                f" it has: {', '.join(sorted(kept.record.eternal)) or 'none'}"
            )

        async def work(tell: Teller) -> None:
            self._refuse_if_needed(kept)
            await operations.destroy(
                kept, tell, with_data=with_data, by=ctx.caller.name, keeps_last=final_backup
            )

        async for progress in self._operating.operate(kept, work):
            yield progress

    @override
    async def dependencies(self, ctx: Context) -> DependencyModel:
        survey = await asyncio.to_thread(dump, self._dependencies.model())
        one = self._platform
        return DependencyModel(survey, one.order, one.followed, one.came_up)

    @override
    async def services(
        self,
        ctx: Context,
        *,
        environment: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ServiceSummary]:
        after = tuple(read_cursor(cursor, list[str])) if cursor else ("", "")
        chosen = [
            kept
            for kept in self._services.all()
            if kept.record.key > after and environment in {None, kept.record.environment}
        ]
        page = chosen[: max(1, limit)]
        more = make_cursor(page[-1].record.key) if len(chosen) > len(page) else None
        return Page([views.summary(kept) for kept in page], more)

    @override
    async def show(self, ctx: Context, *, environment: str, service: str) -> ServiceView:
        return views.view(self._services.existing(environment, service))

    @override
    async def standing(
        self, ctx: Context, *, environment: str, service: str, engines: bool = False
    ) -> StandingView | None:
        kept = self._services.existing(environment, service)
        found = await asyncio.to_thread(standing, kept)
        if found is None or found.is_busy or not engines:
            return found
        return msgspec.structs.replace(found, deviations=await deviations(kept))

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
        events = await asyncio.to_thread(self._machine.documents.history, environment, service)
        count = len(events)
        # Events are only ever appended, so the number of older ones names a place for good.
        older = min(read_cursor(cursor, int), count) if cursor else count
        page = events[count - older : count - older + max(1, limit)]
        left = older - len(page)
        return Page(page, make_cursor(left) if left > 0 else None)

    @override
    async def logs(
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
        kept = self._services.existing(environment, service)
        asked = Asked(group, release, instance, since)
        async for record in read_logs(kept, asked, lines=max(0, lines), follow=follow):
            yield record

    @override
    async def execute(
        self, ctx: Context, *, environment: str, service: str, command: list[str]
    ) -> AsyncIterator[ExecOutput]:
        kept = self._services.existing(environment, service)
        program = command[0] if command else ""  # what follows may be a secret
        kept.write_history("exec", program[:200], by=ctx.caller.name)
        async for output in execute(kept, command):
            yield output

    def _refuse_if_needed(self, kept: KeptService) -> None:
        """Stop a destroy of what other services cannot do without.

        Raises:
            PlanRefused: The message names them.
        """
        users = self._dependencies.users(kept.record.key)
        if users:
            raise PlanRefused(
                f"{', '.join(users)} cannot run without {kept.name} (a hard dependency):"
                " destroy it first, or make its dependency soft"
            )


def _all_of(verdict: Verdict) -> Iterator[str]:
    """Tell everything of a check that refuses nothing: going back is always allowed."""
    yield from (f"goes back all the same: {reason}" for reason in verdict.refused)
    yield from verdict.notes
