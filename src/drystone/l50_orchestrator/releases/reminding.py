"""Looks again in time at what waits, whatever becomes of the clock of the database.

A workflow wakes by the database's time. Where that is set back by a day, it would sleep a day longer; so whoever saw it begin to wait
wakes it by a time that nobody can set. Nothing of this is kept: what begins anew is looked at by the database's time again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from drystone.l00_kernel.errors import PlatformError

LATER = timedelta(seconds=2)
"""So much later than the workflow would wake by itself."""


class Reminders:
    """Wakes what has not woken.

    Args:
        wake: Does it, by id.
    """

    def __init__(self, wake: Callable[[str], Awaitable[None]]) -> None:
        self._wake = wake
        self._set: dict[str, asyncio.TimerHandle] = {}
        self._waking: set[asyncio.Task[None]] = set()

    def set(self, id_: str, within: timedelta) -> None:
        """Wake something after a while, unless it is set or forgotten before."""
        self.forget(id_)
        delay = (within + LATER).total_seconds()
        self._set[id_] = asyncio.get_running_loop().call_later(delay, self._fire, id_)

    def forget(self, id_: str) -> None:
        """Do not wake something; it has woken."""
        before = self._set.pop(id_, None)
        if before is not None:
            before.cancel()

    def _fire(self, id_: str) -> None:
        self._set.pop(id_, None)
        waking = asyncio.get_running_loop().create_task(self._one(id_))
        self._waking.add(waking)
        waking.add_done_callback(self._waking.discard)

    async def _one(self, id_: str) -> None:
        with suppress(PlatformError):  # the workflow wakes by itself, too
            await self._wake(id_)
