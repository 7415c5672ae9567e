"""The logs that the Envoys of one group write, kept within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.proxy.admin import Admin
from drystone.l10_engines.proxy.refusal_log import LOG_LIMIT, refusals_beside
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.supervision.files import rotate


class Logs:
    """The access log and the log of refusals.

    Several groups may write the same files. Then one of them moves the files away, and the others see that they are others.

    Args:
        settings: Where they are, how large they may become, and whether another group moves them away.
    """

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        self._access = settings.access_log
        self._refusals = refusals_beside(settings.access_log)
        self._opened: tuple[int | None, int | None] | None = None

    async def bound(self, admins: Iterable[Admin]) -> None:
        """Move logs to ``<name>.1`` if they have grown, and let Envoys open new ones.

        Args:
            admins: Of every Envoy of the group.
        """
        if not self._settings.shares_logs:
            limit = self._settings.access_log_limit
            await asyncio.to_thread(rotate, self._access, limit=limit)
            await asyncio.to_thread(rotate, self._refusals, limit=LOG_LIMIT)
        if not self._are_others():
            return
        for admin in admins:
            with suppress(PlatformError):
                await admin.reopen_logs()
        self._opened = (_identity(self._access), _identity(self._refusals))

    def _are_others(self) -> bool:
        """Tell whether the files are not those that the Envoys have open."""
        if self._settings.shares_logs:
            return self._opened != (_identity(self._access), _identity(self._refusals))
        # Not every Envoy has a listener that refuses: then this file is missing from the begin.
        beside = self._refusals.with_name(f"{self._refusals.name}.1")
        is_moved = beside.exists() and not self._refusals.exists()
        return is_moved or not self._access.exists()


def _identity(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
