"""Where something listens that the edge sends requests to, and what it speaks."""

from __future__ import annotations

import ipaddress
from typing import Literal, TypeAlias

import msgspec

from drystone.l10_engines.proxy.errors import InvalidProxyConfig

Protocol: TypeAlias = Literal["http1", "http2"]
"""In which instances are asked: HTTP/1.1, or HTTP/2 with prior knowledge (RFC 9113 section 3.3), as gRPC needs it."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where one instance listens.

    Attributes:
        port: TCP port.
        address: IP address.
    """

    port: int
    address: str = "127.0.0.1"


def check_endpoint(endpoint: Endpoint, owner: str) -> None:
    """Refuse what is no IP address in its usual form, or no port.

    Raises:
        InvalidProxyConfig: It is not; the message names the owner.
    """
    try:
        canonical = str(ipaddress.ip_address(endpoint.address))
    except ValueError:
        canonical = ""
    if canonical != endpoint.address or not 0 < endpoint.port < 65536:
        raise InvalidProxyConfig(
            f"{owner} cannot be reached at {endpoint.address!r} port {endpoint.port}: give an IP address"
            " in its usual form and a port from 1 to 65535"
        )
