"""Tokens in files: what instances send that make none themselves."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from drystone.l20_trust.keys import tokens
from drystone.l20_trust.keys.api import LONGEST_LIFETIME

if TYPE_CHECKING:
    from drystone.l20_trust.keys.domain import Key, Ring
    from drystone.l20_trust.keys.signer import Signer
    from drystone.l20_trust.keys.store import Store


class TokenFiles:
    """Puts fresh tokens where the instances of each release find them.

    Args:
        store: Where that is.
        signer: Makes them.
    """

    def __init__(self, store: Store, signer: Signer) -> None:
        self._store = store
        self._signer = signer

    def hand(self, ring: Ring, now: datetime) -> None:
        """Renew those of a service that have to be.

        Raises:
            DiskFull: There is no room for one.
        """
        for release in ring.releases():
            key = ring.active(release)
            if key is not None:
                self._store.renew_tokens(ring, release, partial(self._renewed, ring, key, now))

    def _renewed(self, ring: Ring, key: Key, now: datetime, audience: str, token: str) -> str:
        if tokens.is_fresh(token, key_id=ring.id_of(key), now=now):
            return token
        made = self._signer.token(ring, key, audience=audience, lifetime=LONGEST_LIFETIME, now=now)
        return made.token
