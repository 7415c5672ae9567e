"""The rules of keys: which sign, which are published, and to whom. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import replace
from typing_extensions import override

from drystone.l20_trust.keys.api import (
    LONGEST_LIFETIME,
    Algorithm,
    KeyView,
    State,
    issuer_of,
)

TOLERANCE = timedelta(minutes=5)
"""How far the clocks of those who make and verify tokens may lie apart."""

PUBLISHED_AFTER = LONGEST_LIFETIME + TOLERANCE
"""How long a retired key is published: as long as a token may live that was made with it."""

SPARES = 2
"""How many keys of a service are published to other platforms before they sign: so often it may be given another key
between two looks of theirs."""

REMEMBERED = timedelta(days=1)
"""How long it can be seen that a key was revoked."""


class Key(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One key pair of a service.

    Attributes:
        name: Ends in ``.pem``; the last part of its id. In the order of names, keys have the order in which they were
            made, and none is ever given twice.
        algorithm: What it signs with.
        release: Whose it is.
        made: When; of one that was made ahead, when its release got it.
        public: SubjectPublicKeyInfo in PEM.
        jwk: The same as a JSON Web Key (RFC 7517), without its id.
        private: PKCS #8 in PEM; empty once it signs nothing any more.
        state: See :class:`~drystone.l20_trust.keys.api.KeyView`.
        until: Likewise.
    """

    name: str
    algorithm: Algorithm
    release: int
    made: datetime
    public: str
    jwk: dict[str, str]
    private: str = ""
    state: State = "active"
    until: datetime | None = None

    @override
    def __repr__(self) -> str:
        return f"Key({self.name!r}, release={self.release}, state={self.state!r})"

    def is_published(self, now: datetime) -> bool:
        """Tell whether it can be looked up."""
        return self.state != "revoked" and (self.until is None or now < self.until)


class Ring(msgspec.Struct, frozen=True, omit_defaults=True):
    """The keys of one service in one environment.

    Attributes:
        environment: Where.
        service: Whose.
        keys: Oldest first.
        calls: By release, whom it declares to call.
        spares: Keys that sign next, oldest first. They are nobody's yet, and known to other platforms alone, which would
            learn of a new key too late.
    """

    environment: str
    service: str
    keys: tuple[Key, ...] = ()
    calls: dict[int, tuple[str, ...]] = {}
    spares: tuple[Key, ...] = ()

    @property
    def issuer(self) -> str:
        """The name under which the service issues tokens."""
        return issuer_of(self.environment, self.service)

    def id_of(self, key: Key) -> str:
        """Return what tokens name a key by."""
        return f"{self.issuer}/{key.name}"

    def active(self, release: int | None = None) -> Key | None:
        """Return the key that signs for a release; for the newest that has one when None."""
        found = [
            key
            for key in self.keys
            if key.state == "active" and (release is None or key.release == release)
        ]
        return max(found, key=lambda key: (key.release, key.name), default=None)

    def releases(self) -> list[int]:
        """Return the releases that have a key that signs."""
        return sorted({key.release for key in self.keys if key.state == "active"})

    def audiences(self) -> set[str]:
        """Return all whom it declares to call."""
        return {audience for calls in self.calls.values() for audience in calls}


def name_key(ring: Ring, now: datetime, salt: str) -> str:
    """Name a new key: after every other one of the ring, whatever the clock says, and as none ever was.

    Args:
        ring: The keys that there are.
        now: The time, UTC.
        salt: A few random characters of ``[0-9a-f]``: names of keys that were forgotten do not come back.
    """
    stamp = now.strftime("%Y%m%dt%H%M%S")
    newest = max((key.name for key in (*ring.keys, *ring.spares)), default="")
    name = f"{stamp}-000000-{salt}.pem"
    if name <= newest:
        before, count = newest.split("-")[:2]
        name = f"{before}-{int(count) + 1:06}-{salt}.pem"
    return name


def with_key(ring: Ring, key: Key) -> Ring:
    """Add a key; the one that signed for its release is retired.

    Instances of the release may have the earlier one in their environment and sign with it, so it is published until the
    release ends.
    """
    keys = (
        replace(one, state="retired", private="") if _signs_for(one, key.release) else one
        for one in ring.keys
    )
    return replace(ring, keys=(*keys, key))


def _signs_for(key: Key, release: int) -> bool:
    return key.state == "active" and key.release == release


def without_spare(ring: Ring, algorithm: Algorithm) -> tuple[Ring, Key | None]:
    """Take the spare that signs next, and return what is left; those that sign otherwise are given up.

    Args:
        ring: The keys of a service.
        algorithm: What new keys sign with.
    """
    fit = [key for key in ring.spares if key.algorithm == algorithm]
    return replace(ring, spares=tuple(fit[1:])), fit[0] if fit else None


def with_calls(ring: Ring, release: int, calls: Collection[str]) -> Ring:
    """Note whom a release declares to call."""
    return replace(ring, calls={**ring.calls, release: tuple(sorted(set(calls)))})


def ended(ring: Ring, release: int, now: datetime) -> Ring:
    """Retire the keys of a release of which nothing runs any more."""

    def end(key: Key) -> Key:
        if key.release != release or key.state == "revoked" or key.until is not None:
            return key
        return replace(key, state="retired", until=now + PUBLISHED_AFTER, private="")

    return replace(ring, keys=tuple(map(end, ring.keys)))


def revoked(ring: Ring, names: Collection[str], now: datetime) -> Ring:
    """Revoke some keys; from now on nobody accepts them."""

    def revoke(key: Key) -> Key:
        if key.name not in names or key.state == "revoked":
            return key
        return replace(key, state="revoked", until=now + REMEMBERED, private="")

    return replace(ring, keys=tuple(map(revoke, ring.keys)))


def swept(ring: Ring, now: datetime) -> Ring:
    """Forget keys whose time is over, what releases declared that have none, and spares where nothing signs any more."""
    keys = tuple(key for key in ring.keys if key.until is None or now < key.until)
    needed = {key.release for key in keys}
    calls = {release: called for release, called in ring.calls.items() if release in needed}
    spares = ring.spares if any(key.state == "active" for key in keys) else ()
    return replace(ring, keys=keys, calls=calls, spares=spares)


def key_set(rings: Iterable[Ring], audience: str, now: datetime) -> dict[str, Any]:
    """Return the keys of those who declare to call somebody, as a JSON Web Key Set (RFC 7517 section 5).

    Args:
        rings: Of every service.
        audience: Who is called.
        now: The time.
    """
    return _set_of(
        (ring, key)
        for ring in rings
        for key in ring.keys
        if audience in ring.calls.get(key.release, ()) and key.is_published(now)
    )


def whole_set(rings: Iterable[Ring], now: datetime) -> dict[str, Any]:
    """Return every published key of some rings as a JSON Web Key Set."""
    return _set_of((ring, key) for ring in rings for key in ring.keys if key.is_published(now))


def issuer_set(ring: Ring, now: datetime) -> dict[str, Any]:
    """Return every key by which a service may prove itself until somebody looks again, as a JSON Web Key Set.

    Args:
        ring: The keys of the service.
        now: The time.
    """
    published = [key for key in ring.keys if key.is_published(now)]
    return _set_of((ring, key) for key in (*published, *ring.spares))


def _set_of(found: Iterable[tuple[Ring, Key]]) -> dict[str, Any]:
    keys = [
        {**key.jwk, "kid": ring.id_of(key), "alg": key.algorithm, "use": "sig"}
        for ring, key in found
    ]
    return {"keys": sorted(keys, key=lambda key: key["kid"])}


def view(ring: Ring, key: Key) -> KeyView:
    """Describe a key without its private part."""
    return KeyView(
        id=ring.id_of(key),
        issuer=ring.issuer,
        algorithm=key.algorithm,
        state=key.state,
        release=key.release,
        made=key.made,
        until=key.until,
    )


def data_uri(key_id: str, private: str) -> str:
    """Write a private key as the clients of ASAP read it from ``ASAP_PRIVATE_KEY``."""
    body = "".join(line for line in private.splitlines() if not line.startswith("-----"))
    return f"data:application/pkcs8;kid={quote(key_id, safe='')};base64,{body}"
