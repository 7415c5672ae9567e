"""The logs that the Envoys of one group write, kept within bounds."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.proxy.admin import Admin
from drystone.l10_engines.proxy.attempt_log import KEPT, attempts_beside
from drystone.l10_engines.proxy.attempt_log import LOG_LIMIT as ATTEMPTS_LIMIT
from drystone.l10_engines.proxy.refusal_log import LOG_LIMIT, refusals_beside
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.supervision.files import rotate


class Logs:
    """The access log, the log of refusals and that of attempts.

    Several groups may write the same files. Then one of them moves the files away, and the others see that they are others.

    Args:
        settings: Where they are, how large they may become, and whether another group moves them away.
    """

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        self._access = settings.access_log
        self._refusals = refusals_beside(settings.access_log)
        self._attempts = attempts_beside(settings.access_log)
        self._opened: tuple[int | None, ...] | None = None

    async def bound(self, admins: Iterable[Admin]) -> None:
        """Move logs to ``<name>.1`` if they have grown, and let Envoys open new ones.

        Args:
            admins: Of every Envoy of the group.
        """
        if not self._settings.shares_logs:
            limit = self._settings.access_log_limit
            await asyncio.to_thread(rotate, self._access, limit=limit)
            await asyncio.to_thread(rotate, self._refusals, limit=LOG_LIMIT)
            await asyncio.to_thread(rotate, self._attempts, limit=ATTEMPTS_LIMIT)
            await asyncio.to_thread(forget_old, self._attempts, now=time.time())
        if not self._are_others():
            return
        for admin in admins:
            with suppress(PlatformError):
                await admin.reopen_logs()
        self._opened = self._there()

    def _are_others(self) -> bool:
        """Tell whether the files are not those that the Envoys have open."""
        if self._settings.shares_logs:
            return self._opened != self._there()
        # Not every Envoy has a listener that refuses, or one that leads to instances: then a file is missing from the begin.
        is_moved = any(
            one.with_name(f"{one.name}.1").exists() and not one.exists()
            for one in (self._refusals, self._attempts)
        )
        return is_moved or not self._access.exists()

    def _there(self) -> tuple[int | None, ...]:
        return tuple(_identity(one) for one in (self._access, self._refusals, self._attempts))


def forget_old(log: Path, *, now: float) -> None:
    """Empty a log that names users, and remove the one before it, once nothing was written for so long that nobody reads it any more.

    Args:
        log: Of attempts; it need not exist.
        now: Seconds since 1970.
    """
    with suppress(OSError):
        if log.stat().st_size and now - log.stat().st_mtime > KEPT.total_seconds():
            os.truncate(log, 0)  # who writes appends
    beside = log.with_name(f"{log.name}.1")
    with suppress(OSError):
        if now - beside.stat().st_mtime > KEPT.total_seconds():
            beside.unlink()


def _identity(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
