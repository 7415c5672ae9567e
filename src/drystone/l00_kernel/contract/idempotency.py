"""A POST that is sent twice happens once.

Follows the IETF draft "The Idempotency-Key HTTP Header Field": a finished answer is kept under the caller,
the call and the key, and given again to whoever sends the same request with the same key. An answer that
says "try again" (429 and 5xx) is not kept, because a repeated request is then meant to do something.
"""

from __future__ import annotations

import abc
import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeAlias

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.contract.errors import CallRunning, KeyReused

AnswerKey: TypeAlias = tuple[str, str, str]
"""Caller, call and the caller's key."""


class Answer(msgspec.Struct, frozen=True):
    """What a server answered.

    Attributes:
        status: The HTTP status.
        media_type: Of the body; empty without one.
        body: The bytes.
    """

    status: int
    media_type: str
    body: bytes

    @property
    def is_final(self) -> bool:
        """Whether the same request would get the same answer; others invite to try again."""
        return self.status < 500 and self.status != 429


class KeptAnswer(msgspec.Struct, frozen=True):
    """An answer, and a digest of the request that it answers."""

    fingerprint: bytes
    answer: Answer


class Answers(abc.ABC):
    """Where finished answers are kept for a while."""

    @abc.abstractmethod
    async def find(self, key: AnswerKey) -> KeptAnswer | None:
        """Return what was kept under a key; None if nothing was or it is too old."""

    @abc.abstractmethod
    async def keep(self, key: AnswerKey, kept: KeptAnswer) -> None:
        """Keep an answer."""


class MemoryAnswers(Answers):
    """Answers in memory, bounded in number, size and age; the oldest go first.

    Args:
        clock: For their age.
        lifetime: How long an answer is kept.
        limit: How many are kept.
        limit_bytes: Size of all bodies together.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        lifetime: timedelta = timedelta(hours=24),
        limit: int = 10_000,
        limit_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._clock = clock or SystemClock()
        self._lifetime = lifetime
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[AnswerKey, tuple[timedelta, KeptAnswer]] = OrderedDict()
        self._bytes = 0

    @override
    async def find(self, key: AnswerKey) -> KeptAnswer | None:
        self._forget()
        found = self._kept.get(key)
        return found[1] if found else None

    @override
    async def keep(self, key: AnswerKey, kept: KeptAnswer) -> None:
        if old := self._kept.pop(key, None):
            self._bytes -= len(old[1].answer.body)
        self._kept[key] = (self._clock.monotonic(), kept)
        self._bytes += len(kept.answer.body)
        self._forget()

    def _forget(self) -> None:
        """Drop what is too old, and the oldest while there is too much."""
        oldest = self._clock.monotonic() - self._lifetime
        while self._kept:
            since, kept = next(iter(self._kept.values()))
            fits = len(self._kept) <= self._limit and self._bytes <= self._limit_bytes
            if fits and since > oldest:
                return
            self._kept.popitem(last=False)
            self._bytes -= len(kept.answer.body)


class Once:
    """Lets each keyed request happen once in this server."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._running: dict[AnswerKey, tuple[bytes, asyncio.Event]] = {}

    async def answer(
        self, key: AnswerKey, fingerprint: bytes, run: Callable[[], Awaitable[Answer]]
    ) -> tuple[Answer, bool]:
        """Return the answer to a request, and whether it was given before.

        A second request waits for the first; should that one end without a final answer, the second runs.

        Raises:
            KeyReused: The key came with another request before.
        """
        while running := self._running.get(key):
            if running[0] != fingerprint:
                raise KeyReused
            await running[1].wait()
        with self._claim(key, fingerprint):
            if kept := await self._answers.find(key):
                if kept.fingerprint != fingerprint:
                    raise KeyReused
                return kept.answer, True
            answer = await run()
            if answer.is_final:
                await self._answers.keep(key, KeptAnswer(fingerprint, answer))
            return answer, False

    @contextmanager
    def alone(self, key: AnswerKey) -> Iterator[None]:
        """Hold a key while a stream is open.

        Raises:
            CallRunning: Another stream holds it.
        """
        if key in self._running:
            raise CallRunning
        with self._claim(key, b""):
            yield

    @contextmanager
    def _claim(self, key: AnswerKey, fingerprint: bytes) -> Iterator[None]:
        done = asyncio.Event()
        self._running[key] = (fingerprint, done)
        try:
            yield
        finally:
            del self._running[key]
            done.set()
