"""The configuration of a group of Envoys: offered, accepted or taken back, and kept for one that starts alone."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.shortage import DiskFull
from drystone.l10_engines.proxy.errors import ProxyRefused, ProxyUnavailable
from drystone.l10_engines.proxy.last_good import LastGood
from drystone.l10_engines.proxy.refusals import can_open, refused_listeners
from drystone.l10_engines.proxy.snapshot import Snapshot

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from drystone.l10_engines.proxy.ads import Ads
    from drystone.l10_engines.proxy.generation import Generation
    from drystone.l10_engines.proxy.settings import ProxySettings

ACCEPTED = FaultPoint("proxy.configuration.accepted", "Envoy has a configuration that is not kept")


class Configuration:
    """What the Envoys of one group are to do, and what they have agreed to.

    One offer at a time: the caller sees to it.

    Args:
        group: Which snapshots they get.
        ads: Serves them.
        directory: The proxy's own.
        settings: What Envoy is started with.
    """

    def __init__(self, group: str, ads: Ads, directory: Path, settings: ProxySettings) -> None:
        self._group = group
        self._ads = ads
        self._last_good = LastGood(directory, settings)
        self._wanted: Snapshot | None = None
        self._offered: tuple[Snapshot, int] | None = None
        self._accepted: Snapshot | None = None
        self.refused: dict[str, str] = {}
        """Optional listeners that Envoy does not open, and why."""

    @property
    def version(self) -> int | None:
        """The version that is offered; None before the first offer."""
        return self._offered[1] if self._offered else None

    @property
    def problem(self) -> str:
        """Why the disk does not have what was accepted, for people; empty when it has."""
        return self._last_good.problem

    async def offer(self, snapshot: Snapshot) -> int:
        """Have Envoy fetch a configuration, and return its version; the one that it has is not offered again.

        Raises:
            InvalidProxyConfig: It does not fit Envoy's types, or lacks what it names.
        """
        if self._offered is None or self._offered[0] != snapshot:
            await self._publish(snapshot)
        self._wanted, self.refused = snapshot, {}
        assert self._offered is not None  # noqa: S101 - for the type checker; it was just published
        return self._offered[1]

    async def offer_nothing(self) -> None:
        """Have Envoy fetch an empty configuration before the first offer, else it waits for one."""
        if self._offered is None:
            await self._ads.publish(Snapshot(), group=self._group)

    async def _publish(self, snapshot: Snapshot) -> int:
        version = await self._ads.publish(snapshot, group=self._group)
        self._offered = (snapshot, version)
        return version

    async def until_accepted(self, within: timedelta) -> None:
        """Wait until Envoy has what was offered, then keep that as the last good configuration.

        Optional listeners that it refuses are left out. Anything else that it refuses is taken back: it goes on
        with what it accepted last.

        Raises:
            ProxyRefused: Envoy refuses it.
            ProxyUnavailable: Envoy did not take it in time.
        """
        if self._offered is None:
            return
        snapshot, version = self._offered
        try:
            await self._ads.applied(version, within, group=self._group)
        except ProxyRefused:
            refused = refused_listeners(snapshot, self._ads.connected(self._group))
            if not refused:
                await self._take_back(within)
                raise
            self.refused |= refused
            await self._publish(snapshot.without(refused))
            await self.until_accepted(within)
            return
        ACCEPTED.reach()
        if self._accepted is not snapshot:
            self._accepted = snapshot
            self._last_good.accept(snapshot)
        with suppress(DiskFull):  # requests do not wait for it; see require_kept()
            await self.require_kept()

    async def until_taken_by(self, new: Generation, within: timedelta) -> None:
        """Wait until a new Envoy has what was offered; nothing to wait for before the first offer.

        Raises:
            ProxyRefused: It refuses it.
            ProxyUnavailable: It does not take it in time, or ends.
        """
        if self.version is None:
            return
        parts = new.parts()
        applied = asyncio.ensure_future(self._ads.applied(self.version, within, group=self._group))
        ended = asyncio.ensure_future(new.until_something_ends(parts))
        try:
            await asyncio.wait((applied, ended), return_when=asyncio.FIRST_COMPLETED)
            if not applied.done():
                raise ProxyUnavailable("the new Envoy ended before it could take over")
            await applied
        finally:
            applied.cancel()
            ended.cancel()
            await asyncio.gather(applied, ended, return_exceptions=True)

    async def require_kept(self) -> None:
        """Return when the accepted configuration lies on disk, for an Envoy that has to start again by itself.

        Before that, nothing may go that an older configuration leads to.

        Raises:
            DiskFull: There is no room for it; it is tried again from time to time.
        """
        await self._last_good.keep()

    async def _take_back(self, within: timedelta) -> None:
        """Return to the last accepted configuration: Envoy keeps the sound parts of a refused one."""
        if self._accepted is not None:
            version = await self._publish(self._accepted)
            with suppress(ProxyUnavailable):
                await self._ads.applied(version, within, group=self._group)

    def to_try_again(self) -> Snapshot | None:
        """Return what is wanted, if a listener of it was refused that can be opened now."""
        wanted = self._wanted
        return wanted if wanted is not None and can_open(wanted, self.refused) else None
