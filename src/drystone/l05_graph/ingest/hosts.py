"""Hosts and addresses as logs write them."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from drystone.l05_graph.ingest.endpoints import Address

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?(?::[0-9]{1,5})?")
_LONGEST_ADDRESS = 60


def is_host(text: str) -> bool:
    """Whether it is a host name or an IPv4 address, perhaps with a port."""
    return len(text) <= 260 and _HOST.fullmatch(text) is not None


def bare(host: str) -> str:
    """Return a host without its port, in lower case."""
    return host.partition(":")[0].rstrip(".").lower()


def address_of(text: object) -> Address | None:
    """Read ``10.0.0.5``, ``10.0.0.5:80``, ``tcp://10.0.0.5:80``, ``2001:db8::1`` or ``[2001:db8::1]:80``; else None."""
    return _address(text) if isinstance(text, str) and len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=65536)
def _address(text: str) -> Address | None:
    host = text.rpartition("//")[2]
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
