"""Follow an operation on a service to its end."""

from __future__ import annotations

import asyncio
import textwrap
import time
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l85_surfaces.cli.errors import Interrupted
from drystone.l85_surfaces.cli.interrupts import first_interrupt
from drystone.l85_surfaces.cli.progress import Steps
from drystone.l85_surfaces.cli.terminal import Style, remark
from drystone.l85_surfaces.cli.views.times import taken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from drystone.l25_deployer.api import Progress
    from drystone.l85_surfaces.cli.terminal import Terminal

NAME_WIDTH = 10


async def follow(
    stream: AsyncIterator[Progress], out: Terminal, *, abort: Callable[[], Awaitable[str]]
) -> None:
    """Show the progress of an operation until it ends.

    The first Ctrl-C asks the platform to abort and waits for what comes of it; the second leaves at once.
    While the operation waits for another one, an abort would hit that other one, so none is asked for.

    Args:
        stream: The operation's progress.
        out: Where to.
        abort: Asks the platform to abort this operation; returns what serves now, in words.

    Raises:
        PlatformError: The operation failed.
        Interrupted: Ctrl-C was pressed once; the message says what came of it.
        KeyboardInterrupt: Ctrl-C was pressed twice.
    """
    following = _Following(stream, out)
    with first_interrupt() as pressed:
        reading = asyncio.create_task(following.show())
        waiting = asyncio.create_task(pressed.wait())
        try:
            await asyncio.wait((reading, waiting), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                if following.waits:
                    raise Interrupted(
                        "left; the operation waits for another one and then goes on by itself"
                    )
                remark("aborting; Ctrl-C again leaves at once, and the operation goes on")
                raise await _aborted(reading, abort)
            await reading
        finally:
            waiting.cancel()
            reading.cancel()
            await asyncio.wait((reading, waiting))


async def _aborted(reading: asyncio.Task[None], abort: Callable[[], Awaitable[str]]) -> Interrupted:
    """Ask the platform to abort and wait until the operation has ended.

    Returns:
        What to tell.
    """
    try:
        serves = await abort()
    except PlatformError as e:
        # Too late, or too early: what counts is how the operation itself ends.
        serves = e.message
    try:
        await reading
    except PlatformError:
        return Interrupted(f"aborted; {serves}")
    return Interrupted(f"not aborted, the operation had ended; {serves}")


class _Following:
    """Shows a stream and knows whether the operation has yet to begin."""

    def __init__(self, stream: AsyncIterator[Progress], out: Terminal) -> None:
        self._stream, self._out = stream, out
        self._began = time.monotonic()
        self.waits = False

    async def show(self) -> None:
        with Steps(self._out) as steps:
            async for progress in self._stream:
                if progress.step == "wait":
                    self.waits = progress.state in {"began", "info"}
                self._out.record(progress)
                self._show_one(progress, steps)

    def _show_one(self, progress: Progress, steps: Steps) -> None:
        name = progress.step.ljust(NAME_WIDTH)
        if progress.step == "done":
            steps.line(self._last_line(progress))
        elif progress.state == "began":
            steps.began(progress.step, f"{name} {progress.text}")
        elif progress.state == "info":
            steps.line(textwrap.indent(progress.text, "    "))
        else:
            steps.ended(progress.step)
            sign = steps.mark(good=progress.state == "ended")
            steps.line(f"{sign} {name} {taken(progress.seconds):>8}  {progress.text}".rstrip())

    def _last_line(self, progress: Progress) -> str:
        """Return what to remember: what happened, how long it took, where the service is."""
        seconds = progress.seconds
        total = time.monotonic() - self._began if seconds is None else seconds
        text = self._out.paint(progress.text, Style.NAME)
        return f"{text}  {taken(total)}  {progress.url or ''}".rstrip()
