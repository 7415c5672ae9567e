"""Work that takes longer than a page may: one piece after the other beside the event loop, with its progress.

A piece of work is named by what follows from it, so that those who ask for the same share it. It is given up when nobody has
asked for it for a while: pages ask again and again while they wait.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeAlias

from drystone.l00_kernel.errors import Unavailable

MOST_KEPT = 24
MOST_WAITING = 8
GIVEN_UP_AFTER = timedelta(seconds=20)
SOON = timedelta(milliseconds=700)
"""A page waits so long for work before it tells how far it is."""

Tell: TypeAlias = Callable[[float, str], None]
"""Takes the share that is done, 0 to 1, and where the work is, in words."""


class TooBusy(Unavailable):
    """Too much is being computed already; try again in a moment."""


class GivenUp(Unavailable):
    """Nobody waits for this work any more."""


class Job:
    """One piece of work.

    Attributes:
        name: What a page calls it that can end it; nobody guesses it.
        share: How much of it is done, 0 to 1.
        text: Where it is, in words.
        is_cancelled: Whether somebody has ended it.

    Args:
        work: Does it; it is told how to tell its progress.
        clock: Returns seconds.
    """

    def __init__(self, work: Callable[[Tell], Any], clock: Callable[[], float]) -> None:
        self.name = secrets.token_urlsafe(12)
        self.share = 0.0
        self.text = "waiting for its turn"
        self.future: Future[Any] | None = None
        self._work = work
        self._clock = clock
        self._asked = clock()
        self.is_cancelled = False

    def touch(self) -> None:
        """Say that somebody waits."""
        self._asked = self._clock()

    def cancel(self) -> None:
        """Give it up; it ends where it next tells its progress."""
        self.is_cancelled = True
        if self.future is not None:
            self.future.cancel()

    def run(self) -> Any:
        """Do the work.

        Raises:
            GivenUp: Nobody waits for it.
        """
        self._tell(0.0, "begins")
        return self._work(self._tell)

    def _tell(self, share: float, text: str) -> None:
        if self.is_cancelled or self._clock() - self._asked > GIVEN_UP_AFTER.total_seconds():
            raise GivenUp
        self.share, self.text = max(0.0, min(1.0, share)), text

    @property
    def is_done(self) -> bool:
        """Whether it has ended, well or not."""
        return self.future is not None and self.future.done()

    @property
    def has_failed(self) -> bool:
        """Whether it ended without a result."""
        future = self.future
        if future is None or not future.done():
            return False
        return future.cancelled() or future.exception() is not None


class Jobs:
    """Does one piece of work after the other, and keeps the results of the latest.

    Args:
        clock: Returns seconds; they only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="job")
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()

    def ask(self, key: Hashable, work: Callable[[Tell], Any]) -> Job:
        """Return the work of this name, begun or done; one that failed begins anew.

        Raises:
            TooBusy: Too much waits already.
        """
        job = self._jobs.get(key)
        if job is None or job.has_failed or job.is_cancelled:
            if sum(not one.is_done for one in self._jobs.values()) >= MOST_WAITING:
                raise TooBusy
            job = Job(work, self._clock)
            job.future = self._threads.submit(job.run)
            self._jobs[key] = job
        job.touch()
        self._jobs.move_to_end(key)
        self._forget()
        return job

    def cancel(self, key: Hashable) -> None:
        """Give work up that is not done yet."""
        job = self._jobs.get(key)
        if job is not None and not job.is_done:
            job.cancel()

    def end(self, name: str) -> None:
        """Give the work of this name up, if it goes on."""
        for job in self._jobs.values():
            if job.name == name and not job.is_done:
                job.cancel()

    def _forget(self) -> None:
        done = [key for key, job in self._jobs.items() if job.is_done]
        for key in done[: max(0, len(self._jobs) - MOST_KEPT)]:
            del self._jobs[key]

    async def soon(self, job: Job, patience: timedelta = SOON) -> Any | None:
        """Return the result if it comes soon; None when it does not.

        Raises:
            GivenUp: Somebody has ended it.
            Exception: What the work raised.
        """
        if job.future is None:
            return None
        waiting = asyncio.wrap_future(job.future)
        done, _ = await asyncio.wait({waiting}, timeout=patience.total_seconds())
        if waiting.cancelled():
            raise GivenUp
        return waiting.result() if done else None
