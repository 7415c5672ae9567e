"""The keys of this platform and of those that it trusts, as proxies go by them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from drystone.l20_trust.keys.api import DEFAULT_LIFETIME, ProxyKeys, Token, Trusted

if TYPE_CHECKING:
    from drystone.l20_trust.keys.peers.service import Peers
    from drystone.l20_trust.keys.service import Keys


class JoinedKeys(ProxyKeys):
    """Keys by which callees check who calls, wherever that is from.

    Args:
        own: Those of this platform, which alone make tokens.
        peers: Those that others told.
    """

    def __init__(self, own: Keys, peers: Peers) -> None:
        self._own = own
        self._peers = peers

    @property
    @override
    def generation(self) -> int:
        return self._own.generation + self._peers.changes.count

    @override
    def watch(self, told: Callable[[str], None]) -> Callable[[], None]:
        def told_of_own(issuer: str) -> None:
            told(issuer)
            for source in self._peers.sources_of(issuer):
                told(source)  # an id of this platform hides the same one of another

        ends = self._own.watch(told_of_own), self._peers.changes.watch(told)

        def end() -> None:
            for one in ends:
                one()

        return end

    @override
    def key_set(self, issuers: Collection[str]) -> dict[str, Any]:
        sources = sorted(one for one in set(issuers) if "@" in one)
        keys = list(self._own.key_set([one for one in issuers if "@" not in one])["keys"])
        for source in sources:
            keys += self._peers.key_set(source)
        return {"keys": sorted(keys, key=lambda key: str(key["kid"]))}

    @override
    def trusted(self, audience: str) -> Sequence[Trusted]:
        return self._peers.trusted_by(audience)

    @override
    def mint(self, issuer: str, audience: str, lifetime: timedelta = DEFAULT_LIFETIME) -> Token:
        return self._own.mint(issuer, audience, lifetime)
