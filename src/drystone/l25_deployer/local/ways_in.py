"""Who has which way in: no two services have the same host and path, and nobody has a name of somebody else's.

Claims are not kept anywhere: they are what the records say. So nothing has to be given back, and whatever becomes of an
agent, the next one knows the same.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from drystone.l10_engines.proxy.edge_ways import EVERYBODY, EdgeWay
from drystone.l25_deployer.errors import NetworkUnknown, WayTaken
from drystone.l25_deployer.stacks.ways import WAY_IN, Certificate, EdgeRoute, StaticSite

if TYPE_CHECKING:
    from drystone.l25_deployer.local.records import ReleaseRecord
    from drystone.l25_deployer.local.written_service import WrittenService

Claim: TypeAlias = tuple[str, str]
"""A host and a path."""

MACHINE = ("127.0.0.0/8", "::1/128")
KNOWN: Mapping[str, tuple[str, ...]] = {
    "public": EVERYBODY,
    "loopback": MACHINE,
    "private": (*MACHINE, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
}
"""Networks that every platform knows, by name; its owner names further ones."""

_OWN = "localhost"
_USUAL = {"http": 80, "https": 443}


class Claimant(msgspec.Struct, frozen=True):
    """A service that has ways in.

    Attributes:
        name: As people call it.
        claims: Its hosts and paths.
        served: Those ways of it that lead to the release that serves.
        certified: Names that its certificates prove to those who come, each with where it is: environment, service and resource.
        names: All names that its certificates prove, whatever they are shown as.
    """

    name: str
    claims: frozenset[Claim]
    served: tuple[EdgeRoute, ...] = ()
    certified: Mapping[str, tuple[str, str, str]] = {}
    names: frozenset[str] = frozenset()


class Ways:
    """The ways in of one platform.

    Args:
        networks: Those that its owner named, beside :data:`KNOWN`: ranges of addresses by name.
        reserved: Hosts of the platform's own pages.
        port: Of the edge.
        secure_port: Of the edge, over HTTPS.
    """

    def __init__(
        self,
        networks: Mapping[str, tuple[str, ...]] | None = None,
        reserved: Iterable[str] = (),
        *,
        port: int = 80,
        secure_port: int = 443,
    ) -> None:
        self._networks = {**KNOWN, **(networks or {})}
        self._reserved = frozenset(reserved)
        self._ports = {"http": port, "https": secure_port}
        self._claimants: Callable[[], Iterable[Claimant]] = tuple

    def attend(self, claimants: Callable[[], Iterable[Claimant]]) -> None:
        """Ask from now on for every service of this home."""
        self._claimants = claimants

    def require(self, service: str, route: EdgeRoute) -> None:
        """Refuse a way in that cannot be.

        Nothing may be awaited between the moment at which the claim is written down and this one, so that of two that want
        the same the second sees the first.

        Args:
            service: Who wants it, as people call it.
            route: The way.

        Raises:
            WayTaken: Somebody else has it, or the name is the platform's.
            NetworkUnknown: A network has a name that nobody gave.
        """
        every = list(self._claimants())
        if any(one.name == service and route in one.served for one in every):
            return  # it stays as it is, whatever the settings have become
        self._require_networks(route)
        for host in route.hosts:
            self._require_free(host, service)
        wanted = sorted(claims_of(route))
        for other in every:
            if other.name == service:
                continue
            proven = dict.fromkeys(((host, path) for host in other.names for _, path in wanted))
            met = _meeting(wanted, [*other.claims, *proven])
            if met is not None:
                (host, path), theirs = met
                raise WayTaken(
                    f"{host}{path} leads to {other.name} already (by {theirs}): take it from there first",
                    host=host,
                    service=other.name,
                )

    def require_names(self, service: str, hosts: Iterable[str]) -> None:
        """Refuse a certificate for names that are somebody else's; see :meth:`require`.

        Args:
            service: Who wants it, as people call it.
            hosts: The names.

        Raises:
            WayTaken: One is another service's, or the platform's.
        """
        own = f"{service}.{_OWN}"
        others = [one for one in self._claimants() if one.name != service]
        for host in hosts:
            if host == own:
                continue
            self._require_free(host, service)
            for other in others:
                for taken in sorted({name for name, _ in other.claims} | other.names):
                    if taken == host or _overlap(taken, host):
                        raise WayTaken(
                            f"{host} is a name of {other.name} already (by {taken}): take it from there first",
                            host=host,
                            service=other.name,
                        )

    def certified(self) -> dict[str, tuple[str, str, str]]:
        """Return the certificates of services by which they prove a host to those who come: environment, service, resource."""
        return {host: of for one in self._claimants() for host, of in one.certified.items()}

    def _require_networks(self, route: EdgeRoute) -> None:
        for name in (*route.allow, *route.deny):
            if name not in self._networks:
                raise NetworkUnknown(
                    f"the network '{name}' is not known on this platform, only {', '.join(self._networks)}: name its"
                    " ranges of addresses in settings.toml, for example [edge.networks] with"
                    f' {name} = ["10.0.0.0/8"], and start the platform again',
                    network=name,
                )

    def refusals(self, service: str, resources: Mapping[str, object]) -> list[str]:
        """Say why ways among some resources cannot be; see :meth:`require`."""
        ways = [way for one in resources.values() if (way := _route_of(one)) is not None]
        claims = Counter(claim for way in ways for claim in claims_of(way))
        said = [
            f"{host}{path} stands in two ways in of {service}: which of them decides, nobody could tell; take it from one"
            for (host, path), times in sorted(claims.items())
            if times > 1
        ]
        for route in resources.values():
            if isinstance(route, WAY_IN):
                try:
                    if isinstance(route, Certificate):
                        self.require_names(service, route.hosts)
                    elif (way := _route_of(route)) is not None:
                        self.require(service, way)
                except (WayTaken, NetworkUnknown) as e:
                    said.append(str(e))
        return said

    def _require_free(self, host: str, service: str) -> None:
        labels = host.split(".")
        is_below = host.endswith(f".{service}.{_OWN}")
        if labels[-1] == _OWN and not is_below and (len(labels) != 2 or labels[0] == "*"):
            why = "<service>.<environment>.localhost belongs to that service, with all names below"
        elif host in self._reserved or any(_overlap(host, one) for one in self._reserved):
            why = "the platform itself answers there"
        elif _is_address(host):
            why = "it is an address and no name"
        else:
            return
        raise WayTaken(f"{host} cannot lead to a service: {why}", host=host)

    def edge_way(self, route: EdgeRoute) -> EdgeWay:
        """Return a way as the edge has it. A network that is not known any more lets nobody in."""
        is_known = self._networks.keys() >= {*route.allow, *route.deny}
        allow = self._ranges(route.allow) if is_known else ()
        return EdgeWay(
            hosts=route.hosts,
            paths=route.paths,
            allow=allow,
            deny=self._ranges(route.deny),
            tls=route.tls,
            guard=route.guard,
        )

    def urls(self, route: EdgeRoute) -> list[str]:
        """Return the addresses of a way, for people."""
        scheme = "https" if route.tls else "http"
        port = self._ports[scheme]
        end = "" if port == _USUAL[scheme] else f":{port}"
        return [
            f"{scheme}://{host}{end}{path.rstrip('/')}/"
            for host in route.hosts
            for path in route.paths
        ]

    def troubles(self, routes: Iterable[EdgeRoute]) -> list[str]:
        """Say which ways let nobody in, since a network of theirs is not known any more."""
        named = {name for route in routes for name in (*route.allow, *route.deny)}
        return [
            f"the network '{name}' is not known any more, and its ways in are closed: name it in settings.toml"
            " ([edge.networks]), and start the platform again"
            for name in sorted(named - self._networks.keys())
        ]

    def _ranges(self, names: Iterable[str]) -> tuple[str, ...]:
        found = {one for name in names for one in self._networks.get(name, ())}
        return tuple(sorted(found))


def claims_of(route: EdgeRoute) -> frozenset[Claim]:
    """Return what a way claims."""
    return frozenset((host, path) for host in route.hosts for path in route.paths)


def claimant(kept: WrittenService) -> Claimant:
    """Return what a service claims: by the release that serves, by what it has, and by what an operation would put back.

    Of a service that is gone nothing is claimed, whatever its record still holds.
    """
    record, active = kept.record, kept.active_release()
    if active is None and record.operation is None:
        return Claimant(kept.name, frozenset())
    every = [record.eternal]
    if active is not None:
        every.append(active.stacks.eternal.resources)
    if record.operation is not None:
        every.append(record.operation.before)
    routes = (_route_of(one) for some in every for one in some.values())
    claims = frozenset[Claim]().union(*(claims_of(one) for one in routes if one is not None))
    held = [
        (name, one) for some in every for name, one in some.items() if isinstance(one, Certificate)
    ]
    certified = {
        host: (*record.key, name) for name, one in held if one.use != "client" for host in one.hosts
    }
    names = frozenset(host for _, one in held for host in one.hosts)
    return Claimant(kept.name, claims, tuple(served_ways(active)), certified, names)


def served_ways(release: ReleaseRecord | None) -> list[EdgeRoute]:
    """Return the ways in to a release."""
    if release is None:
        return []
    held = release.stacks.eternal.resources.values()
    found = (_route_of(one) for one in held)
    return [one for one in found if one is not None]


def _route_of(resource: object) -> EdgeRoute | None:
    """Return the way in that a resource is, or has."""
    if isinstance(resource, StaticSite):
        return resource.route
    return resource if isinstance(resource, EdgeRoute) else None


def _meeting(wanted: Iterable[Claim], theirs: Iterable[Claim]) -> tuple[Claim, str] | None:
    """Return which of some claims somebody else has, and by what."""
    for own, below in wanted:
        for host, path in sorted(theirs):
            if (own, below) == (host, path) or (own != host and _overlap(own, host)):
                return (own, below), f"{host}{path}"
    return None


def _overlap(one: str, other: str) -> bool:
    """Tell whether a name that stands for many and another name mean a host in common."""
    for pattern, host in ((one, other), (other, one)):
        if pattern.startswith("*.") and host.endswith(pattern[1:]):
            return True
    return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rpartition(".")[2].isdecimal()
    return True
