"""The rules of a migration: what an address means, what a share is, when the other side counts as failing. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from drystone.l10_engines.proxy.edge_endpoints import Endpoint
from drystone.l10_engines.proxy.edge_moves import (
    COPY,
    HOP,
    MOST_ADDRESSES,
    WHOLE,
    Encryption,
    Mirror,
    Move,
    Rule,
    Sticky,
)
from drystone.l35_mesh.migration.api import Counted, State, Target, Who
from drystone.l35_mesh.migration.errors import ShareUnfit, TargetUnfit

PER_PERCENT = WHOLE // 100

_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_TOKEN = re.compile(r"[a-z][a-z0-9-]{0,63}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,254}[\x21-\x7e])?")
_SHAPE = "write HOST:PORT, http://HOST[:PORT] or https://HOST[:PORT]"

LEAST_FAILURES = 5
"""Fewer failures of the other side may be chance."""

LEAST_RATE = 0.05
"""A share of failures that is never taken for a reason to go back, however well this side does."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An address that was read.

    Attributes:
        host: Host name or IP address.
        port: TCP port.
        asked_for: The host that the other side is asked for; None keeps what the client asked for.
        is_encrypted: Whether it is spoken to by TLS.
    """

    host: str
    port: int
    asked_for: str | None
    is_encrypted: bool

    @property
    def address(self) -> str | None:
        """The host, if it is an IP address and not a name."""
        try:
            return str(ipaddress.ip_address(self.host))
        except ValueError:
            return None


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down about one migration.

    Attributes:
        environment: Where the service is deployed.
        service: Its name.
        target: Where it moves.
        since: When it began.
        by: Who began it.
        addresses: Where the name of the other side led when it was last asked.
        share: How much goes over, in hundredths of a percent.
        who: What goes over in any case.
        sticky: ``cookie:NAME``, ``header:NAME`` or nothing.
        state: See ``MigrationView``.
        reason: Why everything is here.
        mirror: By how much of the safe requests both sides are compared, in hundredths of a percent.
        ignored: What may differ.
    """

    environment: str
    service: str
    target: Target
    since: datetime
    by: str
    addresses: tuple[str, ...]
    share: int = 0
    who: tuple[Who, ...] = ()
    sticky: str = ""
    state: State = "moving"
    reason: str = ""
    mirror: int = 0
    ignored: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Environment and service."""
        return (self.environment, self.service)

    @property
    def sends(self) -> bool:
        """Whether any request may go over."""
        return self.state != "back" and bool(self.share or self.who)


def read_target(target: Target) -> Place:
    """Read where a service moves.

    Raises:
        TargetUnfit: It cannot be read; the message says how it is written.
    """
    text = target.address
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise TargetUnfit(f"{text!r} is no address of a service: {_SHAPE}") from None
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in {"", "http", "https"} or not host or extra:
        raise TargetUnfit(f"{text!r} is no address of a service: {_SHAPE}")
    is_encrypted = parts.scheme == "https"
    if port is None and not parts.scheme:
        raise TargetUnfit(f"{text!r} lacks its port: {_SHAPE}")
    port = port or (443 if is_encrypted else 80)
    place = Place(host=host, port=port, asked_for=None, is_encrypted=is_encrypted)
    if place.address is None and not _NAME.fullmatch(host):
        raise TargetUnfit(f"{host!r} is no host name: use labels of letters, digits and -")
    asked_for = target.host or (_host_header(parts.scheme, host, port) if parts.scheme else None)
    if asked_for is not None and not re.fullmatch(r"[a-z0-9_.:\[\]-]{1,255}", asked_for):
        raise TargetUnfit(f"{asked_for!r} cannot be the host that the other side is asked for")
    return msgspec.structs.replace(place, asked_for=asked_for)


def _host_header(scheme: str, host: str, port: int) -> str:
    """Write the host as a client of that address would (RFC 9110, section 7.2)."""
    named = f"[{host}]" if ":" in host else host
    return named if port == {"http": 80, "https": 443}[scheme] else f"{named}:{port}"


def share_of(percent: float) -> int:
    """Return a share in hundredths of a percent.

    Raises:
        ShareUnfit: It does not lie between 0 and 100, or is finer than that.
    """
    share = round(percent * PER_PERCENT) if 0 <= percent <= 100 else -1
    if share < 0 or abs(share / PER_PERCENT - percent) > 1e-9:
        raise ShareUnfit(
            f"a share is a number from 0 to 100 with at most two places, not {percent:g}"
        )
    return share


def check_who(who: Sequence[Who]) -> None:
    """Refuse rules that the proxy could not carry out as they are meant.

    Raises:
        ShareUnfit: One cannot be.
    """
    for one in who:
        if not _TOKEN.fullmatch(one.header) or one.header in {HOP, COPY}:
            raise ShareUnfit(
                f"{one.header!r} names no header that can decide: lower-case, digits and -"
            )
        if not _VALUE.fullmatch(one.value):
            raise ShareUnfit(
                f"the value of {one.header} must be 1 to 256 printable ASCII characters"
            )


def read_sticky(text: str) -> Sticky | None:
    """Read what clients stay on their side by; nothing when the text is empty.

    Raises:
        ShareUnfit: It is neither ``cookie:NAME`` nor ``header:NAME``.
    """
    if not text:
        return None
    kind, _, name = text.partition(":")
    if kind not in {"cookie", "header"} or not _TOKEN.fullmatch(name):
        raise ShareUnfit(f"{text!r} keeps no client on its side: write cookie:NAME or header:NAME")
    return Sticky(cookie=name) if kind == "cookie" else Sticky(header=name)


def move_of(one: Migration, *, label: str, authorities: Path, mirror: Mirror | None = None) -> Move:
    """Return what the edge is told.

    Args:
        one: The migration.
        label: This platform's name, for the loop guard.
        authorities: Path of the file with those whom an encrypted side is to be signed by, if it names none.
        mirror: How both sides are compared, if they are.
    """
    place = read_target(one.target)
    trusted = Path(one.target.authorities or authorities)
    name = one.target.host.partition(":")[0] if one.target.host else place.host
    tls = Encryption(name, trusted) if place.is_encrypted else None
    sends = one.sends
    return Move(
        label=label,
        addresses=tuple(Endpoint(place.port, address) for address in one.addresses),
        share=one.share if sends else 0,
        rules=tuple(Rule(who.header, who.value) for who in one.who) if sends else (),
        sticky=read_sticky(one.sticky),
        host=place.asked_for,
        tls=tls,
        protocol=one.target.speaks,
        has_fallback=one.target.has_fallback and one.state != "moved",
        mirror=mirror,
    )


def usable(addresses: Sequence[str]) -> tuple[str, ...]:
    """Choose among the addresses of a name: always the same ones, in the same order, as many as a move can have."""
    found = sorted({ipaddress.ip_address(a) for a in addresses}, key=lambda a: (a.version, int(a)))
    return tuple(str(address) for address in found[:MOST_ADDRESSES])


def is_failing(here: Counted, there: Counted) -> bool:
    """Tell whether the other side fails so much more than this one that everything should go back.

    A mistake that both sides make is no reason: then going back would help nobody.
    """
    if there.failed < LEAST_FAILURES:
        return False
    rate = there.failed / (there.failed + there.answered)
    usual = here.failed / (here.failed + here.answered) if here.failed else 0.0
    return rate > max(LEAST_RATE, 2 * usual)
