"""The parts of the platform on this machine, and the order in which they come up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.shortage import DiskFull
from drystone.l10_engines.supervision.port import EngineState
from drystone.l25_deployer.api import CameUp, StartupStep
from drystone.l25_deployer.dependencies.model import PLATFORM, name_of, waves
from drystone.l25_deployer.local.hours import seen_of
from drystone.l25_deployer.local.presence import NOTABLE, NOTE_EVERY, sentence
from drystone.l25_deployer.local.recovery import recover
from drystone.l25_deployer.local.renewing import renew_certificates
from drystone.l25_deployer.local.startup import ADOPTED, Part, Startup, stop_parts
from drystone.l25_deployer.local.strays import remove_strays
from drystone.l25_deployer.local.telling import Teller
from drystone.l25_deployer.local.tending import tend_logs

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l10_engines.supervision.port import EngineStatus
    from drystone.l25_deployer.local.hours import Hours
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.news import News
    from drystone.l25_deployer.local.presence import Presence
    from drystone.l25_deployer.local.services import Services

PARTS_UP = FaultPoint("up.parts.started", "the platform's own parts run; services do not yet")
STRAYS_GONE = FaultPoint("up.strays.removed", "what no record names is gone; services are next")
ALL_UP = FaultPoint("up.services.started", "every service was recovered")
DOWN_BEGUN = FaultPoint("down.platform.begun", "nothing was stopped yet")
DOWN_ENDED = FaultPoint("down.platform.ended", "nothing runs but the agent")

TEND_EVERY = timedelta(seconds=2)
TEND_WHEN_FULL = timedelta(milliseconds=200)
"""On a full disk the logs live on what they give up at their other end."""

SWEEP_EVERY = 30
"""Rounds of tending between two looks for artefacts that nobody needs."""

RETRY_AFTER = timedelta(seconds=2)

SERVICES = 100
"""Height of the lowest deployed service in reports; those that need it lie above."""


class Platform:
    """Starts the parts in their order, then every deployed service, and stops them the other way round.

    ``is_open`` is set when operations may begin: the parts run and nothing is left of earlier lives. Each service
    can then be worked on as soon as it was recovered.

    Args:
        waves: The platform's own parts, in recovery order.
        services: What is deployed.
        engines: Reports the engines.
        on_stopped: Called when everything has ended and the agent may go.
        presence: Tells since when nobody looked after the home.
        news: Tells services what became of the disks.
        hours: Writes down for how long everything is there.
    """

    def __init__(
        self,
        *,
        waves: Sequence[Sequence[Part]],
        services: Services,
        engines: Callable[[], Sequence[EngineStatus]],
        on_stopped: Callable[[], None],
        presence: Presence,
        news: News,
        hours: Hours,
    ) -> None:
        self.startup = Startup(services.machine.clock)
        self.followed: list[list[str]] = []
        """The waves of the last start, by the names of the dependency model."""
        self.presence = presence
        self.hours = hours
        self.is_open = asyncio.Event()
        self.engines = engines
        self._waves = waves
        self._services = services
        self._news = news
        self._on_stopped = on_stopped
        self._retrying: set[asyncio.Task[None]] = set()
        self._tending: asyncio.Task[None] | None = None
        self._staying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Bring everything up. What fails is reported, and services are tried again until they come."""
        try:
            await self._start()
        except Exception as e:
            # A mistake of ours: whoever waits for the start is told, and does not wait for ever.
            self.startup.add(StartupStep(0, "start", "failed", text=f"broke off: {e}"))
            raise
        finally:
            self.startup.end()
        self._tending = asyncio.create_task(self._tend_files(), name="tend files")

    async def _start(self) -> None:
        await asyncio.to_thread(self.presence.arrive)
        self._staying = asyncio.create_task(self._stay(), name="leave marks")
        edge = self._services.machine.edge
        for kept in self._services.all():
            with suppress(PlatformError):  # then nothing of it can run, which its recovery tells
                await kept.look()
        await self._prepare_mesh()
        for kept in self._services.all():
            edge.note(kept.name, kept.routing())  # so that a new agent takes no route away
        self.followed = self._own_order()
        for part in await self.startup.run(self._waves):
            self._go_on(self._retry_part(part), f"start {part.name}")
        PARTS_UP.reach()
        await self._remove_strays()
        STRAYS_GONE.reach()
        with suppress(OSError):  # it is tried again
            await asyncio.to_thread(self._services.machine.documents.reserve.fill)
        self.is_open.set()
        services = self._service_waves()
        self.followed += _names(services)
        for height, wave in enumerate(services):
            await asyncio.gather(*(self._start_service(kept, height) for kept in wave))
        ALL_UP.reach()
        self._report_absence()

    async def _prepare_mesh(self) -> None:
        """Make what instances need around them; who lacks it is told so when its instances are to start."""
        machine = self._services.machine
        try:
            await machine.mesh.prepare([kept.member() for kept in self._services.all()])
        except PlatformError as e:
            machine.log.warning("a service lacks its surroundings", error=e)

    @property
    def order(self) -> list[list[str]]:
        """The waves in which a start would bring up what is deployed now, by the names of the dependency model."""
        return [*self._own_order(), *_names(self._service_waves())]

    def _own_order(self) -> list[list[str]]:
        return [[f"{PLATFORM}/{part.name}" for part in wave] for wave in self._waves]

    @property
    def came_up(self) -> dict[str, CameUp]:
        """When everything was up in the last start, by the names of the dependency model."""
        names = {kept.name: name_of(kept.record.key) for kept in self._services.all()}
        return {
            names.get(step.name, f"{PLATFORM}/{step.name}"): CameUp(step.at, step.seconds)
            for step in self.startup.final()
            if step.at is not None and step.seconds is not None and step.state != "failed"
        }

    def troubles(self) -> list[str]:
        """Say which engines do not run that services need."""
        if not self.startup.is_over:
            return []
        engines = self._services.machine.provisioner.engines
        needed = {name for kept in self._services.all() for name in engines(kept.record)}
        return [
            one.last_error.partition("\n")[0] or f"{one.name} does not run; it is started again"
            for one in self.engines()
            if one.name in needed and _is_away(one)
        ]

    async def _stay(self) -> None:
        """Say every second that somebody is here."""
        while True:
            with suppress(OSError):  # on a full disk the next agent knows less
                self.presence.note()
            await asyncio.sleep(NOTE_EVERY.total_seconds())

    def _report_absence(self) -> None:
        """Write into each history what happened while nobody looked after the services."""
        absence = self.presence.absence
        for kept in self._services.all():
            if absence is None or kept.active is None:
                continue
            found = [one.was_found_ended for one in kept.active.instances if one.was_found_ended]
            for what in found:
                self.presence.found(what)
            if found or absence.until - absence.since >= NOTABLE:
                kept.write_history("unattended", "; ".join([sentence(absence), *found]))

    def _service_waves(self) -> list[list[KeptService]]:
        """Put services into waves: each comes after what it cannot do without."""
        every = {kept.record.key: kept for kept in self._services.all()}
        stacks = {key: stack for key, kept in every.items() if (stack := kept.stack())}
        ordered = [[every.pop(key) for key in wave] for wave in waves(stacks)]
        rest = list(every.values())  # of some an operation was cut short, of others data is left
        return [*ordered, rest] if rest else ordered

    async def _tend_files(self) -> None:
        """Keep logs within bounds, note when their lines were written, and clear away old artefacts, for ever."""
        machine = self._services.machine
        rounds = 0
        pause = TEND_EVERY
        lengths: dict[Path, int | None] = {}
        while True:
            await asyncio.sleep(pause.total_seconds())
            logs = [log for kept in self._services.all() for log in kept.logs()]
            rounds += 1
            try:
                full = await asyncio.to_thread(tend_logs, logs, lengths, machine)
                pause = TEND_WHEN_FULL if full else TEND_EVERY
                self._news.of_disks(full)
                if rounds % SWEEP_EVERY == 0:
                    await self.sweep()
            except (OSError, PlatformError) as e:  # of the next round more may come
                machine.log.warning("files not tended", reason=str(e))
            for kept in self._services.all():
                kept.look_at_memory()
            self._settle()
            if rounds % SWEEP_EVERY == 0:
                await self._settle_keys()
                self._note_hours()

    async def _settle_keys(self) -> None:
        """Take keys away whose time is over, bring what a full disk kept from being published, and renew certificates."""
        machine = self._services.machine
        try:
            await asyncio.to_thread(machine.keys.settle)
        except (OSError, PlatformError) as e:
            machine.log.warning("keys not settled", reason=str(e))
        try:
            await renew_certificates(self._services)
        except (OSError, PlatformError) as e:
            machine.log.warning("certificates not shown", reason=str(e))

    def _note_hours(self) -> None:
        """Write down for how long what is there has been there; what a full disk forbids comes with the next time."""
        with suppress(OSError, DiskFull):
            self.hours.note(one for kept in self._services.all() for one in seen_of(kept))

    def _settle(self) -> None:
        """Write what could not be written while the disk was full."""
        for kept in self._services.all():
            if kept.owed:
                kept.owed.try_to_settle()
                self._services.drop_if_empty(kept)

    async def sweep(self) -> None:
        """Remove artefacts that no release needs; never while one is being built, or a record cannot be read."""
        if self._services.unreadable:
            return
        every = self._services.all()
        if not any(kept.lock.locked() for kept in every):
            needed = frozenset(name for kept in every for name in kept.artifact_folders())
            owners = [kept.record.key for kept in every]
            sweep = self._services.machine.artifacts.sweep
            await asyncio.to_thread(sweep, needed, owners, is_spared=self._may_be_needed)

    def _may_be_needed(self, artifact: str) -> bool:
        """Tell whether an operation is under way, or has ended by now, that may need an artefact."""
        every = self._services.all()
        return any(kept.lock.locked() or artifact in kept.artifact_folders() for kept in every)

    async def _start_service(self, kept: KeptService, height: int) -> None:
        """Recover one service; on failure go on trying in the background."""

        async def start() -> str:
            adopted = await self._recover(kept)
            if kept.active is not None:
                await kept.active.until_healthy(None)
            return ADOPTED if adopted else ""

        part = Part(kept.name, SERVICES + height, start, kept.leave)
        if not await self.startup.start(part):
            self._go_on(self._retry_part(part, kept), f"recover {kept.name}")

    async def _recover(self, kept: KeptService) -> bool:
        """Return whether everything was found running.

        Raises:
            PlatformError: It did not come up.
            OSError: The machine did not give what it needs, such as room on a disk.
        """
        tell = Teller(lambda _: None, self._services.machine.clock)
        async with kept.lock:
            try:
                adopted = await recover(kept, tell)
                await kept.publish()
            except (PlatformError, OSError) as e:
                kept.problems = [str(e)]
                raise
            finally:
                kept.recovered.set()
            kept.problems = []
        self._services.drop_if_empty(kept)
        return adopted

    def _go_on(self, work: Coroutine[None, None, None], name: str) -> None:
        """Do something in the background until the platform stops."""
        self._keep_task(asyncio.create_task(work, name=name))

    def _keep_task(self, task: asyncio.Task[None]) -> None:
        self._retrying.add(task)
        task.add_done_callback(self._retrying.discard)

    async def _retry_part(self, part: Part, kept: KeptService | None = None) -> None:
        """Start a part again and again until it is up; a service only for as long as it is deployed."""
        is_up = False
        while not is_up:
            await asyncio.sleep(RETRY_AFTER.total_seconds())
            if kept is not None and kept not in self._services.all():
                self.startup.forget(part)
                return
            is_up = await self.startup.start_again(part)

    async def _remove_strays(self) -> None:
        """End what earlier lives of the platform left behind and no record names.

        While a record cannot be read, nobody knows what it names, so everything is left alone.
        """
        if self._services.unreadable:
            return
        every = self._services.all()
        known = frozenset(name for kept in every for name in kept.instance_ids())
        await remove_strays(self._services.machine, known, self._keep_task)
        kept_releases = {k.record.key: {one.number for one in k.releases()} for k in every}
        with suppress(OSError, PlatformError):  # the next start does
            self._services.machine.keys.keep_only(kept_releases)

    async def stop(self, *, drain: bool = False) -> AsyncIterator[StartupStep]:
        """End every service and every part, from the top; data stays, and so do the records.

        Args:
            drain: Let each service answer first what it has.
        """
        await self._end_tasks()
        self._note_hours()
        DOWN_BEGUN.reach()
        services = [
            [
                Part(kept.name, SERVICES + height, _nothing, partial(kept.suspend, drain=drain))
                for kept in wave
            ]
            for height, wave in enumerate(self._service_waves())
        ]
        async for step in stop_parts([*self._waves, *services]):
            yield step
        DOWN_ENDED.reach()
        with suppress(OSError):
            self.presence.note(stopped=True)
        self._on_stopped()

    async def leave(self) -> None:
        """Stop looking after everything; all that runs goes on without the agent."""
        await self._end_tasks()
        self._note_hours()
        for kept in self._services.all():
            await kept.leave()

    async def _end_tasks(self) -> None:
        tasks = [*self._retrying, *filter(None, (self._tending, self._staying))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _names(waves: Sequence[Sequence[KeptService]]) -> list[list[str]]:
    return [[name_of(kept.record.key) for kept in wave] for wave in waves]


def _is_away(status: EngineStatus) -> bool:
    tries_again = status.state is EngineState.STARTING and status.last_error
    return status.state is EngineState.FAILED or bool(tries_again)


async def _nothing() -> str:
    return ""
