"""Whether the database is an older copy than what the home remembers of it.

Who was refused since, who has left and which tokens were revoked is unknown to a database of yesterday. So nobody but the owner of the
home is let in before an administrator has said that it is to be so.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from drystone.l00_kernel.clock import Clock
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.audit import domain, store
from drystone.l50_orchestrator.audit.api import Problem
from drystone.l50_orchestrator.audit.domain import Head
from drystone.l50_orchestrator.audit.errors import DatabaseIsOlder
from drystone.l50_orchestrator.audit.heads import Heads

FRESH = timedelta(seconds=1)
"""How long what was seen is believed."""


class Past:
    """Compares the database with the heads of the audit log.

    Args:
        database: With the tables of the audit log.
        heads: Kept outside of the database.
        clock: The time.
    """

    def __init__(self, database: Database, heads: Heads, clock: Clock) -> None:
        self._database = database
        self._heads = heads
        self._clock = clock
        self._seen: tuple[timedelta, str] | None = None
        self._read: tuple[tuple[int, int, int], Head | None] | None = None
        self._looking = asyncio.Lock()

    async def require_present(self) -> None:
        """Go on only where the database is as new as what the home remembers of it.

        Raises:
            DatabaseIsOlder: It is not, and nobody has accepted that yet.
            HeadsUnreadable: The heads kept outside are not what they must be.
            DatabaseUnavailable: The server cannot do it now.
        """
        async with self._looking:
            now = self._clock.monotonic()
            if self._seen is None or now - self._seen[0] >= FRESH:
                problem = await turned(self._database, await self._last())
                self._seen = (now, "" if problem is None else problem.text)
            text = self._seen[1]
        if text:
            raise DatabaseIsOlder(
                f"{text}. Until the owner of the home has looked at it and accepted it (`drystone audit accept-restored --reason …`),"
                " nobody else is let in"
            )

    async def _last(self) -> Head | None:
        """Return the last head that holds; the file is read again when it has changed, for it has a line for each five minutes."""
        sign = self._heads.sign()
        if self._read is None or self._read[0] != sign:
            held = domain.standing(await asyncio.to_thread(self._heads.read))
            self._read = (sign, held[max(held)] if held else None)
        return self._read[1]

    def forget(self) -> None:
        """Look anew the next time."""
        self._seen = None


async def turned(database: Database, last: Head | None) -> Problem | None:
    """Tell what is wrong when the database is not the one whose head was written down last.

    Args:
        database: With the tables of the audit log.
        last: The last head that holds; None where none does.
    """
    if last is None or await store.hash_of(database, last.number) == last.hash:
        return None
    number, _ = await store.head(database)
    if number < last.number:
        return Problem(
            "cut",
            number + 1,
            f"the log ends with entry {number}, and had {last.number} already: its end was cut off, or the database was restored"
            " from an older copy",
        )
    return Problem(
        "rewritten",
        last.number,
        f"entry {last.number} is not the one that was written down: the log was rewritten, or the database was restored from an"
        " older copy and went on",
    )
