"""Keep the collector of cyclic garbage from stopping the agent for what it has seen already.

With hundreds of services a full collection looks at half a million objects, takes a tenth of a second, and comes with every
few changes. Nearly all of them live as long as their service: whatever a full collection has found alive is left out of the
next ones. What becomes garbage all the same goes by its count of references, and what has cycles with the next look at all.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

LOOK_AT_ALL_EVERY = timedelta(hours=1)


@contextmanager
def old_objects_left_alone() -> Iterator[None]:
    """Have full collections look at what is new since the last one, but for one in an hour, which looks at all.

    It needs a running event loop.
    """
    looking = asyncio.create_task(_look_at_all_for_ever(), name="look at all objects")
    gc.callbacks.append(_leave_alone)
    try:
        yield
    finally:
        looking.cancel()
        gc.callbacks.remove(_leave_alone)
        gc.unfreeze()


def _leave_alone(phase: str, about: Mapping[str, int]) -> None:
    if phase == "stop" and about["generation"] == 2:  # the oldest
        gc.freeze()


async def _look_at_all_for_ever() -> None:
    while True:
        await asyncio.sleep(LOOK_AT_ALL_EVERY.total_seconds())
        gc.unfreeze()
        gc.collect()
