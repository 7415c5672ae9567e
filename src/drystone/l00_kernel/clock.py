"""Time as something that is handed in, so that a test can hold it still."""

from __future__ import annotations

import abc
import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta

from typing_extensions import override

_TURNS = 10
"""Turns of the event loop in which a woken sleeper may reach its next sleep."""


class Clock(abc.ABC):
    """What time it is, and a way to wait."""

    @abc.abstractmethod
    def now(self) -> datetime:
        """Return the present moment, aware, in UTC; it may jump when the machine's clock is set."""

    @abc.abstractmethod
    def monotonic(self) -> timedelta:
        """Return the time since some fixed moment; it never runs backwards and never jumps."""

    @abc.abstractmethod
    async def sleep(self, duration: timedelta) -> None:
        """Wait; a duration of zero or less only lets others run."""


class SystemClock(Clock):
    """The machine's clock."""

    @override
    def now(self) -> datetime:
        return datetime.now(UTC)

    @override
    def monotonic(self) -> timedelta:
        return timedelta(seconds=time.monotonic())

    @override
    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(max(0.0, duration.total_seconds()))


class ManualClock(Clock):
    """A clock that moves only when it is told to.

    Args:
        start: What :meth:`now` answers first; aware.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError("the start of a clock is an aware datetime")
        self._start = start.astimezone(UTC)
        self._passed = timedelta()
        self._order = itertools.count()
        self._sleepers: list[tuple[timedelta, int, asyncio.Future[None]]] = []

    @override
    def now(self) -> datetime:
        return self._start + self._passed

    @override
    def monotonic(self) -> timedelta:
        return self._passed

    @property
    def sleepers(self) -> int:
        """How many tasks sleep now."""
        return sum(not future.done() for _, _, future in self._sleepers)

    @override
    async def sleep(self, duration: timedelta) -> None:
        if duration <= timedelta():
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + duration, next(self._order), future))
        await future

    async def advance(self, by: timedelta) -> None:
        """Let time pass, waking sleepers one after the other, each at its own moment.

        Those who sleep for the same moment wake in the order in which they lay down. A woken task that
        sleeps again, and is due again within ``by``, wakes again.

        Raises:
            ValueError: ``by`` is negative.
        """
        if by < timedelta():
            raise ValueError("time does not run backwards")
        target = self._passed + by
        while self._sleepers and self._sleepers[0][0] <= target:
            self._passed, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
        self._passed = target
