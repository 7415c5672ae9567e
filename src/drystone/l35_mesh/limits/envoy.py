"""What Envoy does about limits: it counts itself, or asks the limiter.

A limit that is counted in the proxy (``local``, ``shared``) is a filter of its own, so that it has statistics, headers and a
shadow of its own. Those that are counted in one place (``exact``) share a question for each way to go on when nobody answers;
requests that no limit is about are not asked about.

Every filter is sent apart from the listener that names it (ECDS): a limit that changes touches no connection and no other
limit. Envoy keeps nothing of what was used by a limit that it counts itself: one that changes begins with a full bucket, and so
do all of a service when its listener changes, which names one limit more or less. The limiter keeps all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE, seconds
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l25_deployer.stacks.limits import NO_REQUESTS, Limit
from drystone.l35_mesh.limits.answers import LIMIT, PASSED_ON, TITLE, TYPE
from drystone.l35_mesh.limits.checking import path_of
from drystone.l35_mesh.limits.policies import KEY_HEADERS, key_header, policy_item
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

MOST_NAMES = 10_000
"""Names that a proxy keeps for one limit; the one that was silent for longest gives way, and begins anew if it returns."""

_EXTENSIONS = TYPE_PREFIX + "envoy.extensions."
_LOCAL = _EXTENSIONS + "filters.http.local_ratelimit.v3.LocalRateLimit"
_ASK = _EXTENSIONS + "filters.http.ext_authz.v3.ExtAuthz"
_UNLESS = _EXTENSIONS + "common.matching.v3.ExtensionWithMatcher"
_SKIP = _EXTENSIONS + "filters.common.matcher.action.v3.SkipFilter"
_HEADER_INPUT = TYPE_PREFIX + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput"
_CEL = _EXTENSIONS + "access_loggers.filters.cel.v3.ExpressionFilter"

_ABSENT = "-"
"""The name of all who do not say who they are."""


class Filters(msgspec.Struct, frozen=True):
    """What the inbound of a service needs for its limits.

    Attributes:
        filters: HTTP filters, behind the decision who may pass.
        extensions: Their configurations, ``TypedExtensionConfig`` messages by name.
        clusters: ``Cluster`` messages that they name.
        mappers: ``ResponseMapper`` messages for what they answer.
        own_routes: ``Route`` messages by which the service asks about its limits itself.
    """

    filters: tuple[Config, ...] = ()
    extensions: Mapping[str, Config] = {}
    clusters: Mapping[str, Config] = {}
    mappers: tuple[Config, ...] = ()
    own_routes: tuple[Config, ...] = ()


def inbound_filters(
    service: str, limits: Mapping[str, Limit], socket: Path, *, has_peers: bool = False
) -> Filters:
    """Return what holds the limits of a service.

    Args:
        service: ``<environment>/<service>``.
        limits: By name.
        socket: Where the limiter listens.
        has_peers: Whether several Envoys stand before the service and each knows the others, by the local cluster of its
            bootstrap. A ``shared`` limit is then split among them; without peers the one Envoy has all of it.
    """
    limits = {name: limit for name, limit in limits.items() if limit.match != NO_REQUESTS}
    if not limits:
        return Filters()
    made: dict[str, Config] = {}
    is_asked = False
    for name, limit in sorted(limits.items()):
        if limit.counted != "exact":
            made[f"limits/{service}/{name}"] = _counting(service, name, limit, has_peers=has_peers)
    for when_down in ("open", "closed"):
        asked = [limit for limit in limits.values() if limit.when_down == when_down]
        if asked:
            name = f"limits/{service}:{when_down}"
            made[name] = _asking(service, asked, closed=when_down == "closed")
            is_asked = True
    return Filters(
        filters=tuple(_apart(name, of) for name, of in made.items()),
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
        "request_headers_to_add": [_header(KEY_HEADERS["caller"], service)],
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


def _counting(service: str, name: str, limit: Limit, *, has_peers: bool) -> Config:
    """Return a filter in which Envoy counts by one limit."""
    header = key_header(limit)
    entries = [{"key": "limit", "value": name}, *([{"key": "who"}] if header else [])]
    wait = -(-limit.period // (limit.count * timedelta(seconds=1)))
    period = limit.period // timedelta(microseconds=1)
    config: dict[str, Any] = {
        "@type": _LOCAL,
        "stat_prefix": f"limits/{service}/{name}",
        "filter_enabled": _share(100),
        "filter_enforced": _share(0 if limit.shadow else 100),
        "rate_limits": [{"actions": actions} for actions in _actions(name, header)],
        "descriptors": [
            {
                "entries": entries,
                "token_bucket": {
                    "max_tokens": limit.burst or limit.count,
                    "tokens_per_fill": limit.count,
                    "fill_interval": seconds(limit.period),
                },
            }
        ],
        "max_dynamic_descriptors": MOST_NAMES,
        "rate_limited_as_resource_exhausted": True,
        "response_headers_to_add": [
            _header("retry-after", str(wait)),
            _header("ratelimit-policy", policy_item(name, limit.count, period)),
            _header("ratelimit", f'"{name}";r=0;t={wait}'),
            _header(LIMIT, name),
        ],
    }
    if limit.counted == "shared" and has_peers:
        config["local_cluster_rate_limit"] = {}
    return _unless_about_others(config, [limit])


def _actions(name: str, header: str | None) -> list[list[Config]]:
    """Return what makes a descriptor of a request, whether it says who it is of or not."""
    first: list[Config] = [{"generic_key": {"descriptor_key": "limit", "descriptor_value": name}}]
    if header is None:
        return [first]
    named = {"request_headers": {"header_name": header, "descriptor_key": "who"}}
    nameless = {
        "header_value_match": {
            "descriptor_key": "who",
            "descriptor_value": _ABSENT,
            "expect_match": False,
            "headers": [{"name": header, "present_match": True}],
        }
    }
    return [[*first, named], [*first, nameless]]


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
    """Return how refusals are written: as the limiter does, or as it would."""
    counted = {
        "type": TYPE,
        "title": TITLE,
        "status": 429,
        "detail": f"the limit %RESP({LIMIT})% is used up; try again in %RESP(RETRY-AFTER)% s",
        "limit": f"%RESP({LIMIT})%",
    }
    nobody = {
        "type": "limits.NobodyCounts",
        "title": "What was used cannot be looked up at the moment",
        "status": 503,
        "detail": "a limit of this service lets nothing through while nobody can count; try again later",
    }
    return (
        _mapper("local_rate_limited", {"json_format": counted}),
        _mapper("ext_authz_error", {"json_format": nobody}),
        _mapper(
            "ext_authz_denied", {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}}
        ),
    )


def _mapper(details: str, body: Config) -> Config:
    expression = f"response.code_details == '{details}'"
    return {
        "filter": {
            "extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": {"@type": _CEL, "expression": expression},
            }
        },
        "body_format_override": {**body, "content_type": "application/problem+json"},
    }


def _exactly(names: Iterable[str]) -> Config:
    return {"patterns": [{"exact": name} for name in names]}


def _share(percent: int) -> Config:
    return {"default_value": {"numerator": percent, "denominator": "HUNDRED"}}


def _header(name: str, value: str) -> Config:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
