"""The public keys by which callees check who calls, as key sets for proxies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from drystone.l20_trust.keys.api import ProxyKeys, Trusted

Jwk = dict[str, Any]


class KeyBook:
    """The published keys of every issuer, as far as somebody asked.

    A change is taken up in two steps, so that no call is refused for it: after :meth:`widen` the keys of before and the
    new ones are good, and after :meth:`settle` the new ones alone.

    Args:
        keys: Knows which are published.
    """

    def __init__(self, keys: ProxyKeys) -> None:
        self._keys = keys
        self._of: dict[str, list[Jwk]] = {}
        self._written: dict[frozenset[str], str] = {}

    def written(self, issuers: Collection[str]) -> str:
        """Return the keys of some issuers as a JSON Web Key Set (RFC 7517 section 5)."""
        wanted = frozenset(issuers)
        if wanted not in self._written:
            keys = [key for issuer in sorted(wanted) for key in self._held(issuer)]
            self._written[wanted] = json.dumps({"keys": keys}, separators=(",", ":"))
        return self._written[wanted]

    def trusted(self, audience: str) -> Sequence[Trusted]:
        """Return which services of other platforms may call one of this."""
        return self._keys.trusted(audience)

    def is_asked_for(self, issuer: str) -> bool:
        """Tell whether anybody ever asked for the keys of an issuer; a change of others concerns no proxy."""
        return issuer in self._of

    def widen(self, issuer: str) -> bool:
        """Let the keys of an issuer be good that are published now, beside those of before.

        Returns:
            Whether any of those before is published no more, so that :meth:`settle` has something to do.
        """
        before, now = self._held(issuer), self._published(issuer)
        gone = [key for key in before if key not in now]
        self._hold(issuer, [*now, *gone])
        return bool(gone)

    def settle(self, issuer: str) -> None:
        """Let the keys of an issuer be good that are published now, and no others."""
        self._hold(issuer, self._published(issuer))

    def _held(self, issuer: str) -> list[Jwk]:
        if issuer not in self._of:
            self._of[issuer] = self._published(issuer)
        return self._of[issuer]

    def _hold(self, issuer: str, keys: list[Jwk]) -> None:
        if self._of.get(issuer) != keys:
            self._of[issuer] = keys
            self._written = {k: v for k, v in self._written.items() if issuer not in k}

    def _published(self, issuer: str) -> list[Jwk]:
        found: list[Jwk] = self._keys.key_set([issuer])["keys"]
        return found
