"""Whose an address or a name is: what logs call something, and which component of the survey that is.

Addresses change hands, so an entry may hold for a time alone. Of several that hold, the longest network wins, then the one
that began last.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

import msgspec

EXTERNAL = "external:"
"""What the name of everything begins with that no inventory knows."""

_Key = TypeVar("_Key")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Known(StrEnum):
    """By what something is known."""

    IP = "ip"
    """An address, or a network such as ``10.1.0.0/16``."""
    ENI = "eni"
    """A network interface of AWS."""
    DNS = "dns"
    """A host name; ``*.example.com`` stands for every name below it."""
    NAME = "name"
    """Any name that a source uses: that of a service in traces, of a cluster of Envoy."""
    FILE = "file"
    """A log file: who wrote it, and so made the calls in it that name no caller."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """That something belongs to a component.

    Attributes:
        known: By what it is known.
        value: The address, name or identifier.
        component: Whose it is.
        since: From when on; always before the end when None.
        until: Until when, that moment not included; without an end when None.
    """

    known: Known
    value: str
    component: str
    since: datetime | None = None
    until: datetime | None = None


class Endpoints(msgspec.Struct, frozen=True, dict=True):
    """An inventory of endpoints.

    Attributes:
        every: Its entries.
    """

    every: tuple[Endpoint, ...] = ()

    @cached_property
    def _spans(self) -> Mapping[tuple[Known, str], list[_Span]]:
        return _by_value((one.known, plain(one.known, one.value), one) for one in self.every)

    @cached_property
    def _networks(self) -> Mapping[int, Mapping[int, Mapping[int, list[_Span]]]]:
        """For each version of the protocol and each length of prefix, the longest first: spans by network number."""
        found: dict[int, dict[int, dict[int, list[_Span]]]] = {4: {}, 6: {}}
        for one in self.every:
            if one.known is Known.IP:
                network = ipaddress.ip_network(one.value, strict=False)
                lengths = found[network.version].setdefault(network.prefixlen, {})
                number = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
                lengths.setdefault(number, []).append(_span(one))
        return {
            version: {length: _newest_first(lengths[length]) for length in sorted(lengths)[::-1]}
            for version, lengths in found.items()
        }

    def of_name(self, name: str, at: float | None = None, known: Known = Known.NAME) -> str | None:
        """Return whose a name is, if the inventory says so.

        Args:
            name: As a source calls it. A host name is also looked for among patterns and without its port.
            at: When, in seconds since 1970; whenever if None.
            known: What kind of name. What is no entry as a ``NAME`` may be one as ``DNS``.
        """
        found = _at(self._spans.get((known, plain(known, name)), ()), at)
        if found is None and known in (Known.NAME, Known.DNS):
            return self._of_host(plain(Known.DNS, name), at)
        return found

    def _of_host(self, host: str, at: float | None) -> str | None:
        found = _at(self._spans.get((Known.DNS, host), ()), at)
        while found is None and "." in host:
            host = host.partition(".")[2]
            found = _at(self._spans.get((Known.DNS, f"*.{host}"), ()), at)
        return found

    def of_address(self, address: Address, at: float | None = None) -> str | None:
        """Return whose an address is, if the inventory says so.

        Args:
            address: Which.
            at: When, in seconds since 1970; whenever if None.
        """
        number = int(address)
        for length, networks in self._networks[address.version].items():
            spans = networks.get(number >> (address.max_prefixlen - length))
            found = _at(spans, at) if spans else None
            if found is not None:
                return found
        return None

    @cached_property
    def moments(self) -> tuple[float, ...]:
        """When entries begin or cease to hold, in seconds since 1970 and in order: in between, nothing changes."""
        every = (moment for one in self.every for moment in (one.since, one.until) if moment)
        return tuple(sorted({moment.timestamp() for moment in every}))


class _Span(msgspec.Struct, frozen=True, gc=False):
    since: float
    until: float
    component: str


def _span(one: Endpoint) -> _Span:
    return _Span(
        float("-inf") if one.since is None else one.since.timestamp(),
        float("inf") if one.until is None else one.until.timestamp(),
        one.component,
    )


def _by_value(
    every: Iterable[tuple[Known, str, Endpoint]],
) -> dict[tuple[Known, str], list[_Span]]:
    found: dict[tuple[Known, str], list[_Span]] = {}
    for known, value, one in every:
        found.setdefault((known, value), []).append(_span(one))
    return _newest_first(found)


def _newest_first(spans: dict[_Key, list[_Span]]) -> dict[_Key, list[_Span]]:
    return {
        key: sorted(every, key=lambda span: (span.since, span.component), reverse=True)
        for key, every in spans.items()
    }


def _at(spans: Iterable[_Span], at: float | None) -> str | None:
    for span in spans:
        if at is None or span.since <= at < span.until:
            return span.component
    return None


def plain(known: Known, value: str) -> str:
    """Return a value so that two of the same meaning are equal."""
    if known is Known.IP:
        return str(ipaddress.ip_network(value, strict=False))
    if known is Known.DNS:
        host, divider, port = value.strip().lower().rpartition(":")
        host = host if divider and port.isdigit() else value.strip().lower()
        return host.rstrip(".")
    return value
