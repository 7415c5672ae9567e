"""Requests that arrive whatever happens, and what became of each.

Each request writes a key of its own, so that what was acknowledged can be looked for afterwards. Half of them use kept
connections and half new ones. None is sent again: nothing is hidden by a retry.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from drystone.testing.faults.subjects import ENVIRONMENT, Subject
from drystone.testing.load.connection import Connection, Failed, IdleConnections

if TYPE_CHECKING:
    from drystone.testing.load.answer import Answer

TIMEOUT = timedelta(seconds=20)
MOST_WORDS = 80
MOST_WAITING = 200
"""Requests of one subject that may wait for answers; those that would be more are not sent."""


class Seen(msgspec.Struct, frozen=True):
    """What became of one request.

    Attributes:
        sent: When, in seconds of the journal.
        ended: When the answer was there, or the failure.
        version: Which version answered, if one did.
        trouble: Why it failed; empty when it did not.
    """

    sent: float
    ended: float
    version: str | None
    trouble: str


class Traffic:
    """The requests to one subject.

    Args:
        subject: Where to.
        port: The edge's.
        rate: Requests per second.
        clock: Tells the seconds of the journal.
    """

    def __init__(
        self, subject: Subject, *, port: int, rate: float, clock: Callable[[], float]
    ) -> None:
        self.subject = subject
        self.unjudged: list[Seen] = []
        self.answered = 0
        self.causes: Counter[str] = Counter()
        """Why requests failed, and how many for each reason."""
        self.good_in_a_row = 0
        """How many of the newest answers were good."""
        self._port = port
        self._rate = rate
        self._clock = clock
        self._idle = IdleConnections()
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return self.causes.total()

    def take(self) -> list[Seen]:
        """Return what was seen since the last time."""
        seen, self.unjudged = self.unjudged, []
        return seen

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Send requests until the block is left; those under way are waited for."""
        sending = asyncio.create_task(self._send(), name=f"traffic of {self.subject.name}")
        try:
            yield
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await asyncio.gather(*self._waiting)
            self._idle.close()
            await asyncio.sleep(0)  # the transports close in the next turn of the loop

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        due, number = loop.time(), 0
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            due += 1 / self._rate
            number += 1
            if len(self._waiting) < MOST_WAITING:
                task = asyncio.create_task(self._one(keep=number % 2 == 0))
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)

    async def _one(self, *, keep: bool) -> None:
        key, sent = self.subject.ledger.next_key(), self._clock()
        version, trouble = None, ""
        try:
            async with asyncio.timeout(TIMEOUT.total_seconds()):
                answer = await self._exchange(
                    self._request("PUT", f"/keys/{key}", keep=keep), keep=keep
                )
        except (Failed, TimeoutError) as e:
            trouble = str(e) or type(e).__name__
        else:
            version = answer.headers.get("x-version")
            if answer.status == 200 and answer.body.decode() == key:
                self.subject.ledger.acknowledge(key)
            else:
                trouble = f"{answer.status} {answer.body[:120].decode(errors='replace')}"
        self.answered += not trouble
        if trouble:
            self.causes[cause(trouble)] += 1
        self.good_in_a_row = 0 if trouble else self.good_in_a_row + 1
        self.unjudged.append(Seen(sent, self._clock(), version, trouble))

    async def ask(self, path: str) -> Answer:
        """Send one GET request over a connection of its own.

        Raises:
            Failed: It got no answer.
            TimeoutError: Not in time.
        """
        async with asyncio.timeout(TIMEOUT.total_seconds()):
            return await self._exchange(self._request("GET", path, keep=False), keep=False)

    async def _exchange(self, request: bytes, *, keep: bool) -> Answer:
        connection = self._idle.take() if keep else None
        connection = connection or await Connection.open("127.0.0.1", self._port)
        answer = await connection.exchange(request)
        if keep and connection.is_usable:
            self._idle.keep(connection)
        else:
            connection.close()
        return answer

    def _request(self, method: str, path: str, *, keep: bool) -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            f"host: {self.subject.name}.{ENVIRONMENT}.localhost:{self._port}",
            *(["content-length: 0"] if method == "PUT" else []),
            *([] if keep else ["connection: close"]),
        ]
        return "\r\n".join([*lines, "", ""]).encode()


def cause(trouble: str) -> str:
    """Shorten what a failed request was told to what many have in common."""
    return re.sub(r"\d{4,}", "N", trouble)[:MOST_WORDS]
