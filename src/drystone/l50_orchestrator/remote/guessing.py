"""How many wrong tokens somebody may try.

Nobody guesses 256 bits. But each try costs a statement of the database, and would be the way to keep it busy. So wrong tokens are counted, by
the address that they come from and together. Whose token was right before is not counted at all: somebody who guesses, from behind the same
address or from everywhere, keeps nobody out who is in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.context import Caller
from drystone.l00_kernel.errors import Unauthenticated
from drystone.l50_orchestrator.remote.errors import TooManyWrongTokens

Authenticate = Callable[[Mapping[str, str]], Awaitable[Caller]]

TOKEN = "authorization"  # noqa: S105 - the name of a header
ADDRESS = "x-forwarded-for"
"""Header in which the edge says who the client is; it takes what others say there away."""

OF_ONE, OF_ALL = 20, 400
"""Wrong tokens at once, of one address and of all of them."""

ONE_AGAIN, ALL_AGAIN = timedelta(seconds=3), timedelta(milliseconds=50)
"""After which one more may be tried."""

_MOST_ADDRESSES = 10_000
_MOST_KNOWN = 10_000


class _Bucket:
    """Tries that are left, and come back with time."""

    def __init__(self, most: int, again: timedelta) -> None:
        self._most, self._again = most, again
        self._left = float(most)
        self._since: timedelta | None = None

    def take(self, now: timedelta) -> bool:
        self._fill(now)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        self._left = min(self._left + 1, self._most)

    def is_full(self, now: timedelta) -> bool:
        self._fill(now)
        return self._left >= self._most

    def _fill(self, now: timedelta) -> None:
        if self._since is not None:
            self._left = min(self._most, self._left + (now - self._since) / self._again)
        self._since = now


class Guesses:
    """An authentication that takes so many wrong tokens and no more.

    Args:
        authenticate: Tells whose a token is.
        clock: The time.
    """

    def __init__(self, authenticate: Authenticate, clock: Clock) -> None:
        self._authenticate = authenticate
        self._clock = clock
        self._all = _Bucket(OF_ALL, ALL_AGAIN)
        self._by_address: dict[str, _Bucket] = {}
        self._known: dict[bytes, None] = {}

    @property
    def addresses(self) -> frozenset[str]:
        """Those of which wrong tokens are counted."""
        return frozenset(self._by_address)

    async def __call__(self, headers: Mapping[str, str]) -> Caller:
        """Tell who asks.

        Raises:
            Unauthenticated: No token was sent, or a wrong one.
            TooManyWrongTokens: Too many were wrong before this one.
        """
        token = headers.get(TOKEN, "")
        if not token:
            raise Unauthenticated("send a token: `Authorization: Bearer dry_…`")
        digest = hashlib.sha256(token.encode()).digest()
        taken = [] if digest in self._known else self._take(headers.get(ADDRESS, ""))
        try:
            caller = await self._authenticate(headers)
        except Unauthenticated:
            self._known.pop(digest, None)
            raise
        except BaseException:  # the database is away, or the caller: nothing is known of the token
            self._give_back(taken)
            raise
        self._give_back(taken)
        while len(self._known) >= _MOST_KNOWN:
            self._known.pop(next(iter(self._known)))
        self._known[digest] = None
        return caller

    def _take(self, address: str) -> list[_Bucket]:
        now = self._clock.monotonic()
        if address not in self._by_address and len(self._by_address) >= _MOST_ADDRESSES:
            self._by_address = {
                key: one for key, one in self._by_address.items() if not one.is_full(now)
            }
            if len(self._by_address) >= _MOST_ADDRESSES:
                self._by_address.clear()  # that of all of them holds
        own = self._by_address.setdefault(address, _Bucket(OF_ONE, ONE_AGAIN))
        if not own.take(now):
            raise TooManyWrongTokens
        if not self._all.take(now):
            own.give_back()
            raise TooManyWrongTokens(
                "too many wrong tokens come from everywhere; try again in a minute"
            )
        return [own, self._all]

    @staticmethod
    def _give_back(taken: list[_Bucket]) -> None:
        for one in taken:
            one.give_back()
