"""Lets the number of instances follow the load, every second, one service after the other.

Nothing that decides is kept beyond the life of the agent: how many instances there are stands in the release, what somebody
wants by hand in the record of the service, and what was measured is measured again. A new agent therefore takes nothing away
before it has looked for a whole cool-down.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.local import resizing
from drystone.l25_deployer.local.blueprints import groups_of
from drystone.l25_deployer.local.instances import State
from drystone.l25_deployer.local.metering import Meter, sample
from drystone.l25_deployer.local.running import DEFAULT_GRACE
from drystone.l25_deployer.scaling.decision import Bounds, Course, Decision, decide
from drystone.l25_deployer.scaling.queues import NoQueues, Queues

if TYPE_CHECKING:
    from drystone.l25_deployer.local.edge import Counted
    from drystone.l25_deployer.local.instances import KeptInstance
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.running import RunningRelease
    from drystone.l25_deployer.local.services import Services
    from drystone.l25_deployer.stacks.model import Group
    from drystone.l25_deployer.stacks.scaling import Scaling

EVERY = timedelta(seconds=1)
RETRY_S = 5.0
"""How long after a change that failed for want of something of the platform's it is tried again."""

UNKNOWN_S = 10.0
"""How long a metric may be unknown before it is told: of new instances nothing is known at first."""


class Standing(msgspec.Struct, frozen=True):
    """How the number of a group's instances stands.

    Attributes:
        text: What it follows now, or why it does not, for people.
        problem: What somebody should look at; empty when nothing is wrong.
    """

    text: str
    problem: str = ""


class _Watch:
    """What is remembered of one group of one release."""

    def __init__(self, release: int, now: float) -> None:
        self.release = release
        self.meter = Meter()
        self.course = Course(now)
        self.blocked_until = now
        self.why_blocked = ""
        self.ill_since: dict[str, float] = {}
        self.known_at = now
        self.told: frozenset[str] = frozenset()

    def block(self, until: float, why: str) -> None:
        self.blocked_until, self.why_blocked = until, why


class Scaler:
    """Looks after the number of instances of every service.

    Args:
        services: What is deployed.
        queues: Tells how much waits in queues.
    """

    def __init__(self, services: Services, queues: Queues | None = None) -> None:
        self._services = services
        self._queues = NoQueues() if queues is None else queues
        self._watches: dict[tuple[str, str], _Watch] = {}
        self._going: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look from now on, until :meth:`leave`."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go_on(), name="scale")

    async def leave(self) -> None:
        """Stop looking; what was begun is left as it is."""
        tasks = [*self._going.values(), *([self._task] if self._task else [])]
        self._task = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            await self.look()

    async def look(self) -> None:
        """Look at every service once."""
        every = self._services.all()
        names = {kept.name for kept in every}
        self._watches = {key: one for key, one in self._watches.items() if key[0] in names}
        for kept in every:
            try:
                await self._look_at(kept)
            except (PlatformError, OSError) as e:
                self._services.machine.log.warning("not scaled", service=kept.name, reason=str(e))

    def _now(self) -> float:
        return self._services.machine.clock.monotonic().total_seconds()

    async def _look_at(self, kept: KeptService) -> None:
        release, running = kept.active_release(), kept.active
        if release is None or running is None or not kept.recovered.is_set():
            kept.standings = {}
            return
        groups = groups_of(release)
        is_busy = kept.lock.locked() or kept.record.operation is not None
        standings = {}
        for name, group in groups.items():
            fixed = kept.record.fixed.get(name)
            count = len(running.of_group(name))
            if is_busy:
                before = kept.standings.get(name, Standing(""))
                if group.scaling is not None or fixed is not None:
                    text = "stays while something is done to the service"
                    standings[name] = Standing(text, before.problem)
                if (watch := self._watches.get((kept.name, name))) is not None:
                    watch.course = Course(self._now())
            elif fixed is not None:
                why = await self._bring(kept, running, name, fixed, "as was set by hand")
                standings[name] = Standing("as was set by hand", why)
            elif group.scaling is not None:
                standings[name] = await self._follow(kept, running, name, group, group.scaling)
            elif (
                count > group.instances
            ):  # what was to take the place of others, when an agent died
                await self._bring(kept, running, name, group.instances, "as many as are wanted")
        kept.standings = standings

    async def _follow(
        self, kept: KeptService, running: RunningRelease, name: str, group: Group, scaling: Scaling
    ) -> Standing:
        now, number = self._now(), running.release.number
        watch = self._watches.get((kept.name, name))
        if watch is None or watch.release != number:
            watch = self._watches[kept.name, name] = _Watch(number, now)
        every = running.of_group(name)
        _note_arrivals(running, every)
        bounds = Bounds(max(1, group.instances), scaling.most, scaling.cooldown)
        if await self._give_up(kept, running, name, watch, bounds):
            return Standing(watch.why_blocked, watch.why_blocked)
        healthy = [one for one in every if one.state is State.HEALTHY]
        counted = await self._counted(kept, scaling)
        watch.meter.note(await sample(now, healthy, counted))
        metrics = watch.meter.metrics(group, scaling, await self._waiting(kept, scaling))
        measured = watch.meter.measured()
        decision = decide(
            bounds,
            metrics,
            count=len(every),
            measured=len(measured),
            course=watch.course,
            now=now,
        )
        watch.course = decision.course
        said = ", ".join(one.text for one in metrics)
        more = decision.count - len(every)
        fits, scarce = kept.machine.quotas.room(running.release, name, more)
        scarce = scarce if more > 0 else ""
        problem = self._tell(kept, name, watch, decision, now, scarce=scarce)
        if decision.count > len(every) and now < watch.blocked_until:
            return Standing(f"{said}; {watch.why_blocked}", watch.why_blocked)
        if decision.count < len(every) and kept.record.canary is not None:
            return Standing(f"{said}; none goes while another release is tried", problem)
        count = decision.count if more <= 0 else len(every) + fits
        if count != len(every):
            await self._bring(kept, running, name, count, decision.reason)
        return Standing(said, problem)

    async def _counted(self, kept: KeptService, scaling: Scaling) -> Counted | None:
        if scaling.requests is None and scaling.latency is None:
            return None
        try:
            return await kept.machine.edge.counted(kept.name)
        except PlatformError:
            return None

    async def _waiting(self, kept: KeptService, scaling: Scaling) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        for queue in scaling.queues:
            found[queue] = None
            with suppress(PlatformError):
                found[queue] = await self._queues.depth(*kept.record.key, queue)
        return found

    def _tell(
        self,
        kept: KeptService,
        name: str,
        watch: _Watch,
        decision: Decision,
        now: float,
        *,
        scarce: str,
    ) -> str:
        """Write down what people should know, once each time; return what is wrong now."""
        if not decision.unknown:
            watch.known_at = now
        said = {}
        if decision.at_most:
            said["at most"] = (
                f"{name} has all {decision.count} instances that it may have: {decision.reason}"
            )
        if scarce:
            said["scarce"] = f"{name} is to have {decision.count} instances: {scarce}"
        if decision.unknown and now - watch.known_at >= UNKNOWN_S:
            lacking = ", ".join(decision.unknown)
            said["unknown"] = f"{name}: {lacking} cannot be told, so that no instance goes"
        for what in said.keys() - watch.told:
            kept.write_history("scale held", said[what])
        watch.told = frozenset(said)
        return "; ".join(said.values())

    async def _give_up(
        self,
        kept: KeptService,
        running: RunningRelease,
        name: str,
        watch: _Watch,
        bounds: Bounds,
    ) -> bool:
        """Take instances away that do not become healthy, while others serve; return whether there were any."""
        now = self._now()
        every = running.of_group(name)
        ill = {one.blueprint.spec.id: one for one in every if one.state is not State.HEALTHY}
        watch.ill_since = {id_: watch.ill_since.get(id_, now) for id_ in ill}
        lost = [id_ for id_, one in ill.items() if now - watch.ill_since[id_] > _grace(one)]
        lost = lost[: max(0, len(every) - bounds.least)]
        if not lost or len(ill) == len(every) or (kept.name, name) in self._going:
            return False
        one = ill[lost[0]]
        why = one.last_problem or (one.last_probe.text if one.last_probe else "it does not answer")
        text = f"{', '.join(lost)} did not become healthy and went: {why}"
        watch.block(now + bounds.cooldown.total_seconds(), f"no more for a while: {text}")
        kept.write_history("scale failed", f"{name}: {text}")
        await self._take_away(kept, running, name, frozenset(lost))
        return True

    async def _bring(
        self, kept: KeptService, running: RunningRelease, name: str, count: int, reason: str
    ) -> str:
        """Change the number of instances; what is to go goes while others are looked at.

        Returns:
            What keeps more from coming; empty when nothing does.
        """
        have = len(running.of_group(name))
        if count > have:
            return await self._add(kept, running, name, count - have, reason)
        if count < have and (kept.name, name) not in self._going:
            ids = resizing.to_go(running, name, have - count)
            kept.write_history(
                "scaled", f"{name} {have} → {count}: {reason}", release=running.release
            )
            await self._take_away(kept, running, name, ids)
        return ""

    async def _add(
        self, kept: KeptService, running: RunningRelease, name: str, more: int, reason: str
    ) -> str:
        async with kept.lock:
            if kept.active is not running or kept.record.operation is not None:
                return ""
            have = len(running.of_group(name))
            more, scarce = kept.machine.quotas.room(running.release, name, more)
            if not more:
                return scarce
            try:
                await resizing.add(kept, name, more)
            except (PlatformError, OSError) as e:
                if (watch := self._watches.get((kept.name, name))) is not None:
                    watch.block(self._now() + RETRY_S, f"no more could be started: {e}")
                raise
            text = f"{name} {have} → {have + more}: {reason}"
            kept.write_history("scaled", text, release=running.release)
            return scarce

    async def _take_away(
        self, kept: KeptService, running: RunningRelease, name: str, ids: frozenset[str]
    ) -> None:
        async with kept.lock:
            if kept.active is not running or kept.record.operation is not None:
                return
            await resizing.close(kept, running, ids)
        key = (kept.name, name)
        task = asyncio.get_running_loop().create_task(
            self._finish(kept, running, ids), name=f"take away {', '.join(sorted(ids))}"
        )
        self._going[key] = task
        task.add_done_callback(lambda done: self._gone(key, done))

    async def _finish(
        self, kept: KeptService, running: RunningRelease, ids: frozenset[str]
    ) -> None:
        with suppress(PlatformError):  # who cannot be asked whether they are idle has had the time
            await resizing.drain(kept, running, ids)
        async with kept.lock:
            await resizing.end(kept, running, ids)

    def _gone(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._going.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._services.machine.log.error("not taken away", error=error, service=key[0])


def _note_arrivals(running: RunningRelease, every: tuple[KeptInstance, ...]) -> None:
    """Count those that were added and are healthy now among the others."""
    well = {one.blueprint.spec.id for one in every if one.state is State.HEALTHY}
    if here := running.coming & well:
        resizing.arrived(running, here)


def _grace(one: KeptInstance) -> float:
    health = one.blueprint.health
    return (health.grace if health is not None else DEFAULT_GRACE).total_seconds()
