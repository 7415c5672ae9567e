"""Work that stops when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from drystone.l00_kernel.errors import DeadlineExceeded


@asynccontextmanager
async def within(limit: timedelta | None, what: str) -> AsyncIterator[None]:
    """Cancel the enclosed work when a time is over.

    Args:
        limit: The time; None for no limit.
        what: What is being done, for the message.

    Raises:
        DeadlineExceeded: The time is over. A TimeoutError of the work's own passes unchanged.
    """
    seconds = None if limit is None else limit.total_seconds()
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            yield
    except TimeoutError as e:
        if timeout.expired():
            raise DeadlineExceeded(
                f"{what} took longer than the {seconds:g} s that were left"
            ) from e
        raise
