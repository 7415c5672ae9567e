"""The instances of one release, as one thing that starts, proves itself and ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from drystone.l25_deployer.errors import DeployFailed
from drystone.l25_deployer.local.failure import explain
from drystone.l25_deployer.local.instances import KeptInstance, State
from drystone.l25_deployer.local.probe import ask_health, probe
from drystone.l25_deployer.stacks.ways import is_of_site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from drystone.l10_engines.runtimes.port import InstanceSpec, Runtime
    from drystone.l25_deployer.local.instances import Blueprint
    from drystone.l25_deployer.local.records import ReleaseRecord

T = TypeVar("T")

ATTEMPTS = 2
"""How often an instance of a new release may end by itself before the deploy gives it up."""

DEFAULT_GRACE = timedelta(seconds=60)
WARM_UP_REQUESTS = 3


def _as_it_is(spec: InstanceSpec) -> InstanceSpec:
    return spec


class RunningRelease:
    """The instances of one release that run, or are to run.

    Args:
        release: Its record.
        blueprints: One per instance.
        runtime: Where they run.
        on_change: Called when an instance changes state; it must not block.
        complete: See :class:`~drystone.l25_deployer.local.instances.KeptInstance`.
        make_room: See there.
        of_sites: Where the instances run that serve static sites; with the others when None.
    """

    def __init__(
        self,
        release: ReleaseRecord,
        blueprints: tuple[Blueprint, ...],
        runtime: Runtime,
        on_change: Callable[[KeptInstance, str], None],
        complete: Callable[[InstanceSpec], InstanceSpec] = lambda spec: spec,
        *,
        make_room: Callable[[], bool] = lambda: False,
        of_sites: Runtime | None = None,
    ) -> None:
        self.release = release

        def make(one: Blueprint) -> KeptInstance:
            is_site = of_sites is not None and is_of_site(one.group)
            where = of_sites if is_site and of_sites is not None else runtime
            whole = _as_it_is if is_site else complete
            return KeptInstance(one, where, on_change, whole, make_room=make_room)

        self._make = make
        self.instances = tuple(map(self._make, blueprints))
        self.coming: frozenset[str] = frozenset()
        """Instances that were added and have not been healthy yet."""
        self.leaving: frozenset[str] = frozenset()
        """Instances that get nothing new, and end when they have answered what they have."""

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of the instances that should take traffic.

        When none is healthy, all of them: a doubtful answer is better than certainly none.
        """
        return self._ports_of(
            [one for one in self.instances if not is_of_site(one.blueprint.group)]
        )

    def site_ports(self, group: str) -> tuple[int, ...]:
        """The ports of those that serve a static site, as :attr:`ports` are of the service."""
        return self._ports_of([one for one in self.instances if one.blueprint.group == group])

    def _ports_of(self, instances: Iterable[KeptInstance]) -> tuple[int, ...]:
        serving = [one for one in instances if one.blueprint.port is not None]
        staying = [one for one in serving if one.blueprint.spec.id not in self.leaving]
        healthy = [one for one in staying if one.takes_traffic]
        known = [one for one in staying if one.blueprint.spec.id not in self.coming]
        chosen = healthy or known or staying or serving
        return tuple(one.blueprint.port for one in chosen if one.blueprint.port)

    @property
    def leaving_ports(self) -> tuple[int, ...]:
        """The ports of the instances that finish what they have, but for those that are all there is."""
        ports = set(self.ports)
        return tuple(
            one.blueprint.port
            for one in self.instances
            if one.blueprint.spec.id in self.leaving
            and one.blueprint.port is not None
            and one.blueprint.port not in ports
            and not is_of_site(one.blueprint.group)
        )

    @property
    def settled(self) -> tuple[KeptInstance, ...]:
        """The instances that are neither coming nor leaving."""
        return tuple(
            one for one in self.instances if one.blueprint.spec.id not in self.coming | self.leaving
        )

    def of_group(self, group: str) -> tuple[KeptInstance, ...]:
        """Return the instances of a group that are not leaving."""
        return tuple(
            one
            for one in self.instances
            if one.blueprint.group == group and one.blueprint.spec.id not in self.leaving
        )

    def grow(self, blueprints: tuple[Blueprint, ...]) -> tuple[KeptInstance, ...]:
        """Take more instances into care; nothing is started yet."""
        more = tuple(map(self._make, blueprints))
        self.instances += more
        self.coming |= {one.blueprint.spec.id for one in more}
        return more

    def exchange(self, one: KeptInstance, blueprint: Blueprint) -> KeptInstance:
        """Take an instance into care as it is to be from now on, in the place of the same one, which has ended."""
        new = self._make(blueprint)
        self.instances = tuple(new if old is one else old for old in self.instances)
        return new

    def shed(self, ids: frozenset[str]) -> None:
        """Forget instances that have ended."""
        self.instances = tuple(o for o in self.instances if o.blueprint.spec.id not in ids)
        self.coming -= ids
        self.leaving -= ids

    @property
    def is_healthy(self) -> bool:
        """Whether every instance is."""
        return all(one.state is State.HEALTHY for one in self.settled)

    async def find(self) -> int:
        """Adopt the instances that still run; start none. Return how many there are."""
        return sum([await one.find() for one in self.instances])

    async def begin(self) -> int:
        """Start every instance, or adopt it; return how many were adopted.

        Raises:
            PlatformError: The runtime refused one; those that were started go on until :meth:`end`.
        """
        return sum(await together(one.begin() for one in self.instances))

    async def until_healthy(
        self, previous: ReleaseRecord | None, among: tuple[KeptInstance, ...] | None = None
    ) -> None:
        """Wait until every instance is healthy.

        Args:
            previous: The last good release; the report says what has changed since.
            among: Only these; all of them when omitted.

        Raises:
            DeployFailed: One ended twice by itself, or was not well in time; the message says all that is
                known about why.
        """
        every = self.instances if among is None else among
        waiting = [asyncio.create_task(self._until_one(one, previous)) for one in every]
        graces = [one.blueprint.health.grace for one in every if one.blueprint.health]
        limit = max(graces, default=DEFAULT_GRACE)
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await asyncio.gather(*waiting)
        except TimeoutError as e:
            ill = next((o for o in every if o.state is not State.HEALTHY), None)
            if ill is None:  # the last of them became well at the last moment
                return
            reason = f"was not healthy after {limit.total_seconds():g} s"
            report = await asyncio.to_thread(explain, ill, reason, self.release, previous)
            raise DeployFailed(report, instance=ill.blueprint.spec.id) from e
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _until_one(self, one: KeptInstance, previous: ReleaseRecord | None) -> None:
        while one.state not in {State.HEALTHY, State.STOPPED}:
            if one.state is State.BACKING_OFF and one.restarts + 1 >= ATTEMPTS:
                report = await asyncio.to_thread(
                    explain, one, one.last_problem, self.release, previous
                )
                raise DeployFailed(report, instance=one.blueprint.spec.id)
            await one.until_changed()

    async def warm_up(self) -> None:
        """Send each serving instance a few requests, so that the first visitor does not wait for it."""
        for one in self.instances:
            health, port = one.blueprint.health, one.blueprint.port
            if health is not None and port is not None:
                for _ in range(WARM_UP_REQUESTS):
                    await ask_health(health, port, one.blueprint.protocol, one.network)

    async def smoke(self) -> None:
        """Ask every serving instance what the descriptor's smoke test names.

        Raises:
            DeployFailed: One answered badly; the message says which and how.
        """
        for one in self.instances:
            if one.blueprint.port is None or is_of_site(one.blueprint.group):
                continue
            for test in self.release.stacks.route.smoke:
                result = await probe(
                    one.blueprint.port,
                    test.path,
                    timeout=timedelta(seconds=30),
                    method=test.method,
                    protocol=one.blueprint.protocol,
                    network=one.network,
                )
                if not result.is_ok:
                    raise DeployFailed(
                        f"the smoke test failed at {one.blueprint.spec.id}: {result.text}",
                        instance=one.blueprint.spec.id,
                    )

    async def rest(self) -> None:
        """End the instances that do not serve: the release is only kept to take traffic again."""
        workers = [one for one in self.instances if one.blueprint.port is None]
        await together(one.end() for one in workers)

    async def wake(self) -> None:
        """Start what :meth:`rest` ended."""
        resting = [one for one in self.instances if one.state is State.STOPPED]
        await together(one.persist() for one in resting)

    async def serve(self) -> None:
        """Start the instances that serve and do not run, and look after them until they do; workers that still run end."""
        serving = [one for one in self.instances if one.blueprint.port is not None]
        await together(one.persist() for one in serving if one.state is State.STOPPED)
        for one in self.instances:
            if one.blueprint.port is None and await one.find():
                await one.end()

    async def end(self) -> None:
        """End every instance, the workers with the rest."""
        await together(one.end() for one in self.instances)

    async def leave(self) -> None:
        """Stop looking after the instances; they go on running."""
        await asyncio.gather(*(one.leave() for one in self.instances))


async def together(work: Iterable[Awaitable[T]]) -> list[T]:
    """Run all of it to the end and then raise the first failure, so that nothing goes on unwatched."""
    done: list[T] = []
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done
