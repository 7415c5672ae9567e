"""The configuration that Envoy accepted last, on disk for one that has to start again by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.shortage import DiskFull, needs_room
from drystone.l10_engines.proxy.bootstrap import static_bootstrap
from drystone.l10_engines.proxy.generation import LAST_GOOD, LEAST_GOOD
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import Snapshot


class LastGood:
    """Keeps what was accepted, with and without the listeners that Envoy can do without.

    Args:
        directory: The proxy's own.
        settings: What Envoy is started with.
    """

    def __init__(self, directory: Path, settings: ProxySettings) -> None:
        self._directory = directory
        self._settings = settings
        self._owed: Snapshot | None = None
        self.problem = ""
        """Why the disk does not have it, for people; empty when it has."""

    def check(self, snapshot: Snapshot) -> None:
        """Refuse what could not be kept.

        Raises:
            InvalidProxyConfig: It has no static form.
        """
        static_bootstrap(snapshot, self._settings)

    def accept(self, snapshot: Snapshot) -> None:
        """Take note of what :meth:`keep` is to write."""
        self._owed = snapshot

    async def keep(self) -> None:
        """Return when what was accepted lies on disk.

        Before that, nothing may go that an older configuration leads to.

        Raises:
            DiskFull: There is no room for it; the next call tries again.
        """
        if (snapshot := self._owed) is None:
            return
        # Where every listener is needed, a second file would say the same; the runner does without.
        least = self._packed(snapshot.without(snapshot.optional)) if snapshot.optional else None
        content = self._packed(snapshot)
        try:
            await asyncio.to_thread(self._write, content, least)
        except DiskFull as e:
            self.problem = f"its configuration is not on disk yet: {e}"
            raise
        if self._owed is snapshot:
            self._owed, self.problem = None, ""

    def _packed(self, snapshot: Snapshot) -> bytes:
        return msgspec.json.encode(static_bootstrap(snapshot, self._settings))

    def _write(self, content: bytes, least: bytes | None) -> None:
        if least is None:
            with needs_room(self._directory):  # on a read-only disk nothing can be removed either
                (self._directory / LEAST_GOOD).unlink(missing_ok=True)
        else:
            write_atomically(self._directory / LEAST_GOOD, least)
        write_atomically(self._directory / LAST_GOOD, content)
