"""The Envoys that services have of their own: started before anything leads to them, and ended when nothing does any more.

Each is an engine like any other: a runner starts it again when it dies, from the last configuration that it accepted, the
next agent takes it over, and a supervisor keeps it. What one of them does not take is the matter of its service alone: the
others and the edge go on.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.proxy.envoy import Envoy
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l10_engines.proxy.generation import DRAIN

if TYPE_CHECKING:
    from drystone.l00_kernel.ports import Log
    from drystone.l10_engines.proxy.ads import Ads
    from drystone.l10_engines.proxy.settings import ProxySettings
    from drystone.l10_engines.proxy.snapshot import Snapshot
    from drystone.l10_engines.supervision.supervisor import Supervisor

AT_ONCE = 4
"""How many start at the same time."""

PATIENCE = timedelta(seconds=30)
"""How long an Envoy may take to start, or to take a configuration."""

SHORT_PATIENCE = timedelta(seconds=1)
"""The same for one that has not taken this very configuration before: others wait for their turn."""


class Fleet:
    """One Envoy for each service that has one of its own.

    Args:
        folder: With one folder for each.
        ads: Serves their configurations.
        supervisor: Keeps them.
        settings: What each is started with.
        log: Where to say what one of them does not do.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ads: Ads,
        supervisor: Supervisor,
        settings: ProxySettings,
        log: Log,
    ) -> None:
        self._folder = folder
        self._ads = ads
        self._supervisor = supervisor
        self._settings = settings
        self._log = log
        self._envoys: dict[str, Envoy] = {}
        self._led: dict[str, Snapshot] = {}
        self._offered: dict[str, Snapshot] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._lingering: dict[str, asyncio.Task[None]] = {}
        self._has_swept = False
        self.failed: dict[str, PlatformError] = {}
        """Why an Envoy does not do what it should, by service."""

    @property
    def envoys(self) -> Mapping[str, Envoy]:
        """Those that there are, by service."""
        return self._envoys

    async def lead(self, wanted: Mapping[str, Snapshot]) -> None:
        """Return when the Envoys of some services do what they should, or :attr:`failed` says why not.

        One that does not run is started.

        Args:
            wanted: Their configurations by service; others stay as they are.
        """
        self._stay(wanted)
        turn = asyncio.Semaphore(AT_ONCE)

        async def lead(service: str, snapshot: Snapshot) -> None:
            async with turn:
                await self._lead(service, snapshot)

        due = {s: of for s, of in wanted.items() if self._led.get(s) != of}
        await asyncio.gather(*(lead(*one) for one in due.items()))

    async def _lead(self, service: str, snapshot: Snapshot) -> None:
        is_again = service in self.failed and self._offered.get(service) == snapshot
        patience = SHORT_PATIENCE if is_again else PATIENCE
        self._led.pop(service, None)
        try:
            envoy = await self._envoy(service)
            self._offered[service] = snapshot
            async with asyncio.timeout(patience.total_seconds()):
                await envoy.publish(snapshot)
                await self._supervisor.ensure(envoy.name)
        except TimeoutError:
            late = f"its sidecar is not ready after {patience.total_seconds():g} s"
            self._note_failure(service, ProxyUnavailable(late))
        except PlatformError as e:
            self._note_failure(service, e)
        else:
            self._led[service] = snapshot
            self.failed.pop(service, None)

    def _note_failure(self, service: str, why: PlatformError) -> None:
        if str(self.failed.get(service)) != str(why):
            self._log.warning("a sidecar does not follow", service=service, reason=str(why))
        self.failed[service] = why

    async def _envoy(self, service: str) -> Envoy:
        """Return the Envoy of a service, which may not run yet."""
        if ending := self._ending.get(service):
            await asyncio.wait((ending,))
        if service not in self._envoys:
            self._envoys[service] = self._make(service)
        return self._envoys[service]

    def _make(self, service: str) -> Envoy:
        made = Envoy(
            self._folder / service,
            ads=self._ads,
            settings=self._settings,
            group=f"sidecar {service}",
        )
        self._supervisor.add(made)
        return made

    def end_others(self, services: Collection[str]) -> None:
        """End the Envoys of all services but some in a moment; also those that an earlier agent has left."""
        if not self._has_swept:
            self._has_swept = True
            left = (place.name for place in self._folder.glob("*") if place.is_dir())
            for service in set(left) - set(services) - self._envoys.keys():
                self._envoys[service] = self._make(service)
                _ = self._begin_to_end(service)  # nobody of this life was led there
        for service in self.failed.keys() - set(services):
            del self.failed[service]  # nobody waits for it any more
        known = self._lingering.keys() | self._ending.keys()
        for service in self._envoys.keys() - set(services) - known:
            lingering = asyncio.create_task(self._linger(service), name=f"linger {service}")
            self._lingering[service] = lingering

    async def _linger(self, service: str) -> None:
        """Let what is on its way arrive, then end the Envoy of a service: who leads there says that it is done a moment early."""
        await asyncio.sleep(DRAIN.total_seconds())
        self._lingering.pop(service, None)
        await asyncio.shield(self._begin_to_end(service))

    def _stay(self, services: Iterable[str]) -> None:
        """End the Envoys of some services not because of what was wanted before."""
        for service in services:
            if lingering := self._lingering.pop(service, None):
                lingering.cancel()

    def _begin_to_end(self, service: str) -> asyncio.Task[None]:
        if service not in self._ending:
            ending = asyncio.create_task(self._end(service), name=f"end sidecar {service}")
            ending.add_done_callback(lambda _: self._ending.pop(service, None))
            self._ending[service] = ending
        return self._ending[service]

    async def end(self, service: str) -> None:
        """End the Envoy of a service, if it has one, and remove its files."""
        self._stay((service,))
        if service in self._envoys:
            await asyncio.wait((self._begin_to_end(service),))

    async def _end(self, service: str) -> None:
        for known in (self._led, self._offered, self.failed):
            known.pop(service, None)
        envoy = self._envoys[service]
        try:
            await self._supervisor.remove(envoy.name)
            await asyncio.to_thread(shutil.rmtree, envoy.directory, ignore_errors=True)
        except (OSError, PlatformError) as e:  # the next agent does it
            self._log.warning("a sidecar is left", service=service, reason=str(e))
        self._ads.forget(envoy.name)
        self._envoys.pop(service, None)

    async def require_kept(self) -> None:
        """Return when what each of them has accepted lies on disk.

        Raises:
            DiskFull: There is no room for it.
        """
        for envoy in self._envoys.values():
            await envoy.require_kept()

    async def stop(self) -> None:
        """End all of them; their files stay."""
        await self._finish_ending()
        stopping = [self._supervisor.remove(envoy.name) for envoy in self._envoys.values()]
        self._envoys.clear()
        self._led.clear()
        await asyncio.gather(*stopping)

    async def leave(self) -> None:
        """Stop looking after them; they go on."""
        await self._finish_ending(at_once=True)
        for envoy in self._envoys.values():
            await envoy.detach()

    async def _finish_ending(self, *, at_once: bool = False) -> None:
        self._stay(tuple(self._lingering))
        ending = tuple(self._ending.values())
        for one in ending if at_once else ():
            one.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
