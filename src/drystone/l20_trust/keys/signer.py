"""Makes tokens with keys that it holds loaded: to load one anew for each token would take longer than all the rest."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from drystone.l20_trust.keys import domain, tokens
from drystone.l20_trust.keys.api import Algorithm, Token
from drystone.l20_trust.keys.domain import Key, Ring, name_key

if TYPE_CHECKING:
    from drystone.l20_trust.keys.signing import PrivateKey

MOST_LOADED = 2048
"""Private keys that are held: one for each service that calls others, some two kilobytes each."""


def new_key(ring: Ring, release: int, algorithm: Algorithm, now: datetime) -> Key:
    """Make a key pair for a release."""
    from drystone.l20_trust.keys.signing import make_pair  # noqa: PLC0415 - loads cryptography

    pair = make_pair(algorithm)
    return Key(
        name=name_key(ring, now, secrets.token_hex(4)),
        algorithm=algorithm,
        release=release,
        made=now,
        public=pair.public,
        jwk=pair.jwk,
        private=pair.private,
    )


def with_new_key(ring: Ring, release: int, algorithm: Algorithm, now: datetime) -> Ring:
    """Let a release sign with a key that it did not have; with one that others know already, if there is one."""
    left, key = domain.without_spare(ring, algorithm)
    key = replace(key, release=release, made=now) if key else new_key(left, release, algorithm, now)
    return domain.with_key(left, key)


def with_spares(ring: Ring, algorithm: Algorithm, now: datetime) -> Ring:
    """Add keys that sign next, where something signs at all."""
    while ring.active() and len(ring.spares) < domain.SPARES:
        ring = replace(ring, spares=(*ring.spares, new_key(ring, 0, algorithm, now)))
    return ring


class Signer:
    """Signs with the keys of many services; may be used from any thread."""

    def __init__(self) -> None:
        self._loaded: dict[str, PrivateKey] = {}
        self._lock = threading.Lock()

    def token(
        self, ring: Ring, key: Key, *, audience: str, lifetime: timedelta, now: datetime
    ) -> Token:
        """Make a token with a key of a service.

        Args:
            ring: The keys of who calls.
            key: The one that signs.
            audience: Whom.
            lifetime: From now on.
            now: The time.

        Raises:
            TokenUnfit: The audience or the lifetime cannot be.
        """
        from drystone.l20_trust.keys.signing import sign  # noqa: PLC0415 - loads cryptography

        name = ring.id_of(key)
        made = tokens.make(
            issuer=ring.issuer,
            audience=audience,
            key_id=name,
            algorithm=key.algorithm,
            now=now,
            lifetime=lifetime,
            unique=secrets.token_urlsafe(16),
            sign=lambda message: sign(self._load(name, key), message),
        )
        ends = int(now.timestamp()) + int(lifetime.total_seconds())
        return Token(made, name, datetime.fromtimestamp(ends, tz=now.tzinfo))

    def keep_only(self, issuer: str, ids: Collection[str]) -> None:
        """Forget the keys of an issuer other than these."""
        with self._lock:
            for name in [name for name in self._loaded if name.rpartition("/")[0] == issuer]:
                if name not in ids:
                    del self._loaded[name]

    def _load(self, name: str, key: Key) -> PrivateKey:
        from drystone.l20_trust.keys.signing import load_private  # noqa: PLC0415

        found = self._loaded.get(name)
        if found is None:
            found = load_private(key.private)
            with self._lock:
                if len(self._loaded) >= MOST_LOADED:
                    self._loaded.pop(next(iter(self._loaded)))
                self._loaded[name] = found
        return found
