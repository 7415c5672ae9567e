"""One attempt of a run: begins it or finds it again, waits for its end, and ends it when its time is over.

What is about to begin is written down before. Whoever comes after a death of the agent finds the instance that was recorded by its runtime and
goes on waiting. An instance whose folder is there without such a record was cut short while it began, within milliseconds: nobody knows how
far it came, so what is left of it is ended, and the attempt has failed. It does not begin again. Neither does one of which a copy of the home
tells that was made elsewhere or earlier: beside the folders of instances, which no copy has, lies a mark for each attempt that is about to begin.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l25_deployer.jobs.describing import attempt_id, describe
from drystone.l25_deployer.jobs.domain import Attempt, Run

if TYPE_CHECKING:
    from drystone.l10_engines.runtimes.port import Instance, Runtime
    from drystone.l25_deployer.local.kept_service import KeptService

GRACE = timedelta(seconds=10)
"""Between the request to end and the end."""

CUT_SHORT = "the platform died while it began; nobody knows how far it came"

ELSEWHERE = "it began before this home was copied or recovered; nobody knows how far it came"

WRITTEN = FaultPoint(
    "job.attempt.written", "an attempt of a job is written down and not begun", writes=True
)
BEGUN = FaultPoint("job.attempt.begun", "an attempt of a job runs")
OVER = FaultPoint("job.attempt.over", "an attempt of a job has ended; that is not written down")


class End(msgspec.Struct, frozen=True):
    """How an attempt ended.

    Attributes:
        code: Exit code; None when nobody recorded it.
        reason: In words.
        at: When.
    """

    code: int | None
    reason: str
    at: datetime


class Attempting:
    """One attempt.

    Args:
        kept: The service.
        run: The run.
    """

    def __init__(self, kept: KeptService, run: Run) -> None:
        self._kept = kept
        self._run = run
        self._instance: Instance | None = None
        self._is_asked_to_stop = asyncio.Event()
        self.is_halted = False
        """Whether the platform stops, and not somebody who wants this run to."""

    def stop(self, *, halted: bool = False) -> None:
        """Have it end."""
        self.is_halted = self.is_halted or halted
        self._is_asked_to_stop.set()

    def next(self) -> Attempt:
        """Return the attempt that is about to begin, in the release that serves.

        Raises:
            PlatformError: None serves.
        """
        release = self._kept.active_release()
        if release is None:
            raise PlatformError(f"{self._kept.name} has no release that serves")
        id_ = attempt_id(self._kept.record, release.number, self._run)
        now = self._kept.machine.clock.now()
        return Attempt(id_, release.number, release.isolation, now)

    def mark(self, attempt: Attempt) -> None:
        """Mark that an attempt is about to begin here, before it is written down.

        Raises:
            DiskFull: There is no room for it.
        """
        write_atomically(self._mark_of(attempt), b"")

    def _mark_of(self, attempt: Attempt) -> Path:
        return self._kept.machine.instances / f"{attempt.instance}.next"

    async def begin(self, attempt: Attempt) -> End:
        """Begin an attempt that was written down, and wait for its end."""
        kept = self._kept
        WRITTEN.reach()
        try:
            release = kept.release(attempt.release)
            spec = describe(kept.record, release, kept.surroundings(release), self._run, attempt)
            runtime = kept.machine.runtime(attempt.runtime)
            self._instance = await runtime.start(kept.with_keys(release.number, spec))
        except (PlatformError, OSError) as e:
            return End(None, f"it could not begin: {e}", kept.machine.clock.now())
        finally:
            self._mark_of(attempt).unlink(missing_ok=True)
        BEGUN.reach()
        return await self._wait(attempt, self._instance)

    async def resume(self, attempt: Attempt) -> End | None:
        """Wait for the end of an attempt that an earlier life of the agent wrote down; None when it has not begun."""
        machine = self._kept.machine
        state = machine.instances / attempt.instance
        try:
            runtime = machine.runtime(attempt.runtime)
            found = await runtime.find(state)
            if found is not None:
                return await self._wait(attempt, found)
            if not state.exists():
                is_next = self._mark_of(attempt).exists()
                return None if is_next else End(None, ELSEWHERE, machine.clock.now())
            self._mark_of(attempt).unlink(missing_ok=True)
            await _clear(runtime, machine.label, attempt.instance)
        except PlatformError as e:
            return End(None, f"it cannot be found again: {e}", machine.clock.now())
        return End(None, CUT_SHORT, machine.clock.now())

    async def _wait(self, attempt: Attempt, instance: Instance) -> End:
        clock = self._kept.machine.clock
        limit = timedelta(seconds=self._run.limits.timeout)
        left = attempt.began + limit - clock.now()
        ending = asyncio.ensure_future(instance.wait())
        asked = asyncio.ensure_future(self._is_asked_to_stop.wait())
        waiting: set[asyncio.Future[object]] = {ending, asked}  # type: ignore[arg-type]  # of whatever
        try:
            await asyncio.wait(
                waiting,
                timeout=max(0.0, left.total_seconds()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if ending.done():
                why = ""
            elif self._is_asked_to_stop.is_set():
                why = "the platform was stopped" if self.is_halted else "it was asked to stop"
                await instance.stop(grace=GRACE)
            else:
                why = f"it took longer than {limit.total_seconds():g} s"
                await instance.stop(grace=GRACE)
            exit_ = await ending
        except PlatformError as e:
            return End(None, str(e), clock.now())
        finally:
            asked.cancel()
            if not ending.done():
                ending.cancel()
        OVER.reach()
        # What was ended has not succeeded, whatever it made of the signal.
        code = exit_.code if not why or exit_.code != 0 else None
        return End(code, why or exit_.sentence(), exit_.at or clock.now())


async def _clear(runtime: Runtime, label: str, instance: str) -> None:
    """End what a beginning left that was cut short."""
    for stray in await runtime.strays(label, frozenset()):
        if stray.id == instance:
            await runtime.remove_stray(stray)
