"""What lies where on a platform, so that an address tells what somebody meant by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["service", "resource", "platform"]


class Place(msgspec.Struct, frozen=True):
    """Something that listens somewhere.

    Attributes:
        kind: A service, what holds data, or the platform itself.
        what: What people call it: ``dev/billing``, ``a postgres database``, ``the edge``.
        type: Of a resource, as descriptors write it, such as ``postgres``; empty otherwise.
        component: What the dependency model calls it; empty where that does not know it.
    """

    kind: Kind
    what: str
    type: str = ""
    component: str = ""


class Need(msgspec.Struct, frozen=True):
    """What a service declares of another one.

    Attributes:
        name: What its descriptor calls it.
        calls: The requests that it declares; every one when empty.
    """

    name: str
    calls: tuple[str, ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A service as its descriptor stands now.

    Attributes:
        needs: What it declares, by ``<environment>/<service>``.
        callers: Names of services that may call it, in whatever environment; None for every one that declares it.
        public: Whether strangers may call.
        egress: Hosts outside that it may call, as ``host:port``.
        private: Ranges of private addresses at which those may be.
        resources: Types of what holds its data.
    """

    needs: Mapping[str, Need] = {}
    callers: tuple[str, ...] | None = None
    public: bool = False
    egress: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


class Landscape(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, and where.

    Attributes:
        services: By ``<environment>/<service>``.
        ports: Who listens at a port of this machine's loopback address.
        addresses: Who listens elsewhere, by host and port.
        own: Addresses of this machine.
        names: What an address in the network of a service stands for, by ``<environment>/<service>`` and address.
    """

    services: Mapping[str, Known] = {}
    ports: Mapping[int, Place] = {}
    addresses: Mapping[tuple[str, int], Place] = {}
    names: Mapping[tuple[str, str], str] = {}
    own: frozenset[str] = frozenset()
