"""Tells in the history of each service what became of the engines and the disks that it lives on.

A service whose database was away has done nothing wrong, and who asks later why it answered badly reads its history.
Each trouble is told once when it begins and once when it is over, however often an engine tries to start meanwhile.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l10_engines.supervision.supervisor import EventKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drystone.l00_kernel.shortage import Room
    from drystone.l10_engines.supervision.supervisor import EngineEvent
    from drystone.l25_deployer.local.services import Services

QUIET = timedelta(minutes=10)
"""A disk that is full again within this time is not told anew: it may be on the verge for hours."""


class News:
    """Listens to engines and disks.

    Args:
        services: In whose histories it is told.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._away: dict[str, timedelta] = {}
        """Engines in trouble, and by the monotonic clock since when."""
        self._explained: set[str] = set()
        """Those of them of which it was told why they do not come back."""
        self._full: dict[str, timedelta] = {}
        """Disks that are full, by their mounts, and since when."""
        self._eased: dict[str, timedelta] = {}
        """When those that were full had room again."""

    def of_engine(self, event: EngineEvent) -> None:
        """Tell those who use an engine that it went away, why it does not come back, and that it did."""
        name, now = event.engine, self._services.machine.clock.monotonic()
        match event.kind:
            case EventKind.ENDED | EventKind.HUNG:
                if name not in self._away:
                    self._tell(name, "engine", f"{name}: {event.detail}")
                    self._away[name] = now
            case EventKind.FAILED:
                if name in self._away and name not in self._explained:
                    self._tell(name, "engine", event.detail.partition("\n")[0])
                    self._explained.add(name)
            case EventKind.READY:
                self._explained.discard(name)
                since = self._away.pop(name, None)
                if since is not None:
                    seconds = (now - since).total_seconds()
                    self._tell(name, "engine", f"{name} answers again after {seconds:.1f} s")
            case EventKind.STOPPED:
                self._away.pop(name, None)
                self._explained.discard(name)

    def of_disks(self, full: Sequence[Room]) -> None:
        """Tell everybody that a disk has become full, and that it has room again.

        Args:
            full: Those that are full now.
        """
        now = self._services.machine.clock.monotonic()
        mounts = {str(room.mount): room for room in full}
        for mount in mounts.keys() - self._full.keys():
            if mount in self._eased and now - self._eased[mount] < QUIET:
                continue
            self._full[mount] = now
            self._tell(None, "disk full", mounts[mount].sentence())
        for mount in self._full.keys() - mounts.keys():
            seconds = (now - self._full.pop(mount)).total_seconds()
            self._eased[mount] = now
            self._tell(None, "disk has room", f"file system {mount}, after {seconds:.1f} s")

    def _tell(self, engine: str | None, event: str, text: str) -> None:
        """Write into the history of those who use an engine, or of all that serve."""
        for kept in self._services.all():
            used = kept.machine.provisioner.engines(kept.record)
            if engine in used or (engine is None and kept.active is not None):
                kept.write_history(event, text)
