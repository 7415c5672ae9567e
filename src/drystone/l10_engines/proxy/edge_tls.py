"""The edge over HTTPS: one listener, and for each certificate a chain that knows the hosts of that certificate alone.

Certificates are secrets that are sent apart, so that a new one takes the place of an old one without touching a connection.
A request for a host that the certificate of its connection is not for is answered with 421 (RFC 9110 section 15.5.20): a
browser then asks again on a connection of its own. A client that names no host when it connects, or one that nobody has a
certificate for, gets no connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from typing_extensions import override

from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE, BUFFER
from drystone.l10_engines.proxy.edge_listener import http_connections
from drystone.l10_engines.proxy.edge_routes import ROUTES, route_configuration
from drystone.l10_engines.proxy.edge_services import EdgeService
from drystone.l10_engines.proxy.edge_way_hosts import domains_of, way_host
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared

TLS_LISTENER = "edge-tls"
OUTSIDE, OUTSIDE_TLS = "edge-outside", "edge-outside-tls"
"""Listeners for ways in alone, at an address that others than this machine reach."""

OF_THIS_MACHINE = ("localhost", "*.localhost")
"""Hosts of the certificate with which the edge answers for the names that every service has."""

_PREFIX = "edge-tls/"
_CONTEXT = TYPE_PREFIX + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_INSPECTOR: Config = Shared(
    {
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {
            "@type": TYPE_PREFIX
            + "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        },
    }
)


class Shown(msgspec.Struct, frozen=True):
    """A certificate that the edge shows.

    Attributes:
        hosts: For which it is shown: :data:`OF_THIS_MACHINE`, or one host of a way.
        certificate: PEM; those of authorities in between behind it.
        key: PEM.
    """

    hosts: tuple[str, ...]
    certificate: bytes
    key: bytes

    @override
    def __repr__(self) -> str:
        return f"Shown({', '.join(self.hosts)})"


class SecureEdge(msgspec.Struct, frozen=True):
    """What there is to HTTPS.

    Attributes:
        port: Where it listens.
        shown: A certificate for each host; hosts without one are not there.
    """

    port: int
    shown: tuple[Shown, ...]


def tls_listener(
    secure: SecureEdge,
    services: Sequence[EdgeService],
    address: str,
    access_log: Path,
    *,
    name: str = TLS_LISTENER,
) -> Config:
    """Return a ``Listener`` with TLS; one of another name than the usual knows hosts of ways alone."""
    known = set(domains_of(services))
    chains = [
        _chain(one, access_log)
        for one in secure.shown
        if _has_hosts(one, known) and (name == TLS_LISTENER or one.hosts != OF_THIS_MACHINE)
    ]
    return {
        "name": name,
        "address": {"socket_address": {"address": address, "port_value": secure.port}},
        "enable_reuse_port": True,
        "per_connection_buffer_limit_bytes": BUFFER,
        "listener_filters": [_INSPECTOR],
        "listener_filters_timeout": "10s",
        "filter_chains": chains,
    }


def tls_routes(secure: SecureEdge, services: Sequence[EdgeService]) -> dict[str, Config]:
    """Return the ``RouteConfiguration`` of each chain, by name; that of this machine's names is the edge's own."""
    known = set(domains_of(services))
    return {
        _routes_of(one): route_configuration(
            [way_host(one.hosts[0], services, secure_port=None)], name=_routes_of(one)
        )
        for one in secure.shown
        if one.hosts != OF_THIS_MACHINE and _has_hosts(one, known)
    }


def tls_secrets(secure: SecureEdge) -> dict[str, Config]:
    """Return the ``Secret`` of each certificate, by name."""
    return {
        _name(one): {
            "name": _name(one),
            "tls_certificate": {
                "certificate_chain": {"inline_string": one.certificate.decode()},
                "private_key": {"inline_string": one.key.decode()},
            },
        }
        for one in secure.shown
    }


def _has_hosts(one: Shown, known: set[str]) -> bool:
    return one.hosts == OF_THIS_MACHINE or one.hosts[0] in known


def _name(one: Shown) -> str:
    return _PREFIX + one.hosts[0]


def _routes_of(one: Shown) -> str:
    return ROUTES if one.hosts == OF_THIS_MACHINE else _name(one)


def _chain(one: Shown, access_log: Path) -> dict[str, Any]:
    context = {
        "@type": _CONTEXT,
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "tls_certificate_sds_secret_configs": [{"name": _name(one), "sds_config": ADS_SOURCE}],
        },
    }
    connections = http_connections(access_log, _routes_of(one), is_secure=True)
    return {
        "name": one.hosts[0],
        "filter_chain_match": {"server_names": list(one.hosts)},
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
        "transport_socket_connect_timeout": "10s",
        "filters": [{"name": "http", "typed_config": connections}],
    }
