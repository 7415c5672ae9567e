"""The processes of one function of one release: started when they are needed, kept warm, bounded, ended when nobody calls."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta

from drystone.l25_deployer.local.functions.errors import FunctionNotReady, TooManyCalls
from drystone.l25_deployer.local.functions.worker import Answer, Call, Worker


class Pool:
    """The processes.

    Args:
        make: Describes the process of a slot.
        most: How many there are at once.
    """

    def __init__(self, make: Callable[[int], Worker], most: int) -> None:
        self._make = make
        self._free = list(reversed(range(most)))
        self._idle: deque[tuple[int, Worker, float]] = deque()
        self._busy: dict[int, Worker] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._most = most
        self.is_closed = False
        self._is_ended = False

    @property
    def is_busy(self) -> bool:
        """Whether a call runs."""
        return bool(self._busy)

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it runs."""
        return not self._busy and not self._idle

    async def call(self, call: Call, *, wait: float = 0) -> Answer:
        """Have the function answer a call.

        Args:
            call: The call.
            wait: Seconds to wait for a process when all are busy.

        Raises:
            TooManyCalls: All are busy.
            FunctionNotReady: All are being ended.
            PlatformError: No process could be started.
        """
        slot, worker = await self._take(wait)
        try:
            if worker is None:
                worker = self._busy[slot] = self._make(slot)
                refused = await worker.begin()
                if refused is not None:
                    return refused
            return await worker.call(call)
        finally:
            if worker is None or not worker.is_usable or self.is_closed:
                ending = asyncio.ensure_future(self._discard(slot, worker))
                await asyncio.shield(ending)
            else:
                del self._busy[slot]
                self._idle.append((slot, worker, time.monotonic()))
                self._wake()

    async def _take(self, wait: float) -> tuple[int, Worker | None]:
        try:
            async with asyncio.timeout(wait or None):
                while not self._idle and not self._free:
                    if not wait:
                        raise TooManyCalls(
                            f"{self._most} calls of the function run already; try again, or raise its concurrency"
                        )
                    turn = asyncio.get_running_loop().create_future()
                    self._waiting.append(turn)
                    try:
                        await turn
                    except asyncio.CancelledError:
                        if turn.done() and not turn.cancelled():
                            self._wake()  # the turn is somebody else's now
                        raise
        except TimeoutError as e:
            raise TooManyCalls(
                f"{self._most} calls of the function ran for {wait:g} s; try again, or raise its concurrency"
            ) from e
        if self._is_ended:
            self._wake()  # all who wait are to hear it
            raise FunctionNotReady("the function is being ended; try again")
        if self._idle:
            slot, worker, _ = self._idle.pop()  # the one that was used last is the warmest
            self._busy[slot] = worker
            return slot, worker
        return self._free.pop(), None

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def _discard(self, slot: int, worker: Worker | None) -> None:
        """End a process; its slot is free when all that belonged to it is gone."""
        try:
            if worker is not None:
                await worker.end()
        finally:
            self._busy.pop(slot, None)
            self._free.append(slot)
            self._wake()

    async def cool(self, idle: timedelta) -> None:
        """End the processes that nobody has called for so long."""
        since = time.monotonic() - idle.total_seconds()
        while self._idle and self._idle[0][2] <= since:
            slot, worker, _ = self._idle.popleft()
            self._busy[slot] = worker
            await self._discard(slot, worker)

    async def close(self) -> None:
        """End what is idle now, and what runs as soon as it has answered."""
        self.is_closed = True
        await self.cool(timedelta(0))

    async def end(self) -> None:
        """End everything at once; calls that run fail."""
        self.is_closed = self._is_ended = True
        await self.cool(timedelta(0))
        await asyncio.gather(*(worker.end() for worker in list(self._busy.values())))
