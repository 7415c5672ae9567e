"""Follow service keys: what is published, replaced or revoked reaches every sidecar, and no token grows old."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError

if TYPE_CHECKING:
    from drystone.l00_kernel.ports import Log
    from drystone.l20_trust.keys.api import ProxyKeys
    from drystone.l35_mesh.sidecar.key_book import KeyBook
    from drystone.l35_mesh.sidecar.token_book import TokenBook


RETRY_AFTER = timedelta(seconds=1)


class Following:
    """Brings changes of keys, and new tokens, to the proxies.

    Args:
        keys: Tells of changes.
        book: What callees check by.
        tokens: What callers prove themselves with.
        publish: Brings both to the proxies; returns when they have them.
        log: Where to say what went wrong; it is tried again until it goes well, so that a revoked key is good nowhere for long.
    """

    def __init__(
        self,
        *,
        keys: ProxyKeys,
        book: KeyBook,
        tokens: TokenBook,
        publish: Callable[[], Awaitable[None]],
        log: Log,
    ) -> None:
        self._keys = keys
        self._book = book
        self._tokens = tokens
        self._publish = publish
        self._log = log
        self._changed: dict[str, None] = {}
        self._is_behind = False
        """Whether the proxies may lack what was to be published."""
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._end: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Follow from now on. Idempotent."""
        if self._task is not None:
            return
        loop = asyncio.get_running_loop()

        def told(issuer: str) -> None:  # from any thread, perhaps when the loop is gone
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._note, issuer)

        self._end = self._keys.watch(told)
        self._task = loop.create_task(self._follow(), name="follow service keys")

    async def stop(self) -> None:
        """Follow no more; proxies keep what they have. Idempotent."""
        self._end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def _note(self, issuer: str) -> None:
        self._changed[issuer] = None
        self._woken.set()

    async def _follow(self) -> None:
        while True:
            pause = RETRY_AFTER if self._is_behind else self._tokens.until_due()
            try:
                async with asyncio.timeout(pause.total_seconds()):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            changed, self._changed = self._changed, {}
            try:
                await self._take_up(changed)
                self._is_behind = False
            except (OSError, PlatformError) as e:
                self._changed = {**changed, **self._changed}
                self._is_behind = True
                self._log.warning("sidecars do not follow the service keys", error=e)

    async def _take_up(self, changed: dict[str, None]) -> None:
        """Bring new keys first, then tokens that are made with them, and only then take keys away that are published no more."""
        asked_for = [issuer for issuer in changed if self._book.is_asked_for(issuer)]
        unsettled = [issuer for issuer in asked_for if self._book.widen(issuer)]
        if asked_for or self._is_behind:
            await self._publish()
        if self._tokens.renew(changed):
            await self._publish()
        for issuer in unsettled:
            self._book.settle(issuer)
        if unsettled:
            await self._publish()
