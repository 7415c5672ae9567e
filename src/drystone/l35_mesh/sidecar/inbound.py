"""What stands before a service: who calls, whether they may, and the way to an instance.

The listener never changes while a service lives, since a change of it would let connections go: keys are sent apart (see
``tokens``), and who may call for what stands on the routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from drystone.l10_engines.proxy.edge_clusters import protocols_of, seconds
from drystone.l10_engines.proxy.edge_routes import UNSENT, route_configuration, service_host
from drystone.l10_engines.proxy.edge_services import EdgeService
from drystone.l10_engines.proxy.local_replies import (
    INSTANCE_ANSWERS,
    Answer,
    local_replies,
    otherwise,
)
from drystone.l10_engines.proxy.messages import Config, Shared
from drystone.l10_engines.proxy.occasions import says
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.bodies import TOO_LARGE, UNSIZED, bounded
from drystone.l35_mesh.sidecar.checks import check_inbound
from drystone.l35_mesh.sidecar.connections import (
    entry_name,
    http,
    inbound_name,
    listening,
    tells,
    way_name,
    way_within,
)
from drystone.l35_mesh.sidecar.model import Inbound
from drystone.l35_mesh.sidecar.permissions import CALLER, NAMESPACE, NOBODY, RBAC, inbound_rules
from drystone.l35_mesh.sidecar.tokens import (
    BINDING,
    LUA,
    STRANGER,
    accepts_bad,
    checks,
    checks_filter,
    checks_name,
)

PARTS = 1 << 14
"""How many results are kept, so that a change of one service costs next to nothing for each of the others."""

_ARRIVE: Config = Shared(
    {
        # Nothing of such a request has arrived anywhere: that other Envoy is about to start again, or the inbound has been
        # led to a moment before it is open. Envoy draws each pause between nothing and what it has grown to.
        "retry_on": ",".join(UNSENT),
        "num_retries": 12,
        "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
    }
)
_WHAT = "%REQ(:METHOD):32% %PATH(NQ:ORIG_OR_PATH):512%"


@lru_cache(maxsize=PARTS)
def inbound_part(inbound: Inbound, access_log: Path) -> Snapshot:
    """Return all that belongs to one inbound, but the clusters of its service, which are those of the edge.

    Raises:
        InvalidProxyConfig: Something of it cannot be.
    """
    check_inbound(inbound)
    service = inbound.service
    name = inbound_name(service.name)
    further = inbound.further
    chain = http(
        "inbound",
        name=name,
        filters=(
            *further.before,
            checks_filter(service.name),
            BINDING,
            NOBODY,
            *further.filters,
            UNSIZED,
        ),
        replies=_replies(further.mappers) if further.mappers else _REPLIES,
        access_log=access_log,
        strip=further.identity_headers,
        trusts_hop=inbound.trusts_hop,
    )
    told = {"callee": inbound.audience, "service": inbound.audience.rpartition("/")[2]}
    ways = {} if inbound.listen else {way_name(service.name): way_within(service.name)}
    entry = _entry(inbound, told)
    return Snapshot(
        clusters={**ways, **further.clusters},
        listeners={name: listening(name, inbound.listen, [chain], told), **entry.listeners},
        routes={name: _routes(inbound, name), **entry.routes},
        secrets=further.secrets,
        extensions={checks_name(service.name): checks(inbound), **further.extensions},
        optional=frozenset(entry.listeners),
    )


def _entry(inbound: Inbound, told: Mapping[str, str]) -> Snapshot:
    """Return the listener by which other Envoys come to the inbound inside this one, which checks, counts and logs them all."""
    if inbound.entry is None:
        return Snapshot()
    name = entry_name(inbound.service.name)
    chain = http("inbound", name=name, filters=(), replies=_REPLIES, access_log=None)
    return Snapshot(
        listeners={name: listening(name, inbound.entry, [chain], told)},
        routes={name: route_configuration([edge_host(inbound.service, ("*",))], name=name)},
    )


@lru_cache(maxsize=PARTS)
def edge_host(service: EdgeService, domains: tuple[str, ...], *, is_beside: bool = False) -> Config:
    """Return the ``VirtualHost`` of the edge that leads to the inbound of a service, which knows all the rest.

    Args:
        service: The service.
        domains: Names under which the edge answers for it.
        is_beside: Whether the inbound is in another Envoy.
    """
    silence = max(service.timeout, service.stream_timeout) * 2
    host = {
        "name": service.name,
        "domains": list(domains),
        "routes": [
            {
                "name": service.name,
                "match": {"prefix": "/"},
                "route": {
                    "cluster": way_name(service.name, is_beside=is_beside),
                    "timeout": "0s",
                    # The inbound is the one that ends what is silent, and says so.
                    "idle_timeout": seconds(silence),
                    "retry_policy": _ARRIVE,
                },
            }
        ],
    }
    return Shared(host)


def _routes(inbound: Inbound, name: str) -> Config:
    host = service_host(inbound.service, ("*",))
    own = {
        **host,
        "typed_per_filter_config": {RBAC: inbound_rules(inbound), **inbound.further.on_routes},
    }
    if inbound.body is not None:
        takes_calls = "http2" in protocols_of(inbound.service)
        own["routes"] = bounded(
            inbound.service.name, own["routes"], inbound.body, takes_calls=takes_calls
        )
    if accepts_bad(inbound):
        told = {LUA: {STRANGER: True}}
        own["routes"] = [{**route, "metadata": _with(route, told)} for route in own["routes"]]
    ending = [
        _ending(route, header, after)
        for header, after in inbound.further.lasting.items()
        for route in own["routes"]
    ]
    own["routes"] = [*ending, *own["routes"]]
    own["routes"] = [*inbound.further.routes, *own["routes"]]
    routes = route_configuration([own], name=name)
    if inbound.trusts_hop:
        # The proxy before this one has said who the client is.
        routes.pop("request_headers_to_add")
    return routes


def _with(route: Config, told: Config) -> Config:
    """Return the metadata of a route with more in it."""
    before = route.get("metadata", {}).get("filter_metadata", {})
    return {"filter_metadata": {**before, **told}}


def _ending(route: Config, header: str, after: timedelta) -> Config:
    """Return a route for those of its requests that have a header, which ends them after a time."""
    match = route["match"]
    headers = [*match.get("headers", ()), {"name": header, "present_match": True}]
    duration = {"max_stream_duration": seconds(after)}
    return {
        **route,
        "match": {**match, "headers": headers},
        "route": {**route["route"], "max_stream_duration": duration},
    }


def _replies(more: tuple[Config, ...]) -> Config:
    callee, service = tells("callee"), tells("service")
    caller = f"%DYNAMIC_METADATA({NAMESPACE}:{CALLER})%"
    realm = f'Bearer realm="{callee}"'
    missing = Answer(
        when=says('response.code_details == "jwt_authn_access_denied{Jwt_is_missing}"'),
        code="NoToken",
        title="The caller did not say who it is",
        detail=f"{callee} answers those alone who prove who they are. A service declares `{service}` among its"
        " dependencies, and calls at the address that it is then given.",
        status=401,
        headers={"www-authenticate": realm},
    )
    bad = Answer(
        when=says(
            'response.code_details.startsWith("jwt_authn_access_denied")'
            ' || response.code_details == "lua_response"'
        ),
        code="TokenRefused",
        title="The token proves nothing here",
        detail=f"{callee} cannot accept the token: %LOCAL_REPLY_BODY%. Keys are known of services that declare"
        f" `{service}` among their dependencies.",
        status=401,
        headers={"www-authenticate": f'{realm}, error="invalid_token"'},
    )
    undeclared = Answer(
        when=says('response.code_details.startsWith("rbac_access_denied")'),
        code="CallRefused",
        title="The caller may not do this",
        detail=f"{caller} may not call {callee} with {_WHAT}. It needs `dependencies: {{{service}: …}}` in its"
        f" descriptor, where `calls` lists the request, and {service} lists it in network.ingress.callers if it lists any.",
    )
    answers = (missing, bad, undeclared, TOO_LARGE, *INSTANCE_ANSWERS, otherwise("mesh", "sidecar"))
    return Shared(local_replies("mesh", answers, more))


_REPLIES = _replies(())
