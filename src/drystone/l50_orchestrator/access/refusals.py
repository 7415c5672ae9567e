"""What was refused, in the audit log, and no more of it than a disk bears.

In ten minutes each actor has ten refusals written in full and all actors together a hundred; those beyond are counted, and one entry
says how many when the ten minutes are over. So a flood that never ends writes about 14,500 entries a day, some 10 MB, whatever its
rate.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.ports import Log
from drystone.l00_kernel.visible import visible
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.access import store
from drystone.l50_orchestrator.ports import Actor, Book

WINDOW = timedelta(minutes=10)
OF_ONE = 10
OF_ALL = 100

PATIENCE = "1s"
"""How long the end of the log is waited for. Somebody may ask in the middle of a transaction that holds it, and would wait for itself."""

_PLATFORM = Actor("platform", "platform")
_LONGEST = 200


class Bound:
    """Counts refusals of one span of time after the other.

    Args:
        of_one: How many of one actor are written in a span.
        of_all: How many of all together.
    """

    def __init__(self, of_one: int = OF_ONE, of_all: int = OF_ALL) -> None:
        self._of_one = of_one
        self._of_all = of_all
        self._since: timedelta | None = None
        self._written: dict[str, int] = {}
        self._beyond = 0

    def admit(self, actor: str, now: timedelta) -> bool:
        """Tell whether a refusal is written. :meth:`over` is asked first."""
        if self._since is None:
            self._since = now
        written = self._written.get(actor, 0)
        # No more actors are remembered than have an entry, so that a flood of names takes no memory either.
        if written >= self._of_one or sum(self._written.values()) >= self._of_all:
            self._beyond += 1
            return False
        self._written[actor] = written + 1
        return True

    def over(self, now: timedelta) -> int:
        """Begin a new span when the last one is over; how many were not written in that one."""
        if self._since is None or now - self._since < WINDOW:
            return 0
        beyond, self._beyond, self._since = self._beyond, 0, None
        self._written.clear()
        return beyond

    def missed(self, count: int = 1) -> None:
        """Count what was to be written and could not be."""
        self._beyond += count


class Refusals:
    """Writes what was refused, each in a transaction of its own.

    Args:
        database: Where the log is.
        book: The log.
        clock: For the bound.
        log: Hears when the log cannot be written.
    """

    def __init__(self, database: Database, *, book: Book, clock: Clock, log: Log) -> None:
        self._database = database
        self._book = book
        self._clock = clock
        self._log = log
        self._bound = Bound()
        self._task: asyncio.Task[None] | None = None

    async def tell(self, actor: Actor, action: str, subject: str, why: str) -> None:
        """Write a refusal down, or count it. Never raises: what was refused stays refused.

        Args:
            actor: Who was refused.
            action: What it wanted, a word.
            subject: To what.
            why: Why not.
        """
        now = self._clock.monotonic()
        await self._sum_up(self._bound.over(now))
        if self._bound.admit(actor.name, now):
            name = visible(actor.name[:_LONGEST])
            told = msgspec.structs.replace(actor, name=name)
            if not await self._write(told, "access.refused", subject, wanted=action, why=why):
                self._bound.missed()
        elif self._task is None or self._task.done():
            self._task = asyncio.create_task(self._later())

    async def close(self) -> None:
        """Write how many were only counted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._sum_up(self._bound.over(self._clock.monotonic() + WINDOW))

    async def _later(self) -> None:
        await self._clock.sleep(WINDOW)
        await self._sum_up(self._bound.over(self._clock.monotonic()))

    async def _sum_up(self, beyond: int) -> None:
        if beyond and not await self._write(
            _PLATFORM, "access.refused-more", "audit/log", count=beyond
        ):
            self._bound.missed(beyond)

    async def _write(self, actor: Actor, action: str, subject: str, **fields: str | int) -> bool:
        try:
            async with self._database.session() as session, session.transaction():
                await session.fetch(store.WAIT, patience=PATIENCE)
                await self._book.note(session, actor, action, subject, **fields)
        except PlatformError as e:
            self._log.error("a refusal is not in the audit log", error=e, actor=actor.name)
            return False
        return True
