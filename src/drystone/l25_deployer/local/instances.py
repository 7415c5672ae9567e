"""Look after one instance: start or adopt it, ask how it is, start it again when it ends by itself."""

from __future__ import annotations

import asyncio
import enum
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.shortage import DiskFull, is_shortage, passes
from drystone.l10_engines.loopback_ports import is_free
from drystone.l10_engines.runtimes.port import LOG_NAME, memory_words
from drystone.l25_deployer.local.probe import ProbeResult, ask_health

if TYPE_CHECKING:
    from drystone.l10_engines.proxy.edge import Protocol
    from drystone.l10_engines.runtimes.port import Exit, Instance, InstanceSpec, Runtime, Usage
    from drystone.l25_deployer.stacks.model import Health, Stop

FIRST_PAUSE = timedelta(milliseconds=100)
LONGEST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE_WHEN_SHORT = timedelta(seconds=1)
STEADY_AFTER = timedelta(seconds=60)
"""An instance that ran this long is restarted without a pause when it ends."""

SETTLES_AFTER = timedelta(milliseconds=500)
"""A worker without a health check counts as healthy after running this long."""

FAST_PROBES = timedelta(milliseconds=25)
"""Pause between probes at first, while an instance comes up; it grows to the check's own interval."""


class State(enum.StrEnum):
    """What the platform knows about an instance."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    BACKING_OFF = "backing-off"
    STOPPED = "stopped"


class Blueprint(msgspec.Struct, frozen=True):
    """All that is needed to keep one instance running.

    Attributes:
        group: ``web`` or the worker's name.
        spec: What the runtime starts.
        port: The loopback port on which it is to serve, if it does.
        health: How to ask whether it is well, if there is a way.
        stop: How to end it.
        protocol: What it speaks on its port.
    """

    group: str
    spec: InstanceSpec
    port: int | None
    health: Health | None
    stop: Stop
    protocol: Protocol = "http1"


class KeptInstance:
    """One instance that is to run until it is told to stop.

    Args:
        blueprint: What is to run.
        runtime: Where.
        on_change: Called when the state changes; it must not block.
        complete: Adds to what is started what is known only then, since it changes while the instance is kept.
        make_room: Called when the disk has none for the records of a start; returns whether it made some.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        runtime: Runtime,
        on_change: Callable[[KeptInstance, str], None],
        complete: Callable[[InstanceSpec], InstanceSpec] = lambda spec: spec,
        *,
        make_room: Callable[[], bool] = lambda: False,
    ) -> None:
        self.blueprint = blueprint
        self.log = blueprint.spec.state / LOG_NAME
        self.state = State.STOPPED
        self.restarts = 0
        self.since: datetime | None = None
        self.last_exit: Exit | None = None
        self.last_problem = ""
        self.last_probe: ProbeResult | None = None
        self.memory_kills: int | None = None
        """Of the life that runs: processes of it that were killed at its limit; None before the first look."""
        self._runtime = runtime
        self._on_change = on_change
        self._complete = complete
        self._make_room = make_room
        self._instance: Instance | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._is_adopted = False
        self.was_found_ended = ""
        """How the instance had ended that was to be adopted; empty when it ran, or never had."""

    @property
    def pid(self) -> int | None:
        """The main process, if it runs."""
        running = self._instance is not None and self._instance.is_running()
        return self._instance.pid if running and self._instance else None

    @property
    def takes_traffic(self) -> bool:
        """Whether the edge should send requests to it."""
        return self.state is State.HEALTHY and self.blueprint.port is not None

    def look_at_memory(self) -> str | None:
        """Return what to tell when a part of it was killed at its memory limit while the rest goes on."""
        running = self._instance
        if running is None:
            return None
        kills = running.memory_kills()
        # Of hundreds of instances hardly one has lost anything, so that this is all that is looked at.
        if kills == self.memory_kills or not running.is_running():
            return None
        before, self.memory_kills = self.memory_kills, kills
        if before is None or self.memory_kills <= before:
            return None
        limit = memory_words(running.memory_limit())
        return f"goes on after a part of it used more than {limit} and was killed"

    def usage(self) -> Usage | None:
        """Measure its processes; None while it does not run."""
        running = self._instance
        return running.usage() if running is not None and running.is_running() else None

    def listening_ports(self) -> list[int]:
        """Return the ports on which its processes really listen."""
        return self._instance.listening_ports() if self._instance else []

    @property
    def network(self) -> Path | None:
        """The way into the network in which it runs; None where that is the agent's own."""
        return self._instance.network() if self._instance else None

    async def find(self) -> bool:
        """Adopt it if it runs, and start looking after it; returns whether it does."""
        found = await self._runtime.find(self.blueprint.spec.state)
        if found is None:
            await self._clear()
            return False
        if not found.is_running():
            self.last_exit = await found.wait()  # which also ends what it left behind
            return False
        self._is_adopted = True
        self._look_after(found, "adopted")
        return True

    async def _clear(self) -> None:
        """End what a start left of it that was cut short by the agent's death, before it could be adopted."""
        spec = self.blueprint.spec
        if not spec.state.exists():
            return
        for stray in await self._runtime.strays(spec.home_label, frozenset()):
            if stray.id == spec.id:
                await self._runtime.remove_stray(stray)

    async def begin(self) -> bool:
        """Adopt it or start it, and start looking after it; returns whether it was adopted.

        Raises:
            PlatformError: The runtime refused to start it, for the reason in the message.
        """
        adopted = await self.find()
        if not adopted:
            self._is_adopted = False
            if self.last_exit is not None:
                how = self.last_exit.sentence()
                self.was_found_ended = f"{self.blueprint.spec.id} had ended ({how})"
            self._look_after(await self._start(), "started")
        return adopted

    async def persist(self) -> None:
        """Start it and look after it; what cannot start now is tried again like what has ended."""
        try:
            await self.begin()
        except (PlatformError, OSError) as e:
            self._instance = None
            self.last_problem = str(e)
            self._task = asyncio.create_task(self._keep(), name=f"keep {self.blueprint.spec.id}")

    def _look_after(self, instance: Instance, text: str) -> None:
        self._instance = instance
        self.memory_kills = None if self._is_adopted else 0
        self.since = datetime.now(UTC)
        self._become(State.STARTING, text)
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.blueprint.spec.id}")

    async def until_changed(self) -> None:
        """Wait for the next change of state, restart or probe."""
        self._changed.clear()
        await self._changed.wait()

    async def end(self) -> None:
        """Stop looking after it and end it, with all that belongs to it."""
        await self.leave()
        if self._instance is not None:
            stop = self.blueprint.stop
            number = signal.Signals[f"SIG{stop.signal}"]
            self.last_exit = await self._instance.stop(number=number, grace=stop.grace)
        self._become(State.STOPPED, "stopped")

    async def leave(self) -> None:
        """Stop looking after it; it goes on running."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _start(self) -> Instance:
        try:
            return await self._start_once()
        except DiskFull:
            # What an earlier life's records gave back is as much anybody's as all other room.
            if not self._make_room():
                raise
            return await self._start_once()

    async def _start_once(self) -> Instance:
        port, spec = self.blueprint.port, self._complete(self.blueprint.spec)
        if port is not None and not is_free(port, spec.network):
            raise PlatformError(
                f"port {port}, which {self.blueprint.spec.id} was given, is taken by another program"
            )
        starting = asyncio.ensure_future(self._runtime.start(spec))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # A start that is left half-way would leave processes of which nobody knows.
            with suppress(PlatformError):
                await (await starting).stop(grace=timedelta(0))
            raise

    def _become(self, state: State, text: str) -> None:
        changed = state is not self.state
        self.state = state
        self._changed.set()
        if changed:
            self._on_change(self, text)

    async def _keep(self) -> None:
        """Watch one life after the other, with growing pauses between short ones."""
        pause = FIRST_PAUSE
        while True:
            begun = asyncio.get_running_loop().time()
            text = await self._one_life()
            if asyncio.get_running_loop().time() - begun >= STEADY_AFTER.total_seconds():
                pause = FIRST_PAUSE
            self._become(State.BACKING_OFF, f"{text}; next start in {pause.total_seconds():g} s")
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                self._instance = await self._start()
            except (PlatformError, OSError) as e:
                self._instance = None
                self.last_problem = str(e)
                if passes(e):
                    pause = min(pause, LONGEST_PAUSE_WHEN_SHORT)
                continue
            finally:
                self.restarts += 1
            self._is_adopted = False
            self.memory_kills = 0
            self.since = datetime.now(UTC)
            self._become(State.STARTING, "started again")

    async def _one_life(self) -> str:
        """Return how the running instance ended, by itself or because it had to be ended."""
        if self._instance is None:
            return f"did not start: {self.last_problem}"
        ending = asyncio.create_task(self._instance.wait())
        watching = asyncio.create_task(self._watch_health())
        try:
            await asyncio.wait({ending, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                self.last_exit = await self._instance.stop(grace=self.blueprint.stop.grace)
                self.last_problem = watching.result()
            else:
                self.last_exit = ending.result()
                self.last_problem = self.last_exit.sentence()
            return self.last_problem
        finally:
            for task in (ending, watching):
                task.cancel()
            await asyncio.gather(ending, watching, return_exceptions=True)

    async def _watch_health(self) -> str:
        """Follow the health check; return why the instance must be ended, once it must."""
        health, port = self.blueprint.health, self.blueprint.port
        if health is None or (port is None and health.port is None):
            if not self._is_adopted:  # what was found running has settled
                await asyncio.sleep(SETTLES_AFTER.total_seconds())
            self._become(State.HEALTHY, "runs")
            await asyncio.Event().wait()
        assert health is not None  # noqa: S101 - for the type checker; the branch above never ends
        good = bad = 0
        pause = FAST_PROBES
        loop = asyncio.get_running_loop()
        ill_since: float | None = loop.time()
        network = self.network
        while True:
            result = await self._probe(health, network)
            if not result.is_ok:  # it may have ended: then there is none to enter any more
                network = self.network
            if not result.was_asked:  # our own trouble must not become the instance's
                await asyncio.sleep(health.interval.total_seconds())
                continue
            good, bad = (good + 1, 0) if result.is_ok else (0, bad + 1)
            if self.state is not State.HEALTHY and good >= health.healthy:
                self._become(State.HEALTHY, result.text)
            if self.state is State.HEALTHY and bad >= health.unhealthy:
                self._become(State.UNHEALTHY, result.text)
                ill_since = loop.time()
            if self.state is State.HEALTHY:
                pause, ill_since = health.interval, None
            elif ill_since and loop.time() - ill_since > 2 * health.grace.total_seconds():
                return f"was ended because it did not become well again: {result.text}"
            else:
                pause = min(pause * 1.25, health.interval)
            await asyncio.sleep(pause.total_seconds())

    async def _probe(self, health: Health, network: Path | None) -> ProbeResult:
        port = health.port or self.blueprint.port
        assert port is not None  # noqa: S101 - _watch_health does not ask without one
        result = await ask_health(health, port, self.blueprint.protocol, network)
        try:
            if result.is_ok and self.state is not State.HEALTHY and not self._owns(port):
                result = ProbeResult(
                    False, f"127.0.0.1:{port} is answered by another program, not by this instance"
                )
        except OSError as e:
            if not is_shortage(e):
                raise
            result = ProbeResult(False, f"the owner of port {port} cannot be found out: {e}", False)
        self.last_probe = result
        self._changed.set()
        return result

    def _owns(self, port: int) -> bool:
        """Tell whether the port is this instance's; a server of somebody else must not pass for it."""
        return port in self.listening_ports()
