"""The ways that a service has out of a network of its own: what it declared, each at an address inside. Pure."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from pathlib import Path

import msgspec

from drystone.l10_engines.networks.rules import EVERY_PORT, GIVEN_OUT, Range, Rules
from drystone.l25_deployer.local.mesh import LOOPBACK, Address, Member
from drystone.l35_mesh.sidecar import model

CATCHER = 15001
"""Port inside at which everything ends that was not declared."""

BORDER = 15002
"""Port in the network for what names lead to, at which every connection arrives."""

MOST_BEYOND = 16_384
"""How many connections a service may have at once to hosts that have names."""

DNS = 53
TLS = 443

_FIRST_ALIAS, _ALIASES = int(ipaddress.IPv4Address("127.64.0.1")), (1 << 22) - 2
"""Addresses 127.64.0.1 to 127.127.255.254: every one of 127/8 is this machine's own (RFC 1122 section 3.2.1.3)."""


class Ways(msgspec.Struct, frozen=True):
    """What a service reaches, and at which address inside its network.

    Attributes:
        caller: Whose ways.
        inside: Addresses that mean the same as outside: those of its resources, on the loopback address or another one.
        outside: Hosts that it declared by name, and the address inside that stands for each with its port; ``*.example.com``
            stands for every name below.
        private: Ranges of private addresses at which those may be.
    """

    caller: str
    inside: tuple[Address, ...]
    outside: tuple[tuple[Address, str], ...]
    private: tuple[str, ...] = ()

    def egresses(self, network: Path, beyond: Path | None = None) -> tuple[model.Egress, ...]:
        """Return the ways as listeners inside a network.

        Args:
            network: That of the service.
            beyond: The one in which it is seen where names lead; there is one where there are hosts with names.
        """
        same = [(at, at.host, None) for at in self.inside]
        named = [(at, address, beyond) for at, address in self.outside]
        return tuple(
            model.Egress(
                caller=self.caller,
                host=at.host,
                port=at.port,
                listen=model.Address(port=at.port, address=address, network=network),
                tls=at.port == TLS and address != at.host,
                through=through,
            )
            for at, address, through in (*same, *named)
        )

    def resolver(self, network: Path, *more: str) -> model.Resolver:
        """Return what answers questions for names inside a network, at 127.0.0.1 and at more addresses."""
        known = dict.fromkeys((at.host, address) for at, address in self.outside)
        listen = model.Address(DNS, network=network, more=more)
        return model.Resolver(caller=self.caller, listen=listen, hosts=tuple(known))

    def rules(self, ports: Iterable[int], edge: int) -> Rules:
        """Return what the network lets through.

        Args:
            ports: Where somebody listens inside, beside these ways: dependencies and the instances themselves.
            edge: Port of the edge: who tries it learns that it is no way.
        """
        own = {at.port for at in self.inside if at.host == LOOPBACK}
        elsewhere = {(at.host, at.port) for at in self.inside if at.host != LOOPBACK}
        elsewhere |= {(address, at.port) for at, address in self.outside}
        return Rules(
            open=frozenset({*own, *ports}),
            catcher=CATCHER,
            dns=DNS,
            elsewhere=frozenset(elsewhere),
            watched=(GIVEN_OUT, Range(edge, edge)),
        )


def ways_of(member: Member, uses: Iterable[Address]) -> Ways:
    """Return the ways of a service, of all its releases that run together.

    Args:
        member: The service.
        uses: Where its resources are, and whatever else of the platform it is given.
    """
    texts = (text for stack in member.surroundings for text in stack.egress or ())
    declared = {_address(text) for text in texts} | set(uses)
    inside = sorted(at for at in declared if _is_address(at.host))
    named = sorted(at for at in declared if not _is_address(at.host))
    alias = aliases(at.host for at in named)
    private = {range_ for stack in member.surroundings for range_ in stack.private or ()}
    return Ways(
        member.name,
        tuple(inside),
        tuple((at, alias[at.host]) for at in named),
        tuple(sorted(private)),
    )


BEYOND = Rules(open=frozenset(), catcher=BORDER, watched=(EVERY_PORT,), at_once=MOST_BEYOND)
"""Of the network in which it is seen where names lead: every connection arrives at the border, this machine's own too."""


def aliases(hosts: Iterable[str]) -> dict[str, str]:
    """Give each host an address of the loopback network, the same whatever other hosts there are.

    Two hosts that a hash gives the same address are told apart by the order of their names.
    """
    given: dict[str, str] = {}
    for host in sorted(set(hosts)):
        number = int.from_bytes(hashlib.sha256(host.encode()).digest()[:8]) % _ALIASES
        while (alias := str(ipaddress.IPv4Address(_FIRST_ALIAS + number))) in given.values():
            number = (number + 1) % _ALIASES
        given[host] = alias
    return given


def _address(text: str) -> Address:
    host, _, port = text.partition(":")
    return Address(host, int(port) if port else TLS)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
