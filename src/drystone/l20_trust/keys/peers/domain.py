"""The rules of trust in other platforms: what may be said, and what of their answers is believed. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec

from drystone.l20_trust.keys.api import Trusted
from drystone.l20_trust.keys.errors import PeerUnfit
from drystone.l20_trust.keys.peers.api import PeerSaid

MOST_PEERS = 32
MOST_ISSUERS = 64
MOST_KEYS = 500
"""Of one issuer: one that has more is not followed any more, and what was known of it stays."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,39}/[a-z][a-z0-9-]{0,39}")
_KEY_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_LAST = "/keys/"
"""What ends the address under which instances find a repository."""

Jwk: TypeAlias = dict[str, Any]


class Peer(msgspec.Struct, frozen=True):
    """A platform whose keys are trusted.

    Attributes:
        name: What it is called here.
        said: What is trusted of it.
        since: When somebody said so.
        by: Who.
    """

    name: str
    said: PeerSaid
    since: datetime
    by: str

    def sources(self) -> list[Trusted]:
        """Return its issuers, with what their keys are known by."""
        return [Trusted(f"{issuer}@{self.name}", issuer) for issuer in self.said.issuers]


class _Document(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


def checked(name: str, said: PeerSaid) -> PeerSaid:
    """Return what was said of a peer in its one form.

    Raises:
        PeerUnfit: It cannot be.
    """
    if not _NAME.fullmatch(name):
        raise PeerUnfit(
            f"{name[:60]!r} is no name: it has small letters, digits and -, at most 40 of them, and begins with a letter"
        )
    for what, services in (("issuer", said.issuers), ("callee", said.callees)):
        if not 1 <= len(services) <= MOST_ISSUERS:
            raise PeerUnfit(f"name 1 to {MOST_ISSUERS} {what}s, not {len(services)}")
        for one in services:
            if not _SERVICE.fullmatch(one):
                raise PeerUnfit(
                    f"{one[:100]!r} is no {what}: it is <environment>/<service>, such as dev/checkout"
                )
    if not 1 <= len(said.repositories) <= 2:
        raise PeerUnfit("name the key repository of the other platform, and perhaps its copy")
    return PeerSaid(
        repositories=tuple(_checked_url(url) for url in said.repositories),
        authority=said.authority,
        issuers=tuple(sorted(set(said.issuers))),
        callees=tuple(sorted(set(said.callees))),
    )


def _checked_url(url: str) -> str:
    try:
        place = urlsplit(url)
        is_fit = place.scheme == "https" and bool(place.hostname) and place.port != 0
    except ValueError:
        is_fit = False
    is_plain = url.isascii() and url.isprintable() and not re.search(r"[\s?#@\\]", url)
    if not is_fit or not is_plain or len(url) > 300:
        raise PeerUnfit(
            f"{url[:100]!r} is no key repository: its address is https://HOST[:PORT]/, as `drystone keys repository` tells"
            " it over there"
        )
    whole = url if url.endswith("/") else f"{url}/"
    return whole.removesuffix(_LAST[1:]) if whole.endswith(_LAST) else whole


def keys_in(document: bytes, issuer: str) -> list[Jwk]:
    """Return the keys by which an issuer proves itself, as a repository tells them.

    Args:
        document: What it answered.
        issuer: Whose keys it was asked for.

    Raises:
        ValueError: It is no such answer; the message quotes nothing of it.
    """
    from drystone.l20_trust.keys.signing import public_jwk  # noqa: PLC0415 - loads cryptography

    try:
        found = msgspec.json.decode(document, type=_Document).keys
    except (ValueError, RecursionError):
        raise ValueError("it answers no JSON Web Key Set") from None
    if len(found) > MOST_KEYS:
        raise ValueError(f"it has {len(found)} keys of {issuer}; {MOST_KEYS} are the most")
    keys = dict[str, Jwk]()
    for one in found:
        key_id, key = one.get("kid"), public_jwk(one)
        owner, _, name = key_id.rpartition("/") if isinstance(key_id, str) else ("", "", "")
        if owner != issuer or not _KEY_NAME.fullmatch(name):
            raise ValueError(f"it has a key that is not one of {issuer}")
        if key is None or key_id in keys:
            raise ValueError(f"it has a key of {issuer} that is none, or two of one id")
        keys[f"{owner}/{name}"] = {**key, "kid": f"{owner}/{name}", "use": "sig"}
    return [keys[key_id] for key_id in sorted(keys)]


def allowed(
    peers: Collection[Peer],
    known: Mapping[str, list[Jwk]],
    source: str,
    own: Collection[str],
) -> list[Jwk]:
    """Return the keys of a source that count: an id means the key of this platform, or of the first peer that has it.

    Args:
        peers: All that are trusted, in the order in which they count.
        known: By source, the keys that its platform told.
        source: Whose keys.
        own: Ids of every key that this platform has or had of the same issuer.
    """
    taken = set(own)
    for peer in peers:
        for one in peer.sources():
            if one.source == source:
                return [key for key in known.get(source, ()) if key["kid"] not in taken]
            taken |= {key["kid"] for key in known.get(one.source, ())}
    return []
