"""Envoy as an engine: started once, never missing, replaced without losing a request.

Three things may die, and requests go on:

* The agent: Envoy and its runner are on their own and keep what they have; the next agent finds them.
* Envoy: its runner starts it again from the last configuration that was accepted, which lies on disk.
  That Envoy follows nobody, so the agent, when it lives, puts one that does in its place.
* The runner: Envoy goes on; the agent puts a new pair in its place.

Putting another in place is always the same: a second Envoy listens on the same port, and when it is
ready the first lets its clients go. Requests on kept connections never notice. A connection that is
opened in the very millisecond in which the first closes its port may be reset, unless the kernel hands
it over (``net.ipv4.tcp_migrate_req = 1``, Linux 5.14). Envoy's own hot restart has no such moment, but
ends the old one's administration, and with it the count of requests that an instance must still answer.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.shortage import DiskFull
from drystone.l10_engines.proxy.admin import Outcomes
from drystone.l10_engines.proxy.ads import EDGE, Ads
from drystone.l10_engines.proxy.configuration import Configuration
from drystone.l10_engines.proxy.edge_clusters import cluster_names
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l10_engines.proxy.generation import Generation, generations
from drystone.l10_engines.proxy.launch import Launch
from drystone.l10_engines.proxy.logs import Logs
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l10_engines.supervision.port import Engine, EngineState, EngineStatus

__all__ = ["Envoy", "ProxySettings"]

_TEND_EVERY = timedelta(seconds=10)


class Envoy(Engine):
    """The Envoys of one group on this host: one, or two while one replaces the other.

    Args:
        directory: The proxy's own; made when missing.
        ads: Serves its configuration; started by the caller.
        settings: What it is started with.
        group: Which snapshots it gets.
    """

    def __init__(
        self, directory: Path, *, ads: Ads, settings: ProxySettings, group: str = EDGE
    ) -> None:
        super().__init__(group)
        self.directory = directory
        self._settings = settings
        self._lifecycle = asyncio.Lock()
        self._publishing = asyncio.Lock()
        self._current: Generation | None = None
        self._known: dict[int, Generation] = {}
        self._retiring: dict[int, asyncio.Task[None]] = {}
        self._behind: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._accepting: set[asyncio.Task[None]] = set()
        self._configuration = Configuration(group, ads, directory, settings)
        self._launching = Launch(directory, ads.socket, settings, group)
        self._logs = Logs(settings)
        self.log = self._launching.log
        self._restarts = 0
        self._last_error = ""

    @override
    async def start(self) -> None:
        """Return when Envoy answers and has the published configuration: found, or started. Idempotent.

        Raises:
            PortTaken: Somebody else listens on the port.
            ProxyRefused: Envoy refuses the configuration.
            ProxyUnavailable: It does not start or does not answer; the message holds its last lines.
        """
        try:
            async with self._lifecycle:
                current = await self._adopt() or await self._launch()
                self._current = current
            if all(task.done() for task in self._tasks):
                watches = (self._follow(), self._tend_for_ever())
                self._tasks = [asyncio.create_task(watch) for watch in watches]
            if current.number not in self._behind:
                await self._until_accepted()
        except PlatformError as e:
            self._last_error = str(e)
            raise
        self._last_error = ""

    @override
    async def stop(self) -> None:
        """Finish requests under way and end every Envoy and runner, also of earlier agents. Idempotent."""
        await self.detach()
        async with self._lifecycle:
            for generation in self._generations():
                await generation.close(self._settings.grace)
            self._current = None
            self._known.clear()
            self._behind.clear()
            self._last_error = ""

    async def detach(self) -> None:
        """Stop watching; Envoy goes on."""
        tasks = [*self._tasks, *self._accepting, *self._retiring.values()]
        self._tasks = []
        self._retiring.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @override
    async def is_ready(self) -> bool:
        return self._current is not None and await self._current.is_live()

    @override
    async def is_responsive(self) -> bool:
        # An Envoy that has just died is started again by its runner; killing both would not be faster.
        return self._lifecycle.locked() or bool(self._behind) or await self.is_ready()

    @override
    async def wait(self) -> str:
        """Return once Envoy has ended and its runner too, so that nobody starts it again."""
        while (current := self._current) is not None:
            await current.until_something_ends()
            if current is self._current and not current.is_alive():
                return "it ended, and so did its runner"
        return "it was never started"

    @override
    def status(self) -> EngineStatus:
        current = self._current or next(reversed(self._generations()), None)
        envoy = current.envoy() if current else None
        if current is None:
            state = EngineState.FAILED if self._last_error else EngineState.STOPPED
        elif envoy is None:
            state = EngineState.FAILED
        else:
            state = EngineState.READY if self._current else EngineState.STARTING
        return EngineStatus(
            name=self.name,
            state=state,
            version=(current.version or None) if current else None,
            pid=envoy.pid if envoy else None,
            endpoint=f"127.0.0.1:{self._settings.port}" if self._settings.port else "",
            memory_limit=self._settings.memory,
            directory=str(self.directory),
            restarts=self._restarts,
            last_error=self._last_error or self._configuration.problem,
        )

    async def publish(self, snapshot: Snapshot, *, within: timedelta | None = None) -> int:
        """Give the proxy a configuration and return when every request is served by it.

        Before :meth:`start`, it is only kept for Envoy to fetch. A configuration that is refused is
        taken back: Envoy and the agent go on with the last that was accepted. An optional listener
        that is refused, such as one whose port another program has, is left out: see ``refused``.

        Args:
            snapshot: All of it.
            within: How long Envoy may take; the patience of the settings when None.

        Returns:
            Its version.

        Raises:
            InvalidProxyConfig: It does not fit Envoy's types, or Envoy refuses it (``ProxyRefused``).
            ProxyUnavailable: Envoy did not take it in time; it gets it as soon as it can.
        """
        async with self._publishing:
            version = await self._configuration.offer(snapshot)
            if self._current is not None:
                await self._accept(within or self._settings.patience)
            return version

    async def require_kept(self) -> None:
        """See :meth:`Configuration.require_kept`."""
        await self._configuration.require_kept()

    @property
    def refused(self) -> dict[str, str]:
        """Optional listeners that Envoy does not open, and why; tried again when their ports are free."""
        return self._configuration.refused

    async def replace(self) -> None:
        """Put a new Envoy in the place of the one that runs, and return when the old one has ended.

        For an upgrade of Envoy or of its bootstrap. Requests under way are finished; a stream that
        outlives ``linger`` is cut.

        Raises:
            ProxyUnavailable: The new one does not become ready; the old one stays.
            ProxyRefused: The new one refuses the configuration; the old one stays.
        """
        tasks = await self._put_another()
        if tasks:  # who waits for their end must not prevent it by being cancelled
            await asyncio.wait(tasks)

    async def _put_another(self) -> list[asyncio.Task[None]]:
        """Put a new Envoy in the place of the others; return what lets their clients go and ends them."""
        async with self._lifecycle:
            old = self._generations()
            new = await self._launch(beside=True)
            try:
                await self._configuration.until_taken_by(new, self._settings.patience)
            except PlatformError:
                await new.end()
                raise
            self._current = new
            return [self._retire(generation) for generation in old]

    async def active_requests(self, service: str, *ports: int, address: str = "127.0.0.1") -> int:
        """Return how many requests and streams are under way to some instances of a service.

        All Envoys that still serve are asked. The instances must be in the published configuration,
        perhaps with weight 0; one that is not has no requests that could be counted.

        Raises:
            ProxyUnavailable: An Envoy does not answer.
        """
        generations_now = self._generations()
        names = cluster_names(service)
        return sum([await g.requests_at(names, address, ports) for g in generations_now])

    async def outcomes(self, cluster: str) -> dict[tuple[str, int], Outcomes]:
        """Return what the Envoy that serves has counted at each host of a cluster, by address and port.

        An Envoy that takes its place counts from zero.

        Raises:
            ProxyUnavailable: It does not answer, or there is none.
        """
        return await self._serving().admin.outcomes_at(cluster)

    async def statistics(self, pattern: str) -> bytes:
        """Return what the Envoy that serves has counted: see :meth:`~drystone.l10_engines.proxy.admin.Admin.statistics`.

        Raises:
            ProxyUnavailable: None runs, or it does not answer.
        """
        return await self._serving().admin.statistics(pattern)

    def _serving(self) -> Generation:
        if self._current is None:
            raise ProxyUnavailable(f"no Envoy of {self.name} serves now; `drystone up` starts it")
        return self._current

    def restarts_since(self, moment: datetime) -> int:
        """Return how often runners started an Envoy again after a moment, whoever looked after them."""
        every = [when for generation in self._generations() for when in generation.restarts()]
        return sum(when > moment for when in every)

    def memory(self) -> int:
        """Return what all Envoys take together, in bytes."""
        return sum(generation.memory() for generation in self._generations())

    def _generations(self) -> list[Generation]:
        """Return those that have a folder, oldest first, each always as the same object."""
        found = generations(self.directory)
        self._known = {g.number: self._known.get(g.number, g) for g in found}
        return list(self._known.values())

    async def _adopt(self) -> Generation | None:
        """Return the newest Envoy that runs and answers; retire or end the others."""
        chosen: Generation | None = None
        for generation in reversed(self._generations()):
            if chosen is None and await self._is_usable(generation):
                chosen = generation
            elif chosen is not None and generation.envoy() is not None:
                _ = self._retire(generation)
            else:
                await generation.end()
                self._behind.discard(generation.number)
        if chosen is not None and (
            not await chosen.follows_agent()
            or chosen.runner() is None
            or self._launching.is_outdated(chosen)
        ):
            self._behind.add(chosen.number)
        return chosen

    async def _is_usable(self, generation: Generation) -> bool:
        if not generation.is_alive() or generation.is_leaving():
            return False
        return await generation.until_live(self._settings.patience)

    async def _launch(self, *, beside: bool = False) -> Generation:
        """Start a new generation and return when it is ready.

        Args:
            beside: One of ours listens on the port already.
        """
        if not beside:
            self._launching.require_port()
            await self._configuration.offer_nothing()
        number = max((g.number for g in self._generations()), default=0) + 1
        generation = self._known[number] = Generation(self.directory, number)
        await self._launching.start(generation)
        return generation

    def _retire(self, generation: Generation) -> asyncio.Task[None]:
        number = generation.number

        async def retire() -> None:
            try:
                await generation.retire(self._settings.linger)
                self._behind.discard(number)
            finally:
                self._retiring.pop(number, None)

        if number not in self._retiring:
            name = f"retire {generation.place}"
            self._retiring[number] = asyncio.create_task(retire(), name=name)
        return self._retiring[number]

    async def _until_accepted(self) -> None:
        async with self._publishing:
            await self._accept(self._settings.patience)

    async def _accept(self, within: timedelta) -> None:
        """Wait until what was offered is accepted and no Envoy serves by anything else."""
        if self._configuration.version is not None:
            await self._configuration.until_accepted(within)
            await self._until_none_is_behind(within)

    async def _until_none_is_behind(self, within: timedelta) -> None:
        """Wait until no Envoy serves requests by a configuration that it cannot get updates for."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                while self._behind:  # noqa: ASYNC110 - ends by what other processes do
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise ProxyUnavailable(
                "an Envoy that was started again after a crash still serves requests by its last"
                f" configuration after {within.total_seconds():g} s; see {self.log}"
            ) from None

    async def _follow(self) -> None:
        """Put a new Envoy in the place of one that follows nobody, has no runner or is outdated."""
        while (current := self._current) is not None:
            if current.number in self._behind:
                try:
                    await self._put_another()
                    self._last_error = ""
                    # Not waited for: who sees to it that an Envoy is led cannot wait for one that is.
                    accepting = asyncio.create_task(self._accept_again(), name="accept again")
                    self._accepting.add(accepting)
                    accepting.add_done_callback(self._accepting.discard)
                except (PlatformError, OSError) as e:
                    self._last_error = str(e)
                    await asyncio.sleep(1)
                continue
            parts = current.parts()
            if await self._is_led(current):
                # It may have died since: then its runner's next one is not among these.
                await current.until_something_ends(parts)
            if current is not self._current:
                continue
            self._behind.add(current.number)
            self._restarts += 1
            await current.until_live(self._settings.patience)

    async def _accept_again(self) -> None:
        """Keep what was offered and could not be accepted while no Envoy followed."""
        try:
            await self._until_accepted()
        except PlatformError as e:
            self._last_error = str(e)

    async def _is_led(self, generation: Generation) -> bool:
        """Tell whether its Envoy follows the agent, as far as it says."""
        try:
            return await generation.follows_agent()
        except ProxyUnavailable:  # it has just died, which its end tells, or it hangs
            return True

    async def _tend_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_TEND_EVERY.total_seconds())
            with suppress(OSError, DiskFull):  # a full disk must not end the watch over it
                await self.tend()

    async def tend(self) -> None:
        """Bound the logs, and open listeners that were refused and can be opened now.

        This happens by itself while an agent lives.
        """
        await self._logs.bound([generation.admin for generation in self._generations()])
        await self.require_kept()
        if wanted := self._configuration.to_try_again():
            with suppress(PlatformError):  # it is tried again
                await self.publish(wanted)
