"""Calls one function again and again, by the clock. A call that was due while nobody was here is made once, at the begin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.local.functions.events import of_clock
from drystone.l25_deployer.local.functions.worker import new_id

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.ports import Log
    from drystone.l25_deployer.local.functions.bookmarks import Bookmarks
    from drystone.l25_deployer.local.functions.service import Called, Functions

_AGAIN_AFTER_S = 1.0


class Ticking(msgspec.Struct, frozen=True):
    """A span of time after which a function is called.

    Attributes:
        trigger: What the descriptor calls this.
        every: Seconds.
    """

    trigger: str
    every: int


class ClockTrigger:
    """Calls one function.

    Args:
        functions: Takes calls that nobody waits for.
        find: Returns the function as it serves now; None when it does not.
        ticking: How often.
        bookmarks: Where it is kept when it was last called.
        clock: The time.
        log: Where to report.
    """

    def __init__(
        self,
        functions: Functions,
        find: Callable[[], Called | None],
        ticking: Ticking,
        *,
        bookmarks: Bookmarks,
        clock: Clock,
        log: Log,
    ) -> None:
        self._functions = functions
        self._find = find
        self._ticking = ticking
        self._bookmarks = bookmarks
        self._clock = clock
        self._log = log
        self.wake = asyncio.Event()
        """Nothing that is added concerns it."""

    async def run(self) -> None:
        """Call it until cancelled."""
        while True:
            try:
                await self._once()
            except PlatformError as e:
                self._log.warning("a call is late", error=e, trigger=self._ticking.trigger)
                await asyncio.sleep(_AGAIN_AFTER_S)

    async def _once(self) -> None:
        called = self._find()
        if called is None:
            await asyncio.sleep(_AGAIN_AFTER_S)
            return
        trigger, clock = self._ticking.trigger, self._clock
        bookmark = self._bookmarks.read(called.owner, called.name, trigger, clock.now())
        every = timedelta(seconds=self._ticking.every)
        due = (bookmark.last or bookmark.since) + every
        if due > clock.now():
            await clock.sleep(due - clock.now())
            return
        now = clock.now()
        at = now if now - due >= every else due  # what was missed is not made up for
        event = of_clock(at, account=called.owner, rule=trigger, name=new_id())
        await self._functions.enqueue(called, event)
        self._bookmarks.write(
            called.owner, called.name, trigger, structs.replace(bookmark, last=at)
        )
