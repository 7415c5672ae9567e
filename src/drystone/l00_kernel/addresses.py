"""Which IP addresses a host outside can have, and which are no outside at all."""

from __future__ import annotations

import ipaddress

PRIVATE = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "fc00::/7",
)
"""Addresses of somebody's own networks (RFC 1918, 6598, 2544 and 4193): outside only for who says so."""

NOT_OUTSIDE = (
    "0.0.0.0/8",
    "100.100.100.200/32",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "224.0.0.0/3",
    "::/96",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2001::/32",
    "2002::/16",
    "fd00:ec2::/32",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
"""Addresses of this machine, of its link, of many at once, and those behind which one of IPv4 hides (RFC 6890).

Among them are those at which clouds hand out a machine's credentials (AWS, Google and Azure on the link; Alibaba; AWS by IPv6),
and the one by which Azure steers its machines.
"""

_PRIVATE = tuple(map(ipaddress.ip_network, PRIVATE))
_NOT_OUTSIDE = tuple(map(ipaddress.ip_network, NOT_OUTSIDE))


def is_private(range_: str) -> bool:
    """Tell whether a range of addresses, or one address, lies in somebody's own networks and can be declared.

    Raises:
        ValueError: It is no range: ``10.1.0.0/16`` is one, and ``10.1.2.3/16`` is none.
    """
    wanted = ipaddress.ip_network(range_)
    lies_in = any(_covers(one, wanted) for one in _PRIVATE)
    return lies_in and not any(_covers(one, wanted) for one in _NOT_OUTSIDE)


def _covers(
    wide: ipaddress.IPv4Network | ipaddress.IPv6Network,
    range_: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> bool:
    if isinstance(wide, ipaddress.IPv4Network):
        return isinstance(range_, ipaddress.IPv4Network) and range_.subnet_of(wide)
    return isinstance(range_, ipaddress.IPv6Network) and range_.subnet_of(wide)
