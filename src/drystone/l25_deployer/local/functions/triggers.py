"""Everything that calls functions by itself, as the releases that serve say."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, assert_never

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.aws.declarations import Function as DeclaredFunction
from drystone.l10_engines.aws.declaring import calls_name, calls_of
from drystone.l10_engines.aws.orders import Seen
from drystone.l25_deployer.local.functions.clock_trigger import ClockTrigger, Ticking
from drystone.l25_deployer.local.functions.queue_trigger import Queued, QueueTrigger
from drystone.l25_deployer.local.functions.stream_trigger import Streamed, StreamTrigger
from drystone.l25_deployer.stacks import provided

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drystone.l00_kernel.ports import Log
    from drystone.l10_engines.aws.server import AwsEngine
    from drystone.l25_deployer.local.functions.bookmarks import Bookmarks
    from drystone.l25_deployer.local.functions.service import Called, Functions
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.services import Services

_Following: TypeAlias = QueueTrigger | StreamTrigger | ClockTrigger

_EVERY_S = 1.0
_AGAIN_AFTER_S = 1.0


class _Key(msgspec.Struct, frozen=True):
    """A trigger, as it is followed."""

    environment: str
    service: str
    function: str
    by: Queued | Streamed | Ticking

    @property
    def owner(self) -> str:
        return f"{self.environment}.{self.service}"


class Triggers:
    """Follows queues, streams and the clock for the functions of all services of a home.

    Args:
        services: What is deployed.
        functions: Calls them.
        aws: Holds the queues and streams.
        bookmarks: Where it is kept how far functions have come.
        log: Where to report.
    """

    def __init__(
        self,
        services: Services,
        functions: Functions,
        aws: AwsEngine,
        *,
        bookmarks: Bookmarks,
        log: Log,
    ) -> None:
        self._bookmarks = bookmarks
        self._services = services
        self._functions = functions
        self._aws = aws
        self._log = log
        self._followed: dict[_Key, tuple[_Following, asyncio.Task[None]]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Follow what is declared from now on."""
        self._tasks = [
            asyncio.create_task(self._match(), name="triggers"),
            asyncio.create_task(self._listen(), name="triggers listen"),
        ]

    async def leave(self) -> None:
        """Follow nothing any more; what is worked on is left, and comes back."""
        tasks = [*self._tasks, *(task for _, task in self._followed.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._followed, self._tasks = {}, []

    async def _match(self) -> None:
        while True:
            try:
                self.match()
            except PlatformError as e:
                self._log.warning("triggers not followed", error=e)
            await asyncio.sleep(_EVERY_S)

    def match(self) -> None:
        """Follow exactly what the releases that serve declare."""
        wanted = set(self._wanted())
        for key in self._followed.keys() - wanted:
            self._followed.pop(key)[1].cancel()
        for key, (_, task) in list(self._followed.items()):
            if task.done():  # by a mistake of ours; what it follows is not left alone for that
                reason = None if task.cancelled() else task.exception()
                self._log.warning("a trigger broke off", error=reason)
                del self._followed[key]
        for key in wanted - self._followed.keys():
            trigger = self._follow(key)
            self._followed[key] = trigger, asyncio.create_task(trigger.run(), name="trigger")

    def _follow(self, key: _Key) -> _Following:
        find = partial(self._find, key)
        clock = self._services.machine.clock
        match key.by:
            case Queued():
                return QueueTrigger(self._functions, self._aws, find, key.by, self._log)
            case Streamed():
                return StreamTrigger(
                    self._functions,
                    self._aws,
                    find,
                    key.by,
                    bookmarks=self._bookmarks,
                    clock=clock,
                    log=self._log,
                )
            case Ticking():
                return ClockTrigger(
                    self._functions,
                    find,
                    key.by,
                    bookmarks=self._bookmarks,
                    clock=clock,
                    log=self._log,
                )
            case _:
                assert_never(key.by)

    def _wanted(self) -> Iterator[_Key]:
        if self._aws.status().pid is None:
            return
        for kept in self._services.all():
            if kept.users and kept.record.operation and kept.record.operation.kind == "destroy":
                continue
            for called in self._functions.all(*kept.record.key):
                declared = DeclaredFunction(called.function.timeout)
                visibility = calls_of(declared).visibility
                queued = Queued(calls_name(called.name), 1, False, visibility, is_calls=True)
                yield _Key(*kept.record.key, called.name, queued)
                for name, trigger in called.function.on.items():
                    by = _by(kept, name, trigger)
                    if by is not None:
                        yield _Key(*kept.record.key, called.name, by)

    def _find(self, key: _Key) -> Called | None:
        every = self._functions.all(key.environment, key.service)
        return next((one for one in every if one.name == key.function), None)

    async def _listen(self) -> None:
        """Wake those whose queues were added to; all of them when that is not known."""
        seen = Seen()
        while True:
            if not self._followed:
                await asyncio.sleep(_AGAIN_AFTER_S)
                continue
            try:
                added = await self._aws.added(seen)
            except PlatformError:
                await asyncio.sleep(_AGAIN_AFTER_S)
                continue
            seen = added.seen
            for key, (trigger, _) in self._followed.items():
                if added.owners is None or key.owner in added.owners:
                    trigger.wake.set()


def _by(
    kept: KeptService, name: str, trigger: provided.Trigger
) -> Queued | Streamed | Ticking | None:
    """Return what calls a function; None while that is not there."""
    if trigger.every is not None:
        return Ticking(name, trigger.every)
    source = kept.record.eternal.get(trigger.queue or trigger.stream or "")
    if isinstance(source, provided.Queue) and trigger.queue:
        called = f"{trigger.queue}.fifo" if source.fifo else trigger.queue
        return Queued(called, trigger.batch, source.fifo, source.visibility)
    if isinstance(source, provided.Stream) and trigger.stream:
        return Streamed(name, trigger.stream, trigger.batch, trigger.begin)
    return None
