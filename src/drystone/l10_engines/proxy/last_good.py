"""The configuration that Envoy accepted last, on disk for one that has to start again by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.shortage import DiskFull, needs_room
from drystone.l10_engines.proxy.generation import LAST_GOOD, LEAST_GOOD
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l10_engines.proxy.static_form import StaticForm


class LastGood:
    """Keeps what was accepted, with and without the listeners that Envoy can do without.

    Args:
        directory: The proxy's own.
        settings: What Envoy is started with.
    """

    def __init__(self, directory: Path, settings: ProxySettings) -> None:
        self._directory = directory
        self._owed: Snapshot | None = None
        self._form = StaticForm(settings)
        self._writing = asyncio.Lock()
        self.problem = ""
        """Why the disk does not have it, for people; empty when it has."""

    def accept(self, snapshot: Snapshot) -> None:
        """Take note of what :meth:`keep` is to write."""
        self._owed = snapshot

    async def keep(self) -> None:
        """Return when what was accepted lies on disk.

        Before that, nothing may go that an older configuration leads to.

        Raises:
            DiskFull: There is no room for it; the next call tries again.
        """
        async with self._writing:  # else an older one could come to lie over a newer one
            if (snapshot := self._owed) is None:
                return
            # Where every listener is needed, a second file would say the same; the runner does without.
            content, least = self._form.take(snapshot)
            writing = asyncio.ensure_future(asyncio.to_thread(self._write, content, least))
            try:
                await asyncio.shield(writing)
            except DiskFull as e:
                self.problem = f"its configuration is not on disk yet: {e}"
                raise
            except asyncio.CancelledError:
                await asyncio.wait(
                    (writing,)
                )  # a thread cannot be called back, and the next one must not meet it
                raise
            if self._owed is snapshot:
                self._owed, self.problem = None, ""

    def _write(self, content: list[bytes], least: list[bytes] | None) -> None:
        if least is None:
            with needs_room(self._directory):  # on a read-only disk nothing can be removed either
                (self._directory / LEAST_GOOD).unlink(missing_ok=True)
        else:
            write_atomically(self._directory / LEAST_GOOD, least)
        write_atomically(self._directory / LAST_GOOD, content)
