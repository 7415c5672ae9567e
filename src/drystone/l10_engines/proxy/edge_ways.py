"""Ways in: names of a service's own at which the edge answers, for some networks and some paths alone.

A host may belong to several services, each below a path of its own: the longest path that fits decides. What a way says of
networks is about the address from which the connection comes, never about what a request claims.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import msgspec

from drystone.l10_engines.proxy.errors import InvalidProxyConfig

Guard: TypeAlias = Literal["off", "report", "on"]
"""Whether requests are looked at for attacks: not at all, to write it down, or to refuse them."""

EVERYBODY = ("0.0.0.0/0", "::/0")
ROOT = "/"

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PATH = re.compile(r"/|(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")


class EdgeWay(msgspec.Struct, frozen=True, kw_only=True):
    """One way in.

    Attributes:
        hosts: Host names in lower case, without a port; ``*.`` before one means all names below it, and not itself.
        paths: Below which it leads to the service; ``/`` is all of them, others do not end with a slash.
        allow: Networks that may come in, such as ``10.0.0.0/8``; nobody when there is none.
        deny: Networks that may not; they win.
        tls: Whether it is there over HTTPS alone.
        guard: Whether requests are looked at for attacks.
    """

    hosts: tuple[str, ...]
    paths: tuple[str, ...] = (ROOT,)
    allow: tuple[str, ...] = EVERYBODY
    deny: tuple[str, ...] = ()
    tls: bool = False
    guard: Guard = "off"

    @property
    def is_open(self) -> bool:
        """Whether everybody may come in."""
        return not self.deny and set(EVERYBODY) <= set(self.allow)


def check_ways(ways: Mapping[str, Iterable[EdgeWay]], taken: Mapping[str, str]) -> None:
    """Refuse what Envoy would refuse, or read in another way than it is meant.

    Args:
        ways: By service.
        taken: By host, which service answers there for all paths.

    Raises:
        InvalidProxyConfig: A host, path or network cannot be, or two services claim the same.
    """
    claims: dict[tuple[str, str], str] = {}
    for service, of in ways.items():
        for way in of:
            _check_way(way, service)
            for host in way.hosts:
                if host in taken:
                    raise InvalidProxyConfig(
                        f"the host {host} is claimed by {taken[host]} and by {service}; take it from one",
                        host=host,
                    )
                for path in way.paths:
                    owner = claims.setdefault((host, path), service)
                    if owner != service:
                        raise InvalidProxyConfig(
                            f"{host}{path} is claimed by {owner} and by {service}; take it from one",
                            host=host,
                        )


def covers(pattern: str, host: str) -> bool:
    """Tell whether a host of a way is another one, or stands for it."""
    return pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _check_way(way: EdgeWay, service: str) -> None:
    for host in way.hosts:
        labels = host.removeprefix("*.").split(".")
        if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
            raise InvalidProxyConfig(
                f"{host!r} of {service} is not a host name: use lower-case labels of letters, digits and -,"
                " with dots between them, '*.' before all of them if need be, and no port"
            )
    for path in way.paths:
        if len(path) > 1000 or not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            raise InvalidProxyConfig(
                f"{path!r} of {service} is not a path that a way in can have: write '/', or for example /api"
            )
    for network in (*way.allow, *way.deny):
        try:
            ipaddress.ip_network(network)
        except ValueError as e:
            raise InvalidProxyConfig(
                f"{network!r} of {service} is no network: write for example 10.0.0.0/8"
            ) from e
