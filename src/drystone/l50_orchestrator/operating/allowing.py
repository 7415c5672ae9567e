"""What all operations on services share: who may, what is written down, and how many streams there are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import msgspec

from drystone.l00_kernel.context import Caller, Context
from drystone.l50_orchestrator.operating.errors import OperatedElsewhere, TooManyStreams
from drystone.l50_orchestrator.ports import Action, Book, Gate, Registry
from drystone.l50_orchestrator.streams import while_allowed

if TYPE_CHECKING:
    from drystone.l00_kernel.ports import Field
    from drystone.l10_engines.postgres.database import Database

T = TypeVar("T")

HERE = "here"
OF_ONE, OF_ALL = 32, 256
"""Streams at once, of one caller and of all of them."""


class Streams:
    """Counts streams that are read.

    Args:
        of_one: How many a caller may read at once.
        of_all: How many there may be.
    """

    def __init__(self, of_one: int = OF_ONE, of_all: int = OF_ALL) -> None:
        self._of_one, self._of_all = of_one, of_all
        self._read: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many are read now."""
        return sum(self._read.values())

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Count a stream of somebody until the block ends.

        Raises:
            TooManyStreams: There can be no more.
        """
        mine = self._read.get(name, 0)
        if mine >= self._of_one:
            raise TooManyStreams(
                f"{name} reads {mine} streams at once, and no more is allowed; close one and try again"
            )
        if self.count >= self._of_all:
            raise TooManyStreams(
                f"{self._of_all} streams are read at once, and no more is allowed; try again in a minute"
            )
        self._read[name] = mine + 1
        try:
            yield
        finally:
            left = self._read.pop(name) - 1
            if left:
                self._read[name] = left


class Wanted(msgspec.Struct, frozen=True):
    """What somebody wants of a service.

    Attributes:
        action: What they must be allowed.
        environment: Where.
        service: Which.
        verb: What is written down; nothing where it is empty, because nothing changes.
        said: Particulars for the audit log.
    """

    action: Action
    environment: str
    service: str
    verb: str = ""
    said: Mapping[str, Field] = {}


class Allowing:
    """Lets pass what is allowed.

    Args:
        database: Of the orchestrator.
        gate: Decides who may do what.
        book: The audit log.
        registry: Tells where an environment runs.
        streams: Those that are read, of all who ask.
    """

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        book: Book,
        registry: Registry,
        streams: Streams,
    ) -> None:
        self._database = database
        self._gate = gate
        self._book = book
        self._registry = registry
        self._streams = streams

    async def listed(self, ctx: Context) -> Context:
        """Return a context in the name of who asks, once they may see what there is.

        Raises:
            Denied: They may not.
        """
        actor = await self._gate.require(ctx, Action.SEE)
        return Context(Caller(actor.name))

    async def allowed(self, ctx: Context, wanted: Wanted) -> Context:
        """Return a context in the name of who asks, once they may do it and it is written down.

        Raises:
            Denied: They may not.
            NotFound: There is no such environment.
            OperatedElsewhere: It runs on another platform.
        """
        environment, service = wanted.environment, wanted.service
        actor = await self._gate.require(
            ctx, wanted.action, service=service, environment=environment
        )
        place = await self._registry.environment(environment)
        if place.target != HERE:
            raise OperatedElsewhere(
                f"{environment} runs on the platform '{place.target}': operate its services there"
            )
        if wanted.verb:
            async with self._database.session() as session, session.transaction():
                await self._book.note(
                    session,
                    actor,
                    f"service.{wanted.verb}",
                    f"{environment}/{service}",
                    **wanted.said,
                )
        return Context(Caller(actor.name))

    async def stream(
        self, ctx: Context, wanted: Wanted, items: Callable[[Context], AsyncIterator[T]]
    ) -> AsyncGenerator[T, None]:
        """Stream what is allowed, for as long as it is.

        Args:
            ctx: Who asks.
            wanted: What.
            items: Begins it, in the name of who asks.

        Raises:
            TooManyStreams: There can be no more.
        """
        with self._streams.one(ctx.caller.name):
            named = await self.allowed(ctx, wanted)

            async def ask() -> None:
                await self._gate.require(
                    ctx, wanted.action, service=wanted.service, environment=wanted.environment
                )

            passed = while_allowed(items(named), ask)
            try:
                async for one in passed:
                    yield one
            finally:
                await passed.aclose()
