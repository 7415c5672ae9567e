"""Run one command with the code, settings and resources of the release that serves."""

from __future__ import annotations

import asyncio
import codecs
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.removal import remove_tree
from drystone.l25_deployer.api import ExecOutput
from drystone.l25_deployer.errors import NoInstance
from drystone.l25_deployer.local.blueprints import one_off

if TYPE_CHECKING:
    from drystone.l25_deployer.local.kept_service import KeptService

LIMIT = timedelta(hours=12)


async def execute(kept: KeptService, command: list[str]) -> AsyncIterator[ExecOutput]:
    """Yield the command's output as it comes and, last, its exit code.

    The command ends when the caller stops listening.

    Raises:
        NoInstance: Nothing is deployed to take code and settings from.
    """
    release = kept.active_release()
    if release is None:
        raise NoInstance(f"{kept.name} has no release whose code could run; deploy it first")
    words = tuple((word,) for word in command)
    spec = one_off(kept.record, release, kept.surroundings(release), words, secrets.token_hex(4))
    spec = kept.with_keys(release.number, spec)
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
    runtime = kept.machine.runtime(release.isolation)
    running = asyncio.create_task(runtime.run_once(spec, output=pieces.put_nowait, limit=LIMIT))
    running.add_done_callback(lambda _: pieces.put_nowait(None))
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    try:
        while (piece := await pieces.get()) is not None:
            if text := decoder.decode(piece):
                yield ExecOutput(text)
        ended = await running
        yield ExecOutput(exit_code=ended.code if ended.code is not None else 1)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        with suppress(OSError):
            await asyncio.to_thread(remove_tree, spec.state)
