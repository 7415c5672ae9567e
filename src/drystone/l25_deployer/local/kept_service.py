"""One service in one environment: its running releases and its route, beside what is written about it.

Everything here runs in the agent's event loop. Whatever changes the service holds ``lock``; what merely looks reads
the records, which are replaced as a whole.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.runtimes.port import LOG_NAME
from drystone.l10_engines.runtimes.processes import Processes
from drystone.l20_trust.keys.api import issuer_of
from drystone.l25_deployer.errors import ReleaseNotFound
from drystone.l25_deployer.local import places
from drystone.l25_deployer.local.blueprints import (
    Surroundings,
    blueprints,
    with_keys,
)
from drystone.l25_deployer.local.counting import Counting
from drystone.l25_deployer.local.instances import KeptInstance, State
from drystone.l25_deployer.local.provisioning import address_values
from drystone.l25_deployer.local.readiness import made_startable
from drystone.l25_deployer.local.records import ReleaseRecord, ReleaseState, ServiceRecord
from drystone.l25_deployer.local.routed_service import RoutedService
from drystone.l25_deployer.local.running import RunningRelease
from drystone.l25_deployer.local.sites import sites_of
from drystone.l25_deployer.stacks.model import StaticArtifact, Volume

if TYPE_CHECKING:
    from drystone.l10_engines.runtimes.port import InstanceSpec
    from drystone.l25_deployer.local.machine import Machine
    from drystone.l25_deployer.local.scaler import Standing

RETRY_AFTER = timedelta(seconds=5)
_ILL = {State.UNHEALTHY, State.BACKING_OFF}
KEPT_FOR_HELP = 8
"""Files of the reserve that starting instances leave to what frees a full disk: an undo, a rollback, a removal."""


class KeptService(RoutedService):
    """A service that the agent looks after.

    Args:
        machine: What every service of this home shares.
        record: What is written about this one.
    """

    def __init__(self, machine: Machine, record: ServiceRecord) -> None:
        super().__init__(machine, record)
        self.lock = asyncio.Lock()
        self.users = 0
        """How many operations run on it or wait to."""
        self.recovered = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.problems: list[str] = []
        self.standings: dict[str, Standing] = {}
        """How the number of each group stands that follows its load, or was set by hand."""
        self.rotation_trouble: tuple[int | None, str] = (None, "")
        """Which release served when credentials were not replaced that were to be, and why they were not."""
        self._told_ill: set[str] = set()
        self._tending: asyncio.Task[None] | None = None
        self._publishing: set[asyncio.Task[None]] = set()
        self.counting = Counting(self)

    @property
    def active(self) -> RunningRelease | None:
        """The release that takes the traffic, if its instances are looked after."""
        number = self.record.active
        return self.running.get(number) if number is not None else None

    @property
    def canary(self) -> RunningRelease | None:
        """The release that is tried beside it, if its instances are looked after."""
        held = self.record.canary
        return self.running.get(held.release) if held is not None else None

    @override
    def _remember(self, release: ReleaseRecord) -> ReleaseRecord:
        if release.number in self.running:
            self.running[release.number].release = release
        return super()._remember(release)

    # What runs

    async def provide(self, name: str) -> None:
        """Make one eternal resource of the record exist and remember its values."""
        values = await self.machine.provisioner.apply(self.record, name, self.record.eternal[name])
        self._values.update(values)

    def forget_values(self, name: str) -> None:
        """Forget the values of a resource that is gone."""
        self._values = {k: v for k, v in self._values.items() if k[:2] != ("resources", name)}

    def surroundings(self, release: ReleaseRecord) -> Surroundings:
        """Gather what the instances of a release share."""
        machine = self.machine
        values = self._values | address_values(release, self.record.key, machine.mesh)
        volumes = {
            name: Path(self._values["resources", name, "path"])
            for name, resource in self.record.eternal.items()
            if isinstance(resource, Volume) and ("resources", name, "path") in self._values
        }
        return Surroundings(
            values,
            machine.instances,
            volumes,
            machine.label,
            self._older_assets(release),
            self.required_network(),
        )

    def _older_assets(self, release: ReleaseRecord) -> tuple[Path, ...]:
        """Return the folders in which pages of earlier releases still find their files."""
        artifact = release.stacks.resources.artifact
        kept = [one.keep_assets for one in sites_of(release).values()]
        if isinstance(artifact, StaticArtifact):
            kept.append(artifact.keep_assets)
        if not kept:
            return ()
        older = []
        # The release that serves now joins the trail with the switch, and its pages are those that are open.
        for number in dict.fromkeys((self.record.active or 0, *reversed(self.record.trail))):
            try:
                source = self.release(number).source
            except ReleaseNotFound:
                continue
            if number != release.number and source and Path(source) not in older:
                older.append(Path(source))
        return tuple(older[: max(kept)])

    def make_running(self, release: ReleaseRecord) -> RunningRelease:
        """Describe the instances of a release and take them into care; nothing is started yet.

        Raises:
            ValueUnknown: A reference of its descriptor has no value.
        """
        prints = blueprints(self.record, release, self.surroundings(release))
        runtime = self.machine.runtime(release.isolation)
        complete = partial(self.with_keys, release.number)
        make_room = partial(self.machine.documents.reserve.give_way, keep=KEPT_FOR_HELP)
        running = RunningRelease(
            release,
            prints,
            runtime,
            self._instance_changed,
            complete,
            make_room=make_room,
            of_sites=self.machine.runtimes.get(Processes.name, runtime),
        )
        self.running[release.number] = running
        return running

    async def made_startable(self, release: ReleaseRecord) -> ReleaseRecord:
        """Return a release with ports that its instances can have, written down and let through.

        Raises:
            PlatformError: See :func:`~drystone.l25_deployer.local.readiness.made_startable`, or
                :meth:`~drystone.l25_deployer.local.meshed_service.MeshedService.surround`.
        """
        startable = await made_startable(self.machine, release, self.network)
        if startable != release:
            self.note_release(startable)
            await self.surround()
        return startable

    async def provide_keys(self, release: ReleaseRecord) -> None:
        """Give a release its key pair; one of static files proves itself to nobody."""
        if isinstance(release.stacks.resources.artifact, StaticArtifact):
            return
        environment, service = self.record.key
        calls = {
            issuer_of(dependency.environment or environment, name)
            for name, dependency in release.stacks.environment.dependencies.items()
        }
        await self.machine.keys.provide(environment, service, release.number, calls)
        places.KEYS_PROVIDED.reach()

    def with_keys(self, number: int, spec: InstanceSpec) -> InstanceSpec:
        """Give what starts now of a release what it proves itself with."""
        return with_keys(spec, self.machine.keys.given(*self.record.key, number))

    def retire_keys(self, number: int) -> None:
        """Let the keys of a release end that never runs again, as soon as the disk has room to say so."""
        environment, service = self.record.key
        retire = self.machine.keys.retire
        self.owed.do(lambda: retire(environment, service, number))

    async def end_release(self, number: int, state: ReleaseState = "stopped") -> None:
        """Stop a release's instances and give their ports back."""
        running = self.running.pop(number, None)
        if running is None:
            return
        await running.end()
        self.machine.edge.outdate()
        places.ENDED.reach()
        self.give_ports_back(running.release)
        self.note_release(msgspec.structs.replace(running.release, state=state))
        places.END_WRITTEN.reach()

    async def end_unnamed(self, release: ReleaseRecord) -> None:
        """End what runs of a release of which nobody knows any more how it was started."""
        runtime = self.machine.runtime(release.isolation)
        ids = {one.id for one in release.instances}
        for stray in await runtime.strays(self.machine.label, frozenset()):
            if stray.id in ids:
                await runtime.remove_stray(stray)

    def give_ports_back(self, release: ReleaseRecord) -> None:
        """Make the ports of a release that does not run available to others."""
        for one in release.instances:
            if one.port is not None:
                self.machine.ports.give_back(one.port)

    def _instance_changed(self, one: KeptInstance, text: str) -> None:
        active = self.active
        canary = self.canary
        mine = active is not None and one in active.instances
        mine = mine or (canary is not None and one in canary.instances)
        ended = one.state is State.BACKING_OFF and _is_power_of_two(one.restarts + 1)
        if ended or (mine and one.state is State.UNHEALTHY):
            self.write_history(one.state.value, f"{one.blueprint.spec.id} {text}")
            self._told_ill.add(one.blueprint.spec.id)
        if one.state is State.HEALTHY and one.blueprint.spec.id in self._told_ill:
            self._told_ill.discard(one.blueprint.spec.id)
            self.write_history("healthy", f"{one.blueprint.spec.id} is well again")
        if canary is not None and one in canary.instances and one.state in _ILL:
            self.counting.tell(f"{one.blueprint.spec.id} is {one.state}: {text}")
        if mine:
            task = asyncio.get_running_loop().create_task(self._publish_quietly())
            self._publishing.add(task)
            task.add_done_callback(self._publishing.discard)

    def look_at_memory(self) -> None:
        """Write down which instances lost a part of themselves at their memory limit and go on."""
        for running in self.running.values():
            for one in running.instances:
                if text := one.look_at_memory():
                    self.write_history("memory", f"{one.blueprint.spec.id} {text}")

    async def _publish_quietly(self) -> None:
        try:
            await self.publish()
        except PlatformError as e:
            self.machine.log.warning("edge does not follow", error=e, service=self.name)

    def logs(self) -> list[Path]:
        """Return the logs of all that runs for it."""
        own = [one.log for running in self.running.values() for one in running.instances]
        return [*own, *(self.machine.instances / name / LOG_NAME for name in self.beside)]

    # Time

    def tend(self) -> None:
        """Look after what ends by itself: releases that are kept warm."""
        if self._tending is not None:
            self._tending.cancel()
        self._tending = asyncio.get_running_loop().create_task(
            self._end_warm(), name=f"tend {self.name}"
        )

    async def _end_warm(self) -> None:
        while self.record.warm:
            clock = self.machine.clock
            number, warmth = min(self.record.warm.items(), key=lambda item: item[1].left(clock))
            await clock.sleep(warmth.left(clock))
            async with self.lock:
                if self.record.warm.get(number) == warmth:
                    try:
                        await self.cool(number)
                    except PlatformError as e:
                        self.machine.log.warning(
                            "kept warm longer", service=self.name, reason=str(e)
                        )
                        await asyncio.sleep(RETRY_AFTER.total_seconds())

    async def cool(self, number: int) -> None:
        """End a release that was kept warm; it can still be gone back to, a little slower.

        Raises:
            Unavailable: The edge does not confirm that it routes elsewhere, or would not any more if it
                died; the release stays.
        """
        running = self.running.get(number)
        if running is not None:
            await self.publish()
            await self.machine.edge.require_kept()
            places.COOL_CLOSED.reach()
            await self.drain(running)
            places.COOL_DRAINED.reach()
        await self.end_release(number)
        places.COOL_ENDED.reach()
        warm = {n: warmth for n, warmth in self.record.warm.items() if n != number}
        self.note(warm=warm)
        places.COOLED.reach()
        await self.publish()

    async def drain(self, running: RunningRelease) -> None:
        """Wait until a release that gets no new requests has answered those it has, within its limit."""
        limits = [one.blueprint.stop.drain for one in running.instances if one.blueprint.port]
        if limits:
            ports = tuple(one.blueprint.port for one in running.instances if one.blueprint.port)
            left = await self.machine.edge.until_idle(self.name, ports, max(limits))
            if left:
                number = running.release.number
                text = f"{left} requests to release {number} were cut at the limit of {max(limits)}"
                self.write_history("cut", text, release=running.release)

    async def leave(self) -> None:
        """Stop looking after the service; all that runs goes on."""
        if self._tending is not None:
            self._tending.cancel()
        await self.counting.leave()
        await asyncio.gather(*(running.leave() for running in self.running.values()))

    async def suspend(self, *, drain: bool = False) -> None:
        """The platform stops: end what runs, keep records and data, so that it can come back.

        Args:
            drain: Answer first what there is.
        """
        async with self.lock:
            if drain:
                with suppress(PlatformError):  # nobody can tell then what is left to be answered
                    await self.stand_down()
                    await asyncio.gather(*(self.drain(one) for one in self.running.values()))
            await self.halt()
            places.SUSPEND_ENDED.reach()
            await self.machine.provisioner.suspend(self.record)
            places.SUSPENDED.reach()

    async def halt(self) -> None:
        """End every instance, so that a recovery starts what is to run again; the lock is held."""
        if self._tending is not None:
            self._tending.cancel()
        await self.counting.leave()
        for number in list(self.running):
            await self.end_release(number, self._resting_state(number))
        if self.record.warm:
            self.note(warm={})

    def _resting_state(self, number: int) -> ReleaseState:
        """Return what a release is called of which the platform ended the instances as it stopped."""
        if number == self.record.active:
            return "active"
        held = self.record.canary
        return "canary" if held is not None and number == held.release else "stopped"


def _is_power_of_two(number: int) -> bool:
    """Choose ever fewer of the restarts of a crash loop, so that it does not fill the history."""
    return number & (number - 1) == 0
