"""Work that must not be left half done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def to_the_end(work: Awaitable[None]) -> None:
    """Run something that must not be left half done, whoever cancels this task meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    task.result()
