"""A release that is tried beside the one that serves, and gets a share of the requests.

It is a cluster of its own, in which the release that serves stands as the second priority: what the tried one does not take at
all goes there, at once. So requests can be parted by a hash, or led by a header, which the weights of localities in one
cluster cannot do.

Whom a hash decides for stays where it is: the canary stands first among the weights, whose sum is always the same, so that it
keeps whom it has while its share grows. The hash is salted, so that it is not in each rollout the same ones who meet what is
new.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import msgspec

from drystone.l10_engines.proxy.attempt_log import VISITOR_COOKIE, watched
from drystone.l10_engines.proxy.edge_clusters import canary_name, cluster, endpoints, shares_of
from drystone.l10_engines.proxy.edge_moves import WHOLE
from drystone.l10_engines.proxy.edge_services import Canary, Cohort, EdgeService
from drystone.l10_engines.proxy.headers import set_header
from drystone.l10_engines.proxy.messages import Config

Way: TypeAlias = tuple[list[Config], Config, Config]
"""Headers that a request has, where it goes then, and what its answer gets beside that."""

VISITOR = VISITOR_COOKIE
"""Cookie by which a browser is known again; the edge sets it while visitors are parted."""

COHORT_HEADERS: dict[Cohort, tuple[str, ...]] = {
    "request": (),
    "user": ("x-drystone-user", "x-user-id"),
    "tenant": ("x-drystone-tenant", "x-tenant-id"),
    "visitor": (),
}
"""Who it is that asks: what the platform has proven comes before what the caller says."""

IN_A_ROW = 3
"""So many answers of 500 and more, one after the other, and an instance of a canary is set aside for a while.

That proves nothing, and is told apart from a proof: it spares users what would go wrong until somebody has looked. The release
that serves answers meanwhile.
"""

_ASIDE: Config = {
    "consecutive_5xx": IN_A_ROW,
    "enforcing_consecutive_5xx": 100,
    "base_ejection_time": "3s",
    # The release that serves stands in this cluster, too: with half of all at most, something of it is always left.
    "max_ejection_percent": 50,
}
_ALL = {"pattern": {"regex": "(?s)^(.*)$"}}
_COOKIE = rf"(?s)^(?:.*;\s*)?{VISITOR}=([0-9a-f-]+).*$"
_AGAIN: Config = {
    "name": "cookie",
    "string_match": {"safe_regex": {"regex": rf"(?s)(?:.*;\s*)?{VISITOR}=[0-9a-f-]+.*"}},
}


def canary_cluster(service: EdgeService, canary: Canary, connections: int) -> Config:
    """Return the ``Cluster`` of a canary."""
    of = cluster(service.name, canary.pool.protocol, connections, service.network)
    aside = {**of["outlier_detection"], **_ASIDE}
    return {**of, "name": canary_name(service.name), "outlier_detection": aside}


def told_of(canary: Canary | None) -> Config:
    """Return what routes say of a canary, so that attempts are written down; nothing while it gets nothing."""
    if canary is None or not 0 < canary.share < WHOLE:
        return {}
    return {"metadata": watched(canary.by, COHORT_HEADERS[canary.by])}


def canary_endpoints(service: EdgeService, canary: Canary) -> Config:
    """Return its ``ClusterLoadAssignment``: its instances, and behind them those of the release that serves."""
    pool = msgspec.structs.replace(canary.pool, weight=1)
    alone = EdgeService(name=service.name, hosts=(), pools=(pool,))
    there = endpoints(alone, canary.pool.protocol)["endpoints"]
    serving = [p for p in service.pools if p.weight and p.protocol == canary.pool.protocol]
    here = EdgeService(name=service.name, hosts=(), pools=tuple(serving))
    behind = endpoints(here, canary.pool.protocol)["endpoints"]
    return {
        "cluster_name": canary_name(service.name),
        "endpoints": [*there, *({**locality, "priority": 1} for locality in behind)],
        # By default a part of the requests leaves a side as soon as some of its hosts are set aside.
        "policy": {"overprovisioning_factor": 100 * 1000},
    }


def parted(service: EdgeService) -> dict[str, int]:
    """Return the clusters of this side that get requests, with the share of each, the canary's first."""
    shares, canary = shares_of(service), service.canary
    if canary is None or canary.share == 0:
        return shares
    if canary.share == WHOLE:
        return {canary_name(service.name): 1}
    common = math.gcd(*shares.values())
    shares = {name: share // common for name, share in shares.items()}
    total = sum(shares.values())
    rest = {name: share * (WHOLE - canary.share) for name, share in shares.items()}
    return {canary_name(service.name): canary.share * total, **rest}


def chosen(service: EdgeService) -> list[Way]:
    """Return where those go who choose a release by a header. Nobody chooses what gets nothing, or what is about to go."""
    canary = service.canary
    if canary is None or canary.header is None:
        return []
    ways: list[Way] = []
    # Who chooses is no part of the evidence: what fails is written down, and not who it was.
    told = told_of(msgspec.structs.replace(canary, by="request"))
    if canary.share > 0:
        there = {"cluster": canary_name(service.name)}
        ways.append(([_says(canary.header, "canary")], there, told))
    if canary.share < WHOLE:
        shares = shares_of(service)
        ways.append(([_says(canary.header, "stable")], {"cluster": next(iter(shares))}, told))
    return ways


def hashed(canary: Canary | None, where: Config) -> list[Way]:
    """Return the ways of those whom weights part, so that each stays where it is.

    Args:
        canary: What is tried; its share has gone into the weights.
        where: The weights.
    """
    weighted: dict[str, Any] = dict(where)
    told = told_of(canary)
    is_parted = canary is not None and 0 < canary.share < WHOLE
    if canary is None or not is_parted or "hash_policy" in where or canary.cohort == "request":
        return [([], where, told)]
    weighted["weighted_clusters"] = {**where["weighted_clusters"], "use_hash_policy": True}
    if canary.cohort != "visitor":
        names = COHORT_HEADERS[canary.cohort]
        policy = [{**_by(name, _ALL, canary), "terminal": True} for name in names]
        return [([], {**weighted, "hash_policy": policy}, told)]
    # A visitor's first request is parted by what its cookie will say.
    known = [_by("cookie", {"pattern": {"regex": _COOKIE}}, canary)]
    new = [_by("x-request-id", _ALL, canary)]
    cookie = f"{VISITOR}=%REQ(x-request-id)%; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
    given: Config = {**told, "response_headers_to_add": [_another("set-cookie", cookie)]}
    return [
        ([_AGAIN], {**weighted, "hash_policy": known}, told),
        ([], {**weighted, "hash_policy": new}, given),
    ]


def _by(header: str, pattern: Config, canary: Canary) -> Config:
    salted = {**pattern, "substitution": rf"{canary.salt}:\1"}
    return {"header": {"header_name": header, "regex_rewrite": salted}}


def _says(header: str, value: str) -> Config:
    return {"name": header, "string_match": {"exact": value}}


def _another(name: str, value: str) -> Config:
    """Return a ``HeaderValueOption`` that leaves what the service itself sets."""
    return {**set_header(name, value), "append_action": "APPEND_IF_EXISTS_OR_ADD"}
