"""What happens to a release, written down in small batches, so that a stream of progress costs few statements."""

from __future__ import annotations

import time
from datetime import timedelta

from drystone.l10_engines.postgres.database import Database
from drystone.l25_deployer.api import Progress
from drystone.l50_orchestrator.releases import store


class Telling:
    """Events of one release.

    Args:
        database: Where they go.
        release: Its id.
    """

    def __init__(self, database: Database, release: str) -> None:
        self._database = database
        self._release = release
        self._waiting: list[tuple[float, str, str, str]] = []

    def add(self, step: str, state: str, text: str) -> None:
        """Remember an event; :meth:`flush` writes it."""
        self._waiting.append((time.monotonic(), step, state, text))

    def progress(self, one: Progress) -> None:
        """Remember what a target told."""
        self.add(one.step, one.state, one.text)

    async def say(self, step: str, state: str, text: str) -> None:
        """Write an event at once."""
        self.add(step, state, text)
        await self.flush()

    async def flush(self) -> None:
        """Write what waits.

        Raises:
            DatabaseUnavailable: It waits on.
        """
        if not self._waiting:
            return
        now, waiting = time.monotonic(), list(self._waiting)
        events = [(timedelta(seconds=now - at), *rest) for at, *rest in waiting]
        async with self._database.session() as session:
            await store.note_events(session, self._release, events)  # type: ignore[arg-type]
        del self._waiting[: len(waiting)]
