"""Keeps engines running that somebody needs.

An engine starts when it is first needed and is then watched: one that ends is started again, one that
runs and no longer answers is ended and started again, ever more slowly while that does not help. The
engines themselves go on when their supervisor does not; the next one takes them over.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Iterable
from datetime import timedelta

import msgspec

from drystone.l00_kernel.errors import Conflict, PlatformError
from drystone.l10_engines.supervision.errors import EngineFailed, EngineNotFound
from drystone.l10_engines.supervision.port import Engine, EngineState, EngineStatus


class Watchfulness(msgspec.Struct, frozen=True):
    """How engines are watched.

    Attributes:
        first_pause: Pause before the first restart; it doubles with each further one.
        longest_pause: Where the doubling ends.
        healthy_after: An engine that ran this long starts again from ``first_pause``.
        probe_every: How often an engine is asked whether it answers.
        silences: After how many unanswered questions in a row it counts as hung.
    """

    first_pause: timedelta = timedelta(milliseconds=100)
    longest_pause: timedelta = timedelta(seconds=30)
    healthy_after: timedelta = timedelta(seconds=60)
    probe_every: timedelta = timedelta(seconds=5)
    silences: int = 6


class EventKind(enum.StrEnum):
    """What happened to an engine."""

    READY = "ready"
    ENDED = "ended"
    HUNG = "hung"
    FAILED = "failed"
    STOPPED = "stopped"


class EngineEvent(msgspec.Struct, frozen=True):
    """Something that happened to an engine.

    Attributes:
        engine: The engine's name.
        kind: What happened.
        detail: The same in words; empty where nothing is to be added.
        pause: How long the supervisor waits before it tries again; None when it does not.
    """

    engine: str
    kind: EventKind
    detail: str = ""
    pause: timedelta | None = None


class _Kept:
    """One engine under watch, and the outcome of its current start for all who wait for it.

    A persistent one is tried again when its start fails: it ran before.
    """

    def __init__(self, engine: Engine, *, persistent: bool) -> None:
        self.engine = engine
        self.persistent = persistent
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None

    def succeed(self) -> None:
        self.outcome.set_result(None)

    def fail(self, error: BaseException) -> None:
        self.outcome.set_exception(error)
        self.outcome.exception()  # seen: nobody has to wait for it

    def begin_again(self) -> None:
        if self.outcome.done():
            self.outcome = asyncio.get_running_loop().create_future()


class Supervisor:
    """Starts engines on first need and keeps them running.

    Args:
        engines: Those that may be needed; none is started yet.
        report: Called with every event, in the event loop; it must not block.
        watchfulness: How engines are watched.
    """

    def __init__(
        self,
        engines: Iterable[Engine] = (),
        *,
        report: Callable[[EngineEvent], None] = lambda _event: None,
        watchfulness: Watchfulness | None = None,
    ) -> None:
        self._engines: dict[str, Engine] = {}
        self._kept: dict[str, _Kept] = {}
        self._reports = [report]
        self._watch = watchfulness or Watchfulness()
        for engine in engines:
            self.add(engine)

    def also_report_to(self, report: Callable[[EngineEvent], None]) -> None:
        """Call this with every event, too, from now on."""
        self._reports.append(report)

    def _report(self, event: EngineEvent) -> None:
        for report in self._reports:
            report(event)

    def add(self, engine: Engine) -> None:
        """Make an engine known.

        Raises:
            Conflict: Another one has its name.
        """
        if self._engines.setdefault(engine.name, engine) is not engine:
            raise Conflict(f"an engine {engine.name!r} is supervised already; choose another name")

    def __getitem__(self, name: str) -> Engine:
        """Return an engine by its name.

        Raises:
            EngineNotFound: There is none.
        """
        if name not in self._engines:
            known = ", ".join(sorted(self._engines)) or "none"
            raise EngineNotFound(f"no engine {name!r}; the engines of this home are: {known}")
        return self._engines[name]

    async def ensure(self, name: str) -> Engine:
        """Return an engine once it is ready, and keep it running from now on.

        Callers at the same time share one start; one that gives up does not disturb the others. While
        a broken engine waits for its next attempt, callers wait for that attempt.

        Raises:
            EngineNotFound: There is no such engine.
            EngineFailed: The attempt failed. An engine that never ran is then left alone until the
                next call.
        """
        engine = self[name]
        await asyncio.shield(self._begin(engine, persistent=False).outcome)
        return engine

    async def adopt(self) -> tuple[str, ...]:
        """Keep again what an earlier supervisor of this home kept, and return those names.

        Engines that went on are taken over, those that ended meanwhile are started again. Failures
        are reported and tried again like any other.
        """
        left = (EngineState.STARTING, EngineState.READY, EngineState.FAILED)
        engines = [e for e in self._engines.values() if e.status().state in left]
        outcomes = [self._begin(engine, persistent=True).outcome for engine in engines]
        if outcomes:
            await asyncio.wait(outcomes)
        return tuple(engine.name for engine in engines)

    async def remove(self, name: str) -> None:
        """Stop an engine and forget it.

        Raises:
            EngineNotFound: There is no such engine.
        """
        await self.stop(name)
        self._engines.pop(name, None)

    async def stop(self, name: str) -> None:
        """Stop an engine, which can be ensured again.

        Raises:
            EngineNotFound: There is no such engine.
        """
        engine = self[name]
        await self._let_go(name)
        await self._stop(engine)

    async def forget(self, name: str) -> None:
        """Stop watching an engine and forget it; it goes on, for another ``Engine`` to take it over.

        Raises:
            EngineNotFound: There is no such engine.
        """
        del self._engines[self[name].name]
        await self._let_go(name)

    async def stop_all(self) -> None:
        """Stop every kept engine, the one that was needed last first."""
        for name in reversed(list(self._kept)):
            await self._let_go(name)
            await self._stop(self._engines[name])

    async def detach(self) -> None:
        """Stop watching; the engines go on."""
        for name in list(self._kept):
            await self._let_go(name)

    def statuses(self) -> tuple[EngineStatus, ...]:
        """Return what is known of every engine, in the order they were added."""
        return tuple(engine.status() for engine in self._engines.values())

    def _begin(self, engine: Engine, *, persistent: bool) -> _Kept:
        kept = self._kept.get(engine.name)
        if kept is None:
            kept = self._kept[engine.name] = _Kept(engine, persistent=persistent)
            kept.task = asyncio.create_task(self._keep(kept), name=f"keep {engine.name}")
            kept.task.add_done_callback(lambda task: self._forget(kept, task))
        return kept

    def _forget(self, kept: _Kept, task: asyncio.Task[None]) -> None:
        """Leave nobody waiting for an engine that is no longer kept."""
        if self._kept.get(kept.engine.name) is kept:
            del self._kept[kept.engine.name]
        name = kept.engine.name
        mistake = None if task.cancelled() else task.exception()
        if mistake is not None:
            detail = f"it is no longer watched, because of an unexpected {mistake!r}"
            self._report(EngineEvent(name, EventKind.FAILED, detail))
        if not kept.outcome.done():
            stopped = EngineFailed(f"{name} was stopped before it was ready", engine=name)
            kept.fail(mistake or stopped)

    async def _let_go(self, name: str) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None and kept.task is not None:
            kept.task.cancel()
            await asyncio.wait((kept.task,))

    async def _stop(self, engine: Engine) -> None:
        await engine.stop()
        self._report(EngineEvent(engine.name, EventKind.STOPPED))

    async def _keep(self, kept: _Kept) -> None:
        loop = asyncio.get_running_loop()
        pause = self._watch.first_pause
        while True:
            begun = loop.time()
            event = await self._run_once(kept)
            if event.kind is EventKind.FAILED and not kept.persistent:
                self._report(event)
                return
            kept.persistent = True
            lived = loop.time() - begun
            served = event.kind is not EventKind.FAILED
            if served and lived >= self._watch.healthy_after.total_seconds():
                pause = self._watch.first_pause
            self._report(msgspec.structs.replace(event, pause=pause))
            kept.begin_again()
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, self._watch.longest_pause)

    async def _run_once(self, kept: _Kept) -> EngineEvent:
        """Start an engine and return what made it stop serving."""
        name = kept.engine.name
        try:
            await kept.engine.start()
        except PlatformError as e:
            kept.fail(e)
            return EngineEvent(name, EventKind.FAILED, str(e))
        self._report(EngineEvent(name, EventKind.READY))
        kept.succeed()
        event = await self._until_trouble(kept.engine)
        kept.begin_again()
        if event.kind is EventKind.HUNG:
            await kept.engine.stop()
        return event

    async def _until_trouble(self, engine: Engine) -> EngineEvent:
        ended = asyncio.create_task(engine.wait(), name=f"wait for {engine.name}")
        silences = 0
        try:
            while silences < self._watch.silences:
                every = self._watch.probe_every.total_seconds()
                done, _ = await asyncio.wait((ended,), timeout=every)
                if done:
                    return EngineEvent(engine.name, EventKind.ENDED, ended.result())
                silences = 0 if await engine.is_responsive() else silences + 1
                await engine.keep_reserve()
        finally:
            ended.cancel()
        detail = f"it runs and did not answer {silences} times in a row"
        return EngineEvent(engine.name, EventKind.HUNG, detail)
