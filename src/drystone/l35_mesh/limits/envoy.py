"""What Envoy does about limits: it counts itself, or asks the limiter.

Limits that are counted in the proxy (``local``, ``shared``) share a script, see :mod:`~drystone.l35_mesh.limits.in_proxy`. Those
that are counted in one place (``exact``) share a question for each way to go on when nobody answers; requests that no limit is
about are not asked about. What is asked is sent apart from the listener (ECDS), and what the script counts by with the routes:
a limit that changes touches no connection. What was used stays used, in the limiter and in the proxy, also when the listener
changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE, seconds
from drystone.l10_engines.proxy.headers import set_header
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l10_engines.proxy.occasions import says
from drystone.l25_deployer.stacks.limits import NO_REQUESTS, Limit
from drystone.l35_mesh.limits.answers import PASSED_ON
from drystone.l35_mesh.limits.checking import path_of
from drystone.l35_mesh.limits.in_proxy import COUNTING, counting
from drystone.l35_mesh.limits.policies import KEY_HEADERS, key_header
from drystone.l35_mesh.limits.requests import methods, path_regex

CLUSTER = "limiter"
APPLICATIONS = "limiter/applications"
"""The cluster of questions that applications ask. A connection on which one was asked is of no use for those of proxies."""

MOST_AT_ONCE = 128
"""Questions of applications that the limiter works on; further ones wait, and proxies before them all."""

MOST_WAITING = 1024
"""Questions of applications that wait; more are told to try again."""

ANSWERED_WITHIN = timedelta(seconds=2)
"""How long an application may wait for an answer."""

PATIENCE = timedelta(milliseconds=300)
"""How long the limiter may take; longer than it may wait for a store."""

_EXTENSIONS = TYPE_PREFIX + "envoy.extensions."
_ASK = _EXTENSIONS + "filters.http.ext_authz.v3.ExtAuthz"
_UNLESS = _EXTENSIONS + "common.matching.v3.ExtensionWithMatcher"
_SKIP = _EXTENSIONS + "filters.common.matcher.action.v3.SkipFilter"
_HEADER_INPUT = TYPE_PREFIX + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput"


class Filters(msgspec.Struct, frozen=True):
    """What the inbound of a service needs for its limits.

    Attributes:
        filters: HTTP filters, behind the decision who may pass.
        on_routes: ``typed_per_filter_config`` by name of a filter, for every route of the service.
        extensions: Their configurations, ``TypedExtensionConfig`` messages by name.
        clusters: ``Cluster`` messages that they name.
        mappers: ``ResponseMapper`` messages for what they answer.
        own_routes: ``Route`` messages by which the service asks about its limits itself.
    """

    filters: tuple[Config, ...] = ()
    on_routes: Mapping[str, Config] = {}
    extensions: Mapping[str, Config] = {}
    clusters: Mapping[str, Config] = {}
    mappers: tuple[Config, ...] = ()
    own_routes: tuple[Config, ...] = ()


def inbound_filters(
    service: str, limits: Mapping[str, Limit], socket: Path, *, among: int = 1
) -> Filters:
    """Return what holds the limits of a service.

    Args:
        service: ``<environment>/<service>``.
        limits: By name.
        socket: Where the limiter listens.
        among: How many Envoys stand before the service; each lets its share of a ``shared`` limit through.
    """
    limits = {name: limit for name, limit in limits.items() if limit.match != NO_REQUESTS}
    if not limits:
        return Filters()
    counted = {name: limit for name, limit in limits.items() if limit.counted != "exact"}
    made: dict[str, Config] = {}
    is_asked = False
    for when_down in ("open", "closed"):
        asked = [limit for limit in limits.values() if limit.when_down == when_down]
        if asked:
            name = f"limits/{service}:{when_down}"
            made[name] = _asking(service, asked, closed=when_down == "closed")
            is_asked = True
    return Filters(
        filters=(
            *((COUNTING,) if counted else ()),
            *(_apart(name, of) for name, of in made.items()),
        ),
        on_routes={COUNTING["name"]: counting(service, counted, among)} if counted else {},
        extensions={name: {"name": name, "typed_config": of} for name, of in made.items()},
        clusters={CLUSTER: _cluster(CLUSTER, socket)} if is_asked else {},
        mappers=_mappers(),
    )


def asking_itself(service: str, socket: Path) -> Filters:
    """Return what lets a service ask about its limits itself, and about no others.

    Args:
        service: ``<environment>/<service>``.
        socket: Where the limiter listens.
    """
    route: Config = {
        "name": "limits",
        "match": {"path_separated_prefix": f"/v1/limits/{service}"},
        "route": {"cluster": APPLICATIONS, "timeout": seconds(ANSWERED_WITHIN)},
        "request_headers_to_add": [set_header(KEY_HEADERS["caller"], service)],
    }
    thresholds = {
        "max_connections": MOST_AT_ONCE,
        "max_requests": MOST_AT_ONCE,
        "max_pending_requests": MOST_WAITING,
    }
    cluster = {**_cluster(APPLICATIONS, socket), "circuit_breakers": {"thresholds": [thresholds]}}
    return Filters(clusters={APPLICATIONS: cluster}, own_routes=(route,))


def _apart(name: str, of: Config) -> Config:
    kind = of.get("extension_config", {}).get("typed_config", of)["@type"]
    # Either may come, so that a limit that is about other requests from now on leaves the listener as it is.
    types = [kind, _UNLESS]
    return {"name": name, "config_discovery": {"config_source": ADS_SOURCE, "type_urls": types}}


def _is_about_all(limit: Limit) -> bool:
    return not methods(limit.match) and path_regex(limit.match) is None


def _regexes(limit: Limit) -> dict[str, str]:
    """Return what method and path of the requests of a limit match."""
    path, known = path_regex(limit.match), methods(limit.match)
    return {
        **({":method": "|".join(known)} if known else {}),
        **({":path": path} if path is not None else {}),
    }


def _asking(service: str, limits: list[Limit], *, closed: bool) -> Config:
    """Return a filter in which Envoy asks the limiter about the requests of some limits."""
    headers = sorted({header for limit in limits if (header := key_header(limit)) is not None})
    ask = {
        "@type": _ASK,
        "transport_api_version": "V3",
        "stat_prefix": "limits_closed" if closed else "limits_open",
        "http_service": {
            "server_uri": {
                "uri": f"http://{CLUSTER}",
                "cluster": CLUSTER,
                "timeout": seconds(PATIENCE),
            },
            "path_prefix": path_of(service, closed=closed),
            "authorization_response": {
                "allowed_client_headers_on_success": _exactly(PASSED_ON),
            },
        },
        "allowed_headers": _exactly(headers or (":method",)),
        "failure_mode_allow": not closed,
        "status_on_error": {"code": "ServiceUnavailable"},
    }
    return _unless_about_others(ask, limits)


def _unless_about_others(config: Config, limits: Sequence[Limit]) -> Config:
    """Return a filter that requests pass by that none of the limits is about: they are neither counted nor told of."""
    if any(_is_about_all(limit) for limit in limits):
        return config
    return {
        "@type": _UNLESS,
        "extension_config": {"name": "limits", "typed_config": config},
        "xds_matcher": {
            "matcher_list": {
                "matchers": [
                    {
                        "predicate": {"not_matcher": _any([_is_of(limit) for limit in limits])},
                        "on_match": {
                            "action": {"name": "skip", "typed_config": {"@type": _SKIP}},
                        },
                    }
                ]
            }
        },
    }


def _is_of(limit: Limit) -> Config:
    return _all([_matches(name, regex) for name, regex in _regexes(limit).items()])


def _matches(header: str, regex: str) -> Config:
    return {
        "single_predicate": {
            "input": {
                "name": header,
                "typed_config": {"@type": _HEADER_INPUT, "header_name": header},
            },
            "value_match": {"safe_regex": {"google_re2": {}, "regex": regex}},
        }
    }


def _all(predicates: list[Config]) -> Config:
    return predicates[0] if len(predicates) == 1 else {"and_matcher": {"predicate": predicates}}


def _any(predicates: list[Config]) -> Config:
    return predicates[0] if len(predicates) == 1 else {"or_matcher": {"predicate": predicates}}


def _cluster(name: str, socket: Path) -> Config:
    address = {"pipe": {"path": str(socket)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": seconds(PATIENCE),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _mappers() -> tuple[Config, ...]:
    """Return how refusals are written: as whoever counts says it."""
    nobody = {
        "type": "limits.NobodyCounts",
        "title": "What was used cannot be looked up at the moment",
        "status": 503,
        "detail": "a limit of this service lets nothing through while nobody can count; try again later",
    }
    return (
        _mapper("response.code_details == 'ext_authz_error'", {"json_format": nobody}),
        _mapper(
            "response.code_details == 'ext_authz_denied'"
            " || (response.code_details == 'lua_response' && response.code == 429)",
            {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}},
        ),
    )


def _mapper(expression: str, body: Config) -> Config:
    return {
        "filter": says(expression),
        "body_format_override": {**body, "content_type": "application/problem+json"},
    }


def _exactly(names: Iterable[str]) -> Config:
    return {"patterns": [{"exact": name} for name in names]}
