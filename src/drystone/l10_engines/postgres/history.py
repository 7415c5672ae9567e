"""The history of a server, for an agent that need not load the client of PostgreSQL for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l10_engines.postgres import configuration
from drystone.l10_engines.postgres.server import Postgres

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.dumps import Dumped
    from drystone.l10_engines.postgres.rewinding import Rewinder


class PointInTime:
    """Keeps what is needed to go back to any moment, and goes back.

    Args:
        server: The server in use.
        root: Folder for copies of it and its log; closed to others.
    """

    def __init__(self, server: Postgres, root: Path) -> None:
        self._server = server
        self._root = root
        self._made: Rewinder | None = None

    async def keep(self, *, every: timedelta, keep: timedelta, now: datetime) -> None:
        """Take over what the server has written since; see :meth:`~drystone.l10_engines.postgres.rewinding.Rewinder.keep`."""
        await self._rewinder().keep(every=every, keep=keep, now=now)

    def stop(self) -> None:
        """Keep no more log; what is there stays."""
        self._mark().unlink(missing_ok=True)

    @property
    def is_kept(self) -> bool:
        """Whether the log is handed over."""
        return self._mark().exists()

    async def rewind(self, name: str, at: datetime, file: Path) -> Dumped:
        """Copy a database as it was at a moment; see :meth:`~drystone.l10_engines.postgres.rewinding.Rewinder.rewind`."""
        return await self._rewinder().rewind(name, at, file)

    def _mark(self) -> Path:
        return self._server.directory / configuration.ARCHIVE / configuration.WANTED

    def _rewinder(self) -> Rewinder:
        from drystone.l10_engines.postgres.rewinding import Rewinder  # noqa: PLC0415

        if self._made is None:
            self._made = Rewinder(self._server, self._root)
        return self._made
