"""Who may pass and who may ask for what, as policies of Envoy's RBAC filter (role-based access control).

A caller is who the checks of tokens say, by the one place where they write it down (:data:`CALLER`). Nothing that a request
itself carries is asked, so that a request without a checked token is a stranger's whatever it says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared
from drystone.l10_engines.proxy.request_words import permission
from drystone.l35_mesh.sidecar.model import Inbound

RBAC = "envoy.filters.http.rbac"
_RBAC = TYPE_PREFIX + "envoy.extensions.filters.http.rbac.v3.RBAC"
_PER_ROUTE = TYPE_PREFIX + "envoy.extensions.filters.http.rbac.v3.RBACPerRoute"

NAMESPACE, CALLER = "drystone", "caller"
"""Where in a request's metadata the issuer of its token stands, once everything about the token was found good."""

_ANYBODY = {"any": True}
_OF_CALLER = {"filter": NAMESPACE, "path": [{"key": CALLER}]}
_STRANGER = {
    "not_id": {
        "sourced_metadata": {
            "metadata_matcher": {**_OF_CALLER, "value": {"present_match": True}},
        }
    }
}

NOBODY: Config = Shared(
    {
        "name": RBAC,
        "typed_config": {"@type": _RBAC, "rules": {"action": "ALLOW", "policies": {}}},
    }
)
"""The filter, which lets nobody pass; routes say who may."""


def inbound_rules(inbound: Inbound) -> Config:
    """Return what a route says of the filter: who may call a service, and for what."""
    policies: dict[str, Any] = dict(inbound.further.policies)
    if inbound.public:
        who = _STRANGER if inbound.holds_callers else _ANYBODY
        policies["public"] = {"permissions": [_ANYBODY], "principals": [who]}
    if inbound.health:
        policies["health"] = {
            "permissions": [
                {"and_rules": {"rules": [permission(f"GET {path}")]}} for path in inbound.health
            ],
            "principals": [_ANYBODY],
        }
    by_calls: dict[tuple[str, ...], list[str]] = {}
    for caller in inbound.callers:
        by_calls.setdefault(caller.calls or ("*",), []).append(caller.issuer)
    for calls, issuers in by_calls.items():
        policies[", ".join(calls)] = {
            "permissions": _permissions(calls),
            "principals": [_issuer(issuer) for issuer in sorted(set(issuers))],
        }
    return _per_route(policies, enforce=inbound.enforce)


def outbound_rules(calls: Iterable[str]) -> Config:
    """Return what a route says of the filter: which requests a caller has declared."""
    declared = {"permissions": _permissions(calls), "principals": [_ANYBODY]}
    return _per_route({"declared": declared}, enforce=True)


def _permissions(calls: Iterable[str]) -> list[Config]:
    return [permission(words) for words in calls] or [_ANYBODY]


def _issuer(issuer: str) -> Config:
    value = {"string_match": {"exact": issuer}}
    return {"sourced_metadata": {"metadata_matcher": {**_OF_CALLER, "value": value}}}


def _per_route(policies: Config, *, enforce: bool) -> Config:
    rules = {"action": "ALLOW", "policies": policies}
    if enforce:
        return {"@type": _PER_ROUTE, "rbac": {"rules": rules}}
    # Its own statistics (shadow_denied) count what would be refused, and the request's metadata tell it to the log.
    return {"@type": _PER_ROUTE, "rbac": {"shadow_rules": rules}}
