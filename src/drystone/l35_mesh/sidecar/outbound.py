"""The way from a caller to one of its dependencies: the token goes in here, and what fails is tried again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from drystone.l10_engines.proxy.attempt_log import watched
from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE, bound_in, seconds
from drystone.l10_engines.proxy.edge_routes import (
    CALL,
    EVENTS,
    SAFE_METHODS,
    UNSENT,
    WEBSOCKET,
    any_method,
    route_configuration,
)
from drystone.l10_engines.proxy.local_replies import (
    Answer,
    local_replies,
    otherwise,
)
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared
from drystone.l10_engines.proxy.occasions import flags, status_is
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.checks import check_outbound
from drystone.l35_mesh.sidecar.connections import (
    BESIDE,
    WITHIN,
    bare_cluster,
    http,
    listening,
    outbound_name,
    reached,
    slot_name,
    tells,
    within,
)
from drystone.l35_mesh.sidecar.inbound import PARTS
from drystone.l35_mesh.sidecar.model import Outbound
from drystone.l35_mesh.sidecar.permissions import NOBODY, RBAC, outbound_rules

_INJECTOR = TYPE_PREFIX + (
    "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector"
)
_GENERIC = TYPE_PREFIX + "envoy.extensions.http.injected_credentials.generic.v3.Generic"
_CODEC = TYPE_PREFIX + "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"


def secret_name(issuer: str, audience: str) -> str:
    """Name the secret that holds the token of a service for another."""
    return f"token/{issuer}>{audience}"


@lru_cache(maxsize=PARTS)
def secret(issuer: str, audience: str, token: str) -> Config:
    """Return the ``Secret`` that holds a token."""
    return {
        "name": secret_name(issuer, audience),
        "generic_secret": {"secret": {"inline_string": f"Bearer {token}"}},
    }


@lru_cache(maxsize=PARTS)
def outbound_part(outbound: Outbound, access_log: Path) -> Snapshot:
    """Return all that belongs to one outbound, but its token.

    Raises:
        InvalidProxyConfig: Something of it cannot be.
    """
    check_outbound(outbound)
    name = outbound_name(outbound.caller, outbound.service)
    chain = http(
        "outbound",
        name=name,
        filters=(NOBODY,),
        replies=_REPLIES,
        access_log=access_log,
    )
    told = {
        "caller": outbound.issuer,
        "callee": outbound.audience,
        "dependency": outbound.dependency,
        "slot": str(outbound.slot),
    }
    listener = slot_name(outbound.caller, outbound.service, outbound.slot)
    cluster = f"{name}{BESIDE}" if outbound.reach else name
    return Snapshot(
        clusters={cluster: _cluster(cluster, outbound)},
        listeners={listener: listening(listener, outbound.listen, [chain], told)},
        routes={name: _routes(name, cluster, outbound)},
        optional=frozenset({listener}),
    )


def _cluster(name: str, outbound: Outbound) -> Config:
    secret = {"name": secret_name(outbound.issuer, outbound.audience), "sds_config": ADS_SOURCE}
    credential = {"@type": _GENERIC, "credential": secret, "header": "Authorization"}
    injector = {
        "@type": _INJECTOR,
        "overwrite": True,
        "credential": {
            "name": "envoy.http.injected_credentials.generic",
            "typed_config": credential,
        },
    }
    filters = [
        {"name": "envoy.filters.http.credential_injector", "typed_config": injector},
        {"name": "envoy.filters.http.upstream_codec", "typed_config": {"@type": _CODEC}},
    ]
    protocol = outbound.protocol or ("http2" if outbound.reach else None)
    plain = {**bare_cluster(name, protocol, http_filters=filters), "type": "STATIC"}
    if not outbound.reach:
        here = within(name, outbound.service)
        return {**plain, "transport_socket": WITHIN, "load_assignment": here}
    return {
        **plain,
        **bound_in(outbound.reach_in),
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": reached(name, outbound.reach),
    }


def _routes(name: str, cluster: str, outbound: Outbound) -> Config:
    safe = any_method(SAFE_METHODS)
    again = [any_method(outbound.idempotent_methods)] if outbound.idempotent_methods else []
    silence, long = outbound.timeout, outbound.stream_timeout
    routes = [
        _route(cluster, outbound, [WEBSOCKET], seconds(long), "once"),
        _route(cluster, outbound, [CALL], seconds(long), "once"),
        _route(cluster, outbound, [EVENTS, safe], seconds(long), "safe"),
        _route(cluster, outbound, [EVENTS], seconds(long), "once"),
        _route(cluster, outbound, [safe], seconds(silence), "safe"),
        *(_route(cluster, outbound, [one], seconds(silence), "again") for one in again),
        _route(cluster, outbound, [], seconds(silence), "once"),
    ]
    host = {
        "name": outbound.service,
        "domains": ["*"],
        "routes": routes,
        "typed_per_filter_config": {RBAC: outbound_rules(outbound.calls)},
    }
    return route_configuration([host], name=name)


def _route(
    cluster: str, outbound: Outbound, headers: Sequence[Config], silence: str, repeat: str
) -> dict[str, Any]:
    route: dict[str, Any] = {"cluster": cluster, "timeout": "0s", "idle_timeout": silence}
    policy = _retries(
        outbound.retry_on,
        repeat,
        outbound.retries,
        outbound.timeout / (outbound.retries + 1),
    )
    if policy:
        route["retry_policy"] = policy
    if outbound.host is not None:
        route["host_rewrite_literal"] = outbound.host
    return {
        "name": outbound.service,
        "match": {"prefix": "/", "headers": list(headers)},
        "route": route,
        **({"metadata": _WATCHED} if outbound.is_watched else {}),
    }


_WATCHED: Config = Shared(watched("request"))


@lru_cache
def _retries(words: tuple[str, ...], repeat: str, retries: int, each: timedelta) -> Config:
    """Return the ``RetryPolicy`` of requests that may reach the service again (``safe``, ``again``) or only ``once``.

    Args:
        words: Which failures are repeated, as a descriptor says it.
        repeat: Of which kind the requests are.
        retries: How often.
        each: How long each attempt may be silent where silence is repeated.
    """
    on: list[str] = list(UNSENT) if "connect" in words else []
    statuses = sorted(int(word) for word in words if word.isdecimal())
    if {"reset", "timeout"} & set(words):
        on.append("reset-before-request" if repeat == "once" else "reset")
    if repeat != "safe":
        # It was not let in, so that nothing has happened.
        statuses = [status for status in statuses if status == 429]
    if statuses:
        on.append("retriable-status-codes")
    if not on or not retries:
        return {}
    policy: dict[str, Any] = {
        "retry_on": ",".join(on),
        "num_retries": retries,
        "retriable_status_codes": statuses,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
    }
    if "timeout" in words and repeat != "once":
        policy["per_try_idle_timeout"] = seconds(each)
    return Shared(policy)


def _replies() -> Config:
    caller, callee, dependency = tells("caller"), tells("callee"), tells("dependency")
    undeclared = Answer(
        when=status_is(403, runtime_key="mesh.403"),
        code="CallUndeclared",
        title="The caller did not declare this request",
        detail=f"{caller} declares other requests to {callee} than this one. Add"
        f" `%REQ(:METHOD):32% %PATH(NQ:ORIG_OR_PATH):512%` to dependencies.{dependency}.calls of its descriptor.",
    )
    tokenless = Answer(
        when=status_is(401, runtime_key="mesh.401"),
        code="NoTokenYet",
        title="There is no token for this call",
        detail=f"{caller} has no token for {callee}, so that the call was not made."
        " `drystone status` shows what is wrong.",
    )
    unreachable = Answer(
        when=flags("UH", "NC", "UF", "UC", "UR", "LR", "URX", "UPE"),
        code="DependencyUnreachable",
        title="The dependency cannot be reached",
        detail=f"{callee} cannot be reached from {caller}. `drystone services` shows its state.",
    )
    silent = Answer(
        when=flags("SI", "UT"),
        code="DependencySilent",
        title="The dependency did not answer in time",
        detail=f"{callee} was silent for longer than dependencies.{dependency}.timeout of {caller} allows.",
    )
    answers = (undeclared, tokenless, unreachable, silent, otherwise("mesh", "sidecar"))
    return Shared(local_replies("mesh", answers))


_REPLIES = _replies()
