"""The keys that sign sessions, and how one takes over from another.

A new key is published for a while before it signs, so that every proxy knows it by then, and the earlier one afterwards
for as long as anything may live that it signed. So a change of keys refuses nobody.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from typing_extensions import override

from drystone.l20_trust.keys.compact_form import decode, encode
from drystone.l35_mesh.signin.compact import VerifyingKey
from drystone.l35_mesh.signin.records import Document
from drystone.l35_mesh.signin.seals import Seal

RENEWED_AFTER = timedelta(days=30)
PUBLISHED_BEFORE = timedelta(minutes=10)
"""How long a new key is known before it signs."""
PUBLISHED_AFTER = timedelta(hours=1)
"""How long an earlier key is known after the last thing that it signed: longer than any of these live."""


class SigningKey(msgspec.Struct, frozen=True):
    """A key on P-256.

    Attributes:
        kid: Its id.
        private: PKCS #8 in PEM.
        public: SubjectPublicKeyInfo in PEM.
        jwk: The public key as a JSON Web Key, without its id.
        signs_from: When it takes over.
    """

    kid: str
    private: str
    public: str
    jwk: dict[str, str]
    signs_from: datetime

    @override
    def __repr__(self) -> str:
        return f"SigningKey({self.kid!r})"


class _Secrets(msgspec.Struct, frozen=True):
    keys: tuple[SigningKey, ...] = ()
    seal: str = ""

    @override
    def __repr__(self) -> str:
        return f"_Secrets({len(self.keys)} keys)"


class SigningKeys:
    """The keys of one home, which are made when they are first needed.

    Args:
        folder: Where the sign-in keeps its files.
    """

    def __init__(self, folder: Path) -> None:
        self._document = Document(folder / "signing.json", _Secrets())

    def changed(self) -> int:
        """Return when the keys last changed, in nanoseconds; 0 before there are any."""
        return self._document.changed()

    def settle(self, now: datetime) -> None:
        """Make the first key where there is none, a new one where the newest is old, and forget what is over."""
        self._document.change(lambda secrets: _settled(secrets, now))

    def rotate(self, now: datetime, *, at_once: bool = False) -> None:
        """Let a new key take over.

        Args:
            now: The time.
            at_once: Do not wait until every proxy knows it, and publish none of the earlier ones any more: what they
                signed is refused. For a key that somebody else has.
        """
        begins = now if at_once else now + PUBLISHED_BEFORE

        def change(secrets: _Secrets) -> _Secrets:
            kept = () if at_once else secrets.keys
            return replace(_settled(secrets, now), keys=(*kept, _new_key(begins)))

        self._document.change(change)

    def signing(self, now: datetime) -> SigningKey:
        """Return the key that signs now."""
        keys = self._keys(now)
        ready = [key for key in keys if key.signs_from <= now]
        return max(ready or keys, key=lambda key: key.signs_from)

    def verifying(self, now: datetime) -> tuple[VerifyingKey, ...]:
        """Return what verifies."""
        return tuple(VerifyingKey(key.kid, "ES256", key.public) for key in self._keys(now))

    def jwks(self, now: datetime) -> dict[str, Any]:
        """Return the public keys as a JSON Web Key Set."""
        return {
            "keys": [
                {**key.jwk, "kid": key.kid, "alg": "ES256", "use": "sig"} for key in self._keys(now)
            ]
        }

    def seal(self, now: datetime) -> Seal:
        """Return what closes and opens notes."""
        return Seal(decode(self._secrets(now).seal.encode()))

    def _keys(self, now: datetime) -> tuple[SigningKey, ...]:
        return self._secrets(now).keys

    def _secrets(self, now: datetime) -> _Secrets:
        secrets = self._document.read()
        if not secrets.keys:
            self.settle(now)
            secrets = self._document.read()
        return secrets


def _settled(secrets: _Secrets, now: datetime) -> _Secrets:
    seal = secrets.seal or encode(os.urandom(32)).decode()
    if not secrets.keys:
        return _Secrets((_new_key(now),), seal)
    keys = list(secrets.keys)
    newest = max(key.signs_from for key in keys)
    if now >= newest + RENEWED_AFTER:
        keys.append(_new_key(now + PUBLISHED_BEFORE))
    return _Secrets(tuple(_still_needed(keys, now)), seal)


def _still_needed(keys: list[SigningKey], now: datetime) -> list[SigningKey]:
    """Leave out the keys that another one replaced so long ago that nothing of theirs lives."""
    begun = sorted(key.signs_from for key in keys)
    return [
        key
        for key in keys
        if (later := next((at for at in begun if at > key.signs_from), None)) is None
        or now < later + PUBLISHED_AFTER
    ]


def _new_key(signs_from: datetime) -> SigningKey:
    from drystone.l20_trust.keys.signing import make_pair  # noqa: PLC0415 - loads cryptography

    pair = make_pair("ES256")
    kid = f"signin-{encode(os.urandom(6)).decode()}"
    return SigningKey(kid, pair.private, pair.public, pair.jwk, signs_from)
