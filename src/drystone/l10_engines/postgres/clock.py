"""The time of a database, for those who must agree on it with what the database writes down.

A process whose own clock is wrong, or is set while it runs, would take an expired token for a good one, or the other way round. So
the moment is asked of the server now and then, and counted on by the monotonic clock, which nobody can set.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from typing_extensions import override

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.ports import Log
from drystone.l10_engines.postgres.database import Database

EVERY = timedelta(seconds=30)
"""How long it takes until the server is asked again."""

APART = timedelta(seconds=2)
"""So far apart the two clocks may be without anybody hearing of it."""

NOW = "SELECT clock_timestamp()"


class DatabaseClock(Clock):
    """A clock that goes by the server.

    Args:
        database: Whose time.
        machine: Counts between two looks; its own moment is believed until the first one.
    """

    def __init__(self, database: Database, machine: Clock) -> None:
        self._database = database
        self._machine = machine
        self._seen: tuple[timedelta, datetime] | None = None

    @override
    def now(self) -> datetime:
        if self._seen is None:
            return self._machine.now()
        since, moment = self._seen
        return moment + (self._machine.monotonic() - since)

    @override
    def monotonic(self) -> timedelta:
        return self._machine.monotonic()

    @override
    async def sleep(self, duration: timedelta) -> None:
        await self._machine.sleep(duration)

    async def look(self) -> timedelta:
        """Ask the server; by how much the machine's clock is ahead of it.

        Raises:
            DatabaseUnavailable: It cannot say it now; the clock goes on from the look before.
        """
        before = self._machine.monotonic()
        ((moment,),) = await self._database.fetch(NOW)
        after = self._machine.monotonic()
        # The answer is of some moment between the two; the middle errs by half of what passed at most.
        self._seen = (before + (after - before) / 2, moment.astimezone(UTC))
        return self._machine.now() - self.now()

    async def watch(self, log: Log, every: timedelta = EVERY) -> None:
        """Look now and then until this is cancelled, and tell the log when the clocks are apart.

        Args:
            log: Hears it once, and again when it is over.
            every: How long it takes until the next look.
        """
        was_apart = False
        while True:
            try:
                ahead = await self.look()
            except PlatformError as e:
                log.warning("the database's time is not known now", error=e)
            else:
                is_apart = abs(ahead) > APART
                if is_apart != was_apart:
                    seconds = round(ahead.total_seconds(), 1)
                    tell = log.error if is_apart else log.info
                    tell("this process's clock and the database's are compared", ahead_s=seconds)
                was_apart = is_apart
            await self._machine.sleep(every)
