"""Start the platform as a recovery from nothing, layer by layer; stop it from the top.

The platform's parts are described like every service: their descriptors name layers and dependencies, and the
order is computed from them. Nothing here knows which part comes first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l25_deployer.api import StartupStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drystone.l00_kernel.clock import Clock


PART_BEGUN = FaultPoint("up.part.begun", "a part or a service is about to start with the platform")
PART_STARTED = FaultPoint("up.part.started", "a part or a service has started with the platform")
PART_STOPPED = FaultPoint("down.part.ended", "a part or a service has ended with the platform")

ADOPTED = "adopted"
"""What a part's start returns when it was found running."""


class Part(msgspec.Struct, frozen=True):
    """Something that starts with the platform.

    Attributes:
        name: Its name.
        layer: Its height in the cake.
        start: Starts it, or adopts it; says which, or a remark.
        stop: Ends it.
        is_needed: Whether it starts with the platform; an engine that nobody uses starts when somebody does.
        is_running: Whether there is something to end.
    """

    name: str
    layer: int
    start: Callable[[], Awaitable[str]]
    stop: Callable[[], Awaitable[None]]
    is_needed: bool = True
    is_running: Callable[[], bool] = lambda: True


class Startup:
    """Runs the start-up once and lets any number of callers watch it, from the first step on.

    Args:
        clock: Tells when each step was.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.steps: list[StartupStep] = []
        self.is_over = False
        self._forgotten: set[str] = set()
        self._changed = asyncio.Event()

    @property
    def failures(self) -> list[str]:
        """What did not start, and why."""
        return [f"{step.name}: {step.text}" for step in self.final() if step.state == "failed"]

    def final(self) -> list[StartupStep]:
        """Return the last step of each part, in order of appearance."""
        last = {step.name: step for step in self.steps}
        return [step for name, step in last.items() if name not in self._forgotten]

    def add(self, step: StartupStep) -> None:
        """Report a step; those that follow the end replace what was said before of the same part."""
        self.steps.append(msgspec.structs.replace(step, at=self._clock.now()))
        if self.is_over:
            self.steps = self.final()
        self._wake()

    def end(self) -> None:
        """Report that nothing follows."""
        self.is_over = True
        self._wake()

    async def watch(self) -> AsyncIterator[StartupStep]:
        """Yield every step from the first, until the end."""
        seen = 0
        while True:
            while seen < len(self.steps):
                yield self.steps[seen]
                seen += 1
            if self.is_over:
                return
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def run(self, waves: Sequence[Sequence[Part]]) -> list[Part]:
        """Start the parts of each wave together, one wave after the other; return those that failed.

        A part that fails is reported; what comes after is tried all the same, so that one broken engine does
        not keep down what can do without it.
        """
        failed = []
        for wave in waves:
            needed = [part for part in wave if part.is_needed]
            started = await asyncio.gather(*(self.start(part) for part in needed))
            failed += [part for part, is_up in zip(needed, started, strict=True) if not is_up]
        return failed

    async def start(self, part: Part) -> bool:
        """Start one part, report how it went, and return whether it is up."""
        self.add(StartupStep(part.layer, part.name, "starting"))
        return await self.start_again(part)

    async def start_again(self, part: Part) -> bool:
        """Try once more to start a part that failed, which it is reported as until it is up."""
        begun = time.monotonic()
        try:
            PART_BEGUN.reach()
            remark = await part.start()
            PART_STARTED.reach()
        except (PlatformError, OSError) as e:
            seconds = round(time.monotonic() - begun, 3)
            self.add(StartupStep(part.layer, part.name, "failed", seconds, str(e)))
            return False
        seconds = round(time.monotonic() - begun, 3)
        if remark == ADOPTED:
            self.add(StartupStep(part.layer, part.name, "adopted", seconds))
        else:
            self.add(StartupStep(part.layer, part.name, "ready", seconds, remark))
        return True

    def forget(self, part: Part) -> None:
        """Report nothing more of a part that is no longer to start."""
        self._forgotten.add(part.name)


async def stop_parts(waves: Sequence[Sequence[Part]]) -> AsyncIterator[StartupStep]:
    """End the parts from the last wave to the first, those of a wave together, and tell."""
    for wave in reversed(waves):
        running = [part for part in wave if part.is_running()]
        for part in running:
            yield StartupStep(part.layer, part.name, "starting", text="stopping")
        for ended in asyncio.as_completed([_stop(part) for part in running]):
            yield await ended


async def _stop(part: Part) -> StartupStep:
    begun = time.monotonic()
    try:
        await part.stop()
        PART_STOPPED.reach()
    except PlatformError as e:
        return StartupStep(part.layer, part.name, "failed", text=str(e))
    except Exception as e:  # noqa: BLE001 - a mistake of ours; the others are to end all the same
        return StartupStep(part.layer, part.name, "failed", text=f"broke off: {e!r}")
    seconds = round(time.monotonic() - begun, 3)
    return StartupStep(part.layer, part.name, "ready", seconds, "stopped")
