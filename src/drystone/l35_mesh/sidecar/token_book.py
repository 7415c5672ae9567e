"""The tokens that sidecars add to calls: made ahead, renewed at half of their life, forgotten when nobody calls any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from drystone.l00_kernel.errors import PlatformError
from drystone.l20_trust.keys.api import LONGEST_LIFETIME, Token

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l20_trust.keys.api import ProxyKeys

LIFETIME = LONGEST_LIFETIME
"""Of each token: calls go on for at least half of it when nobody is there to renew them."""

LOOK_EVERY = timedelta(minutes=1)

Pair: TypeAlias = tuple[str, str]
"""Who calls and whom, as issuer and audience."""


class TokenBook:
    """One token for each declared call.

    Args:
        keys: Makes tokens.
        clock: The time.
    """

    def __init__(self, keys: ProxyKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._made: dict[Pair, tuple[Token, datetime]] = {}
        self.missing: dict[Pair, str] = {}
        """Why there is no token for a call; the caller is refused until there is one."""

    @property
    def tokens(self) -> Mapping[Pair, str]:
        """Every token, by who calls and whom."""
        return {pair: token.token for pair, (token, _) in self._made.items()}

    def want(self, pairs: Set[Pair]) -> None:
        """Have a token for these calls and for no others; those that are there stay as they are."""
        self._made = {pair: made for pair, made in self._made.items() if pair in pairs}
        self.missing = {pair: why for pair, why in self.missing.items() if pair in pairs}
        for pair in pairs - self._made.keys():
            self._make(pair)

    def renew(self, issuers: Collection[str] = ()) -> bool:
        """Make new tokens in place of those past half of their life, and of every token of some issuers, whose keys are others.

        Returns:
            Whether any token is new.
        """
        now = self._clock.now()
        due = [
            pair for pair, (_, until) in self._made.items() if now >= until or pair[0] in issuers
        ]
        made = [self._make(pair) for pair in (*due, *self.missing)]  # all of them, so no generator
        return any(made)

    def until_due(self) -> timedelta:
        """Return how long it is until a token is to be renewed; a minute at most, since clocks are set."""
        now = self._clock.now()
        waits = [until - now for _, until in self._made.values()]
        return max(timedelta(seconds=1), min([LOOK_EVERY, *waits]))

    def _make(self, pair: Pair) -> bool:
        issuer, audience = pair
        begun = self._clock.now()
        try:
            token = self._keys.mint(issuer, audience, LIFETIME)
        except PlatformError as e:
            self.missing[pair] = e.message
            return False
        self.missing.pop(pair, None)
        self._made[pair] = (token, begun + LIFETIME / 2)
        return True
