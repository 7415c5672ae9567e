"""What cannot be asked of the mesh: refused here, where the answer says what is wrong, and not by Envoy.

Envoy reads text in some of the places where names go: operators between ``%``, patterns, and lines of a log.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from drystone.l00_kernel.addresses import is_private
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.request_words import split
from drystone.l35_mesh.sidecar.model import (
    Address,
    Border,
    Catcher,
    Egress,
    Inbound,
    Mesh,
    Outbound,
    OwnWay,
    Resolver,
)

_NAME = re.compile(r"[a-z0-9]([a-z0-9._/-]{0,126}[a-z0-9])?")
_PRINCIPAL = re.compile(r"[A-Za-z0-9._-]{1,128}/[A-Za-z0-9._-]{1,128}")
_DEPENDENCY = re.compile(r"[A-Za-z0-9:._/-]{1,300}")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()+,;=:@%/-]{0,1000}")
_HOSTS = re.compile(r"(?=.{1,253}\Z)(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?")
_RETRIED = re.compile(r"connect|reset|timeout|[1-5][0-9][0-9]")
_METHOD = re.compile(r"[A-Z]([A-Z-]{0,30}[A-Z])?")
_LONGEST_SOCKET = 107
_ANY_PORT = 1


def check_no_twins(mesh: Mesh) -> None:
    """Refuse two parts where one alone can be.

    Raises:
        InvalidProxyConfig: There are two for one service or one way, or two that listen at one place.
    """
    names = [one.service.name for one in mesh.inbounds]
    _check_twice("before", (*names, *(one.service.name for one in mesh.beside)))
    _check_twice("on the way", ((one.caller, one.service, one.slot) for one in mesh.outbounds))
    _check_twice("on the way to the platform of", (one.caller for one in mesh.own_ways))
    _check_twice("on the way", ((one.caller, one.host, one.port) for one in mesh.egresses))
    _check_twice("for the names found by", (one.caller for one in mesh.borders))
    _check_twice("for all other ways of", (one.caller for one in mesh.catchers))
    _check_twice("for the names of", (one.caller for one in mesh.resolvers))
    places = [one.listen for one in mesh.inbounds if one.listen is not None]
    places += [one.entry for one in mesh.inbounds if one.entry is not None]
    places += [one.listen for one in mesh.outbounds]
    places += [one.listen for one in mesh.own_ways]
    places += [one.listen for one in mesh.egresses]
    places += [one.listen for one in mesh.borders]
    places += [one.listen for one in mesh.catchers]
    _check_twice("listening at", places)


def _check_twice(where: str, names: Iterable[object]) -> None:
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise InvalidProxyConfig(f"there are two sidecars {where} {name}; leave one out")
        seen.add(name)


def _must(what: str, value: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(value):
        raise InvalidProxyConfig(f"{value[:200]!r} cannot be {what}")


def check_inbound(inbound: Inbound) -> None:
    """Refuse what Envoy would refuse, or read in another way than it is meant.

    Raises:
        InvalidProxyConfig: A name, address, request or number cannot be.
    """
    _must("the audience of a service: write <environment>/<service>", inbound.audience, _PRINCIPAL)
    _check_twice(f"of {inbound.audience} for the caller", (one.issuer for one in inbound.callers))
    for caller in inbound.callers:
        _must("a caller: write <environment>/<service>", caller.issuer, _PRINCIPAL)
        for words in caller.calls:
            split(words)
    for path in (*inbound.health, *inbound.further.open_paths):
        _must("a path that is open to all", path, _PATH)
    for header in inbound.further.identity_headers:
        _must("a header", header, _NAME)
    if inbound.body is not None and not 0 <= inbound.body < 2**62:
        raise InvalidProxyConfig(f"{inbound.audience} cannot take bodies of {inbound.body} bytes")
    if "asap" in inbound.further.providers:
        raise InvalidProxyConfig("asap is the name of the tokens of services; choose another one")
    for at in filter(None, (inbound.listen, inbound.entry)):
        _check_address(at, inbound.audience)


def check_outbound(outbound: Outbound) -> None:
    """Refuse what Envoy would refuse, or read in another way than it is meant.

    Raises:
        InvalidProxyConfig: A name, address, request or number cannot be.
    """
    _must("the name of a service", outbound.caller, _NAME)
    _must("the name of a service", outbound.service, _NAME)
    _must("an issuer: write <environment>/<service>", outbound.issuer, _PRINCIPAL)
    _must("an audience: write <environment>/<service>", outbound.audience, _PRINCIPAL)
    _must("the name of a dependency", outbound.dependency, _DEPENDENCY)
    for words in outbound.calls:
        split(words)
    for word in outbound.retry_on:
        _must(
            "a failure that is repeated: write connect, reset, timeout or a status", word, _RETRIED
        )
    for method in outbound.idempotent_methods:
        _must("an HTTP method", method, _METHOD)
    if not 0 <= outbound.retries <= 100:
        raise InvalidProxyConfig(
            f"{outbound.issuer} cannot repeat calls {outbound.retries} times; from 0 to 100 are possible"
        )
    for span in (outbound.timeout, outbound.stream_timeout):
        if not 0 < span.total_seconds() <= 86400:
            raise InvalidProxyConfig(
                f"{outbound.issuer} cannot wait {span} for {outbound.audience}; up to a day is possible"
            )
    _check_address(outbound.listen, f"{outbound.issuer} for {outbound.audience}")
    for end in outbound.reach:
        _check_address(Address(end.port, end.address), outbound.audience)


def check_own_way(own: OwnWay) -> None:
    """Refuse what Envoy would refuse, or read in another way than it is meant.

    Raises:
        InvalidProxyConfig: A name or an address cannot be.
    """
    _must("the name of a service", own.caller, _NAME)
    _check_address(own.listen, own.caller)


def check_egress(egress: Egress) -> None:
    """Refuse what Envoy would refuse, or read in another way than it is meant.

    Raises:
        InvalidProxyConfig: A name, address, request or number cannot be.
    """
    _must("the name of a service", egress.caller, _NAME)
    try:
        ipaddress.ip_address(egress.host)
    except ValueError:
        _must("a host outside: write a name in lower case or an IP address", egress.host, _HOSTS)
        if egress.stands_for_many and egress.through is None:
            raise InvalidProxyConfig(
                f"{egress.host} is found by no border; say through which network"
            ) from None
    if not 0 < egress.port < 65536:
        raise InvalidProxyConfig(f"{egress.host} cannot have the port {egress.port}")
    _check_address(egress.listen, egress.caller)


def check_border(border: Border) -> None:
    """Refuse what Envoy would refuse, or read in another way than it is meant.

    Raises:
        InvalidProxyConfig: A name or an address cannot be, or a way does not come by here.
    """
    _must("the name of a service", border.caller, _NAME)
    _check_address(border.listen, border.caller)
    for way in border.ways:
        check_egress(way)
        if way.caller != border.caller or way.through != border.listen.network:
            raise InvalidProxyConfig(
                f"the way of {way.caller} to {way.host} does not come by the border of {border.caller}"
            )
    for range_ in border.private:
        try:
            fits = is_private(range_)
        except ValueError:
            fits = False
        if not fits:
            raise InvalidProxyConfig(f"{range_!r} is no range of private addresses")


def check_catcher(catcher: Catcher) -> None:
    """Refuse what Envoy would refuse, or read in another way than it is meant.

    Raises:
        InvalidProxyConfig: A name, address, request or number cannot be.
    """
    _must("the name of a service", catcher.caller, _NAME)
    _check_address(catcher.listen, catcher.caller)


def check_resolver(resolver: Resolver) -> None:
    """Refuse what Envoy would refuse.

    Raises:
        InvalidProxyConfig: A name or an address cannot be.
    """
    _must("the name of a service", resolver.caller, _NAME)
    for host, at in resolver.hosts:
        _must("a host: write a name in lower case", host, _HOSTS)
        _check_address(Address(_ANY_PORT, at), host)
    _check_address(resolver.listen, resolver.caller)


def _check_address(at: Address, owner: str) -> None:
    if at.socket is not None:
        length = len(str(at.socket).encode())
        if length > _LONGEST_SOCKET:
            raise InvalidProxyConfig(
                f"the socket of {owner} has a path of {length} bytes; at most {_LONGEST_SOCKET} are possible"
            )
        return
    try:
        canonical = str(ipaddress.ip_address(at.address))
    except ValueError:
        canonical = ""
    if canonical != at.address or not 0 < at.port < 65536:
        raise InvalidProxyConfig(
            f"nothing of {owner} can listen at {at.address!r} port {at.port}: give an IP address in its usual"
            " form and a port from 1 to 65535"
        )
