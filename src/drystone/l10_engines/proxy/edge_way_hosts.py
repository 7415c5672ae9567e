"""Virtual hosts of ways in: which service answers below which path, and who may come in.

What a path means is decided once, before anything is chosen by it: slashes in a row count as one, and a path with an escaped
slash, a backslash or an escaped NUL is refused (``edge_guard``). Otherwise ``//admin`` would pass a rule on ``/admin``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from drystone.l10_engines.proxy.edge_guard import GUARD, ON_HOST, mode_of
from drystone.l10_engines.proxy.edge_routes import service_host
from drystone.l10_engines.proxy.edge_services import EdgeService
from drystone.l10_engines.proxy.edge_ways import ROOT, EdgeWay, Guard, covers
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared

WAYS = "*way/"
"""Names of these virtual hosts begin so; no service can have such a name."""

RBAC = "envoy.filters.http.rbac"
_RBAC = TYPE_PREFIX + "envoy.extensions.filters.http.rbac.v3.RBAC"
_PER_ROUTE = TYPE_PREFIX + "envoy.extensions.filters.http.rbac.v3.RBACPerRoute"

NETWORKS: Config = Shared({"name": RBAC, "disabled": True, "typed_config": {"@type": _RBAC}})
"""The filter that looks where a connection comes from; only ways switch it on."""

_ANYBODY: Config = Shared({"@type": _PER_ROUTE})
_NOBODY: Config = Shared(
    {"@type": _PER_ROUTE, "rbac": {"rules": {"action": "ALLOW", "policies": {}}}}
)
_STRICT = {
    "header": {"key": "strict-transport-security", "value": "max-age=31536000"},
    "append_action": "ADD_IF_ABSENT",
}
_OF_A_MACHINE = "localhost"


class _Entry(NamedTuple):
    """What of a way stands in a host."""

    path: str
    is_exact: bool
    service: EdgeService
    way: EdgeWay


def domains_of(services: Iterable[EdgeService], *, secure: bool = False) -> list[str]:
    """Return the hosts of all ways, sorted.

    Args:
        services: Whose.
        secure: Only those that are there over HTTPS.
    """
    found = {
        host
        for service in services
        for way in service.ways
        if way.tls or not secure
        for host in way.hosts
    }
    return sorted(found)


def way_host(domain: str, services: Sequence[EdgeService], *, secure_port: int | None) -> Config:
    """Return the ``VirtualHost`` of one host of ways.

    Args:
        domain: Which.
        services: All that may have ways there.
        secure_port: Where clients that came without TLS are sent, of ways that want it; None on the listener with TLS.
    """
    entries = _entries(domain, services)
    routes: list[Config] = []
    for entry in entries:
        if entry.way.tls and secure_port is not None:
            sent = _to_tls(entry, secure_port)
            filters = _networks(entry.way, entries)
            routes.append({**sent, **({"typed_per_filter_config": filters} if filters else {})})
        else:
            here = service_host(entry.service, (domain,))["routes"]
            routes += placed(here, entry.path, _networks(entry.way, entries), entry.way.guard)
    host: dict[str, Any] = {"name": WAYS + domain, "domains": [domain], "routes": routes}
    is_closed = any(not entry.way.is_open for entry in entries)
    host["typed_per_filter_config"] = {
        **({RBAC: _NOBODY} if is_closed else {}),
        **({GUARD: ON_HOST} if _is_guarded(entries) else {}),
    }
    is_strict = secure_port is None and all(entry.way.tls for entry in entries)
    if is_strict and not _is_of_this_machine(domain):
        host["response_headers_to_add"] = [_STRICT]
    return Shared(host)


def led(host: Config, lead: Callable[[str], Sequence[Config] | None]) -> Config:
    """Return a host of ways whose routes lead elsewhere.

    Args:
        host: Of :func:`way_host`.
        lead: Gives the routes by which a service is reached, for all paths; None where they stay.
    """
    routes: list[Config] = []
    for (name, path), group in itertools.groupby(host["routes"], key=_name_and_path):
        of = list(group)
        other = lead(name) if "route" in of[0] else None
        if other is None:
            routes += of
            continue
        filters: Config = of[0].get("typed_per_filter_config", {})
        routes += placed(other, path, filters, _told(of[0]).get(GUARD, {}).get("mode", "off"))
    return Shared({**host, "routes": routes})


def placed(
    routes: Iterable[Config], path: str, filters: Config, guard: Guard = "off"
) -> list[Config]:
    """Return routes that hold for all paths as routes below one.

    Args:
        routes: With ``prefix: /``.
        path: Below which; whole segments count.
        filters: Their ``typed_per_filter_config``.
        guard: Whether requests are looked at for attacks.
    """
    return [
        {
            **route,
            "match": {**_headers(route), **_match(path)},
            **({"typed_per_filter_config": filters} if filters else {}),
            **({"metadata": _metadata(route, guard)} if guard != "off" else {}),
        }
        for route in routes
    ]


def _told(route: Config) -> Config:
    told: Config = route.get("metadata", {}).get("filter_metadata", {})
    return told


def _metadata(route: Config, guard: Guard) -> Config:
    return {"filter_metadata": {**_told(route), GUARD: mode_of(guard)}}


def _headers(route: Config) -> Config:
    return {key: of for key, of in route["match"].items() if key != "prefix"}


def _name_and_path(route: Config) -> tuple[str, str]:
    match = route["match"]
    return route["name"], match.get("path_separated_prefix") or ROOT


def _entries(domain: str, services: Iterable[EdgeService]) -> list[_Entry]:
    found: dict[str, _Entry] = {}
    every = [
        _Entry(path, pattern == domain, service, way)
        for service in services
        for way in service.ways
        for pattern in way.hosts
        if covers(pattern, domain)
        for path in way.paths
    ]
    for entry in sorted(every, key=lambda one: (-len(one.path), one.path, not one.is_exact)):
        found.setdefault(entry.path, entry)
    return list(found.values())


def _to_tls(entry: _Entry, port: int) -> Config:
    redirect = {
        "https_redirect": True,
        "port_redirect": port,
        "response_code": "PERMANENT_REDIRECT",
    }
    return {"name": entry.service.name, "match": _match(entry.path), "redirect": redirect}


def _match(path: str) -> Config:
    return {"prefix": path} if path == ROOT else {"path_separated_prefix": path}


def _is_guarded(entries: Sequence[_Entry]) -> bool:
    """Tell whether requests are looked at: for attacks, or since paths decide and must mean one thing."""
    return len(entries) > 1 or any(entry.way.guard != "off" for entry in entries)


def _networks(way: EdgeWay, entries: Sequence[_Entry]) -> Config:
    if all(entry.way.is_open for entry in entries):
        return {}
    if way.is_open:
        return {RBAC: _ANYBODY}
    principals: list[Config] = [{"or_ids": {"ids": [_from(network) for network in way.allow]}}]
    if way.deny:
        principals.append({"not_id": {"or_ids": {"ids": [_from(one) for one in way.deny]}}})
    policy = {
        "permissions": [{"any": True}],
        "principals": [{"and_ids": {"ids": principals}}],
    }
    policies = {"networks": policy} if way.allow else {}
    rules = {"action": "ALLOW", "policies": policies}
    return {RBAC: {"@type": _PER_ROUTE, "rbac": {"rules": rules}}}


def _from(network: str) -> Config:
    address, _, length = network.partition("/")
    return {"direct_remote_ip": {"address_prefix": address, "prefix_len": int(length)}}


def _is_of_this_machine(domain: str) -> bool:
    return domain == _OF_A_MACHINE or domain.endswith("." + _OF_A_MACHINE)
