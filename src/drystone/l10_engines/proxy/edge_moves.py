"""What the edge is told of a service that moves to another address, or back from there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from drystone.l10_engines.proxy.edge_endpoints import Endpoint, Protocol, check_endpoint
from drystone.l10_engines.proxy.errors import InvalidProxyConfig

WHOLE = 10_000
"""The share of everything: shares are hundredths of a percent."""

HOP = "x-drystone-hop"
"""Header in which a request carries the names of the platforms that sent it on."""

COPY = "x-drystone-copy"
"""Header of a request that only compares both sides: no platform copies it again."""

SIDE = "x-drystone-side"
"""Header in which whoever compares says which side it asks."""

_LONGEST_SOCKET = 107
"""Bytes in the path of a unix socket (unix(7))."""

MOST_ADDRESSES = 3
"""As many as retries there are, so that the last one always reaches the side that is left."""

MOST_RULES = 8

_LABEL = re.compile(r"[a-z0-9]{8,64}")
_HEADER = re.compile(r"[a-z][a-z0-9-]{0,63}")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?(:[0-9]{1,5})?")
_VALUE = re.compile(r"[\x20-\x7e]{1,256}")


class Rule(msgspec.Struct, frozen=True):
    """Requests that go to the other side whatever the share is.

    Attributes:
        header: Its name, lower case.
        value: Exactly this.
    """

    header: str
    value: str


class Sticky(msgspec.Struct, frozen=True):
    """What tells clients apart who shall stay on one side; a request without it is given to either by chance.

    Attributes:
        cookie: Name of a cookie, which the service sets.
        header: Name of a header, if there is no cookie.
    """

    cookie: str | None = None
    header: str | None = None


class Encryption(msgspec.Struct, frozen=True):
    """How the other side proves who it is (TLS).

    Attributes:
        name: The name in its certificate, by which it is asked for (SNI).
        authorities: PEM file with those who may have signed it.
    """

    name: str
    authorities: Path


class Mirror(msgspec.Struct, frozen=True):
    """Copies of safe requests go to somebody who asks both sides and compares.

    Attributes:
        share: How many of them, in hundredths of a percent.
        copies: The socket to which copies go; nobody waits for an answer.
        sides: The socket at which the proxy lets both sides be asked; whoever may connect is believed.
    """

    share: int
    copies: Path
    sides: Path


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Where a service moves, and how far it has come.

    Attributes:
        label: This platform, for the loop guard: letters and digits.
        addresses: The other side.
        share: How much of the requests goes there, in hundredths of a percent.
        rules: Requests that go there in any case.
        sticky: How a client stays on its side; None leaves each request to chance.
        host: What the other side is asked for in place of what the client asked for.
        tls: How it is encrypted; None for plain text.
        protocol: What the other side speaks; None for what the instances here do.
        has_fallback: Whether this side takes what the other does not.
        mirror: How both sides are compared, if they are.
    """

    label: str
    addresses: tuple[Endpoint, ...]
    share: int = 0
    rules: tuple[Rule, ...] = ()
    sticky: Sticky | None = None
    host: str | None = None
    tls: Encryption | None = None
    protocol: Protocol | None = None
    has_fallback: bool = True
    mirror: Mirror | None = None


def check_move(move: Move, owner: str) -> None:
    """Refuse what Envoy would refuse, or read in another way than it is meant.

    Raises:
        InvalidProxyConfig: An address, share, header or name cannot be.
    """
    if not _LABEL.fullmatch(move.label):
        raise InvalidProxyConfig(f"{move.label!r} cannot name a platform in the header {HOP}")
    if not 1 <= len(move.addresses) <= MOST_ADDRESSES or len(set(move.addresses)) != len(
        move.addresses
    ):
        raise InvalidProxyConfig(
            f"{owner} can move to one to {MOST_ADDRESSES} different addresses, not {len(move.addresses)}"
        )
    for endpoint in move.addresses:
        check_endpoint(endpoint, f"the other side of {owner}")
    if not 0 <= move.share <= WHOLE:
        raise InvalidProxyConfig(f"the share of {owner} lies outside 0 to {WHOLE} (100 %)")
    for name in (move.host, move.tls.name if move.tls else None):
        if name is not None and not _HOST.fullmatch(name):
            raise InvalidProxyConfig(f"{name!r} cannot be the host of the other side of {owner}")
    _check_headers(move, owner)
    if move.mirror is not None:
        _check_mirror(move.mirror, owner)


def _check_mirror(mirror: Mirror, owner: str) -> None:
    if not 0 < mirror.share <= WHOLE:
        raise InvalidProxyConfig(
            f"the share of {owner} that is compared lies outside 1 to {WHOLE} (100 %)"
        )
    for path in (mirror.copies, mirror.sides):
        if not path.is_absolute() or len(os.fsencode(path)) > _LONGEST_SOCKET:
            raise InvalidProxyConfig(
                f"{path} cannot be a socket of {owner}: it must be absolute, with {_LONGEST_SOCKET} bytes at most"
            )


def _check_headers(move: Move, owner: str) -> None:
    if len(move.rules) > MOST_RULES:
        raise InvalidProxyConfig(f"{owner} can have {MOST_RULES} rules, not {len(move.rules)}")
    sticky = move.sticky or Sticky()
    if move.sticky and (sticky.cookie is None) == (sticky.header is None):
        raise InvalidProxyConfig(
            f"clients of {owner} stay by a cookie or by a header, by one of both"
        )
    named = [rule.header for rule in move.rules] + [*filter(None, (sticky.cookie, sticky.header))]
    for name in named:
        if not _HEADER.fullmatch(name):
            raise InvalidProxyConfig(
                f"{name!r} of {owner} names no header or cookie: use lower-case letters, digits and -"
            )
    for rule in move.rules:
        if not _VALUE.fullmatch(rule.value):
            raise InvalidProxyConfig(
                f"the value of {rule.header} for {owner} must be 1 to 256 printable ASCII characters"
            )
