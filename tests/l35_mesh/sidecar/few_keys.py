"""Service keys that are numbers, for what has to do with their changes alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from typing_extensions import override

from drystone.l20_trust.keys.api import DEFAULT_LIFETIME, ProxyKeys, Token, Trusted
from drystone.l20_trust.keys.errors import NoKeys

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = BEGIN

    def now(self) -> datetime:
        return self.at


class FewKeys(ProxyKeys):
    """Keys that are numbers: the first one of an issuer signs, all are published."""

    def __init__(self, clock: Hands) -> None:
        self.of: dict[str, list[int]] = {}
        self.named: dict[str, Sequence[Trusted]] = {}
        self.clock = clock
        self._told: list[Callable[[str], None]] = []
        self.made = 0

    def change(self, issuer: str, *keys: int) -> None:
        self.of[issuer] = list(keys)
        for told in self._told:
            told(issuer)

    @property
    @override
    def generation(self) -> int:
        return 0

    @override
    def watch(self, told: Callable[[str], None]) -> Callable[[], None]:
        self._told.append(told)
        return lambda: self._told.remove(told)

    @override
    def key_set(self, issuers: Collection[str]) -> dict[str, Any]:
        return {"keys": [{"kid": f"{i}/{k}"} for i in sorted(issuers) for k in self.of.get(i, [])]}

    @override
    def trusted(self, audience: str) -> Sequence[Trusted]:
        return self.named.get(audience, ())

    @override
    def mint(self, issuer: str, audience: str, lifetime: timedelta = DEFAULT_LIFETIME) -> Token:
        if not self.of.get(issuer):
            raise NoKeys(f"{issuer} has no key")
        self.made += 1
        key = f"{issuer}/{self.of[issuer][0]}"
        return Token(f"{key} {audience} {self.made}", key, self.clock.now() + lifetime)
