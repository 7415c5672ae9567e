"""What was tried in vain, one attempt for each line of a proxy's refusal log.

Services choose what stands in such a line, so nothing in it is believed: every text is bounded and of a known form, or the
line counts as unreadable. The forms are those of :mod:`drystone.l10_engines.proxy.refusal_log`.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from drystone.l05_graph.ingest.calls import request

LONGEST_LINE = 8 << 10
"""Bytes of a line; longer ones nobody here writes."""

_ISSUER = re.compile(r"[a-z][a-z0-9-]{0,62}/[a-z][a-z0-9-]{0,62}")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
_PORT = re.compile(r":[0-9]{1,5}$")
_MISSING = frozenset([None, "", "-"])
Way: TypeAlias = Literal[
    "inbound", "outbound", "catcher", "egress", "border", "dns", "udp", "icmp", "other"
]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a service tried, and a proxy refused.

    Attempts that differ in time alone are the same attempt, made again.

    Attributes:
        way: The kind of listener that refused it; ``udp``, ``icmp`` and ``other`` protocols the kernel refuses.
        caller: Who tried, as ``<environment>/<service>``; empty for somebody who did not say.
        callee: The service that was called, for a request.
        request: What kind of request, such as ``GET /reports/*``; no names or numbers of people stand there.
        why: What the proxy says of a request: ``token`` or ``rule``.
        host: The address that was to be reached, for a connection.
        port: Its TCP or UDP port.
        name: The name that was asked for, or that TLS named; for a border, the declared one, perhaps with a ``*.`` before it.
            Empty where none was, or what was there is no host name.
    """

    way: Way
    caller: str
    callee: str = ""
    request: str = ""
    why: Literal["", "token", "rule"] = ""
    host: str = ""
    port: int = 0
    name: str = ""


class _Line(msgspec.Struct, frozen=True):
    """A line as it stands in the log."""

    listener: Literal["inbound", "outbound", "catcher", "egress", "border", "dns"]
    time: datetime | None = None
    caller: str | None = None
    service: str | None = None
    method: str | None = None
    path: str | None = None
    details: str | None = None
    destination: str | None = None
    name: str | None = None
    answers: int | str | None = None


_DECODER = msgspec.json.Decoder(_Line)


class NoAttempt(ValueError):
    """The line tells of no attempt."""


def read(line: bytes, *, now: datetime) -> tuple[datetime, Attempt] | None:
    """Read one line.

    Args:
        line: The line.
        now: When what answers questions for names wrote it: Envoy tells that part of itself no time.

    Returns:
        When it was, and what; None for a line that tells of something that was not refused.

    Raises:
        NoAttempt: It is none of the forms.
    """
    if len(line) > LONGEST_LINE:
        raise NoAttempt
    try:
        said = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise NoAttempt from e
    at = now if said.time is None and said.listener == "dns" else said.time
    if at is None or at.tzinfo is None:
        raise NoAttempt
    attempt = _attempt(said)
    return None if attempt is None else (at, attempt)


def _attempt(said: _Line) -> Attempt | None:
    caller = _issuer(said.caller, may_miss=said.listener == "inbound")
    if said.listener in ("inbound", "outbound"):
        rule = (said.details or "").startswith("rbac_access_denied")
        return Attempt(
            way=said.listener,
            caller=caller,
            callee=_issuer(said.service, may_miss=False),
            request=request(said.method or "", said.path or ""),
            why="rule" if rule else "token",
        )
    name = host_name(said.name)
    if said.listener == "border":
        bare = (said.name or "").removeprefix("*.")
        name = (said.name or "")[: -len(bare)] + host_name(bare) if host_name(bare) else ""
    if said.listener == "dns":
        if str(said.answers or "0") not in ("0", "-"):
            return None
        return Attempt(way="dns", caller=caller, name=name)
    host, port = _address(said.destination)
    return Attempt(way=said.listener, caller=caller, host=host, port=port, name=name)


def is_issuer(text: str) -> bool:
    """Tell whether it names a service as tokens do."""
    return _ISSUER.fullmatch(text) is not None


def _issuer(text: str | None, *, may_miss: bool) -> str:
    if may_miss and text in _MISSING:
        return ""
    if text is None or not _ISSUER.fullmatch(text):
        raise NoAttempt
    return text


def host_name(text: str | None) -> str:
    """Return a host name in lower case, without a port; nothing where it is none."""
    if text is None:
        return ""
    bare = _PORT.sub("", text[:262]).rstrip(".").lower()
    return bare if _NAME.fullmatch(bare) and not is_address(bare) else ""


def is_address(text: str) -> bool:
    """Tell whether it is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address(text: str | None) -> tuple[str, int]:
    """Read ``10.0.0.5:80`` or ``[2001:db8::1]:80``; an IPv4 address within one of IPv6 is that IPv4 address."""
    host, colon, port = (text or "")[:64].rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise NoAttempt
    try:
        found = ipaddress.ip_address(host)
    except ValueError as e:
        raise NoAttempt from e
    inner = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(inner or found), int(port)
