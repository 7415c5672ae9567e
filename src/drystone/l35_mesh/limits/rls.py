"""Envoy's rate limit service (``envoy.service.ratelimit.v3``), for proxies that the platform does not configure.

The domain of a question is a service, ``<environment>/<service>``. An entry ``limit`` of a descriptor names one of its limits;
without one, every limit is asked whose requests the entries ``method`` and ``path`` describe. Who is counted stands in an entry
named like the header that a limit counts by, or ``caller``, ``user``, ``tenant`` or ``ip``.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio

from drystone.l10_engines.proxy.messages import message_class
from drystone.l35_mesh.limits.answers import fields, seconds
from drystone.l35_mesh.limits.counter import Counter
from drystone.l35_mesh.limits.domain import Verdict
from drystone.l35_mesh.limits.errors import NobodyCounts
from drystone.l35_mesh.limits.memory import Counted
from drystone.l35_mesh.limits.names import name_of
from drystone.l35_mesh.limits.policies import KEY_HEADERS

SERVICE = "envoy.service.ratelimit.v3.RateLimitService"
_REQUEST = message_class("envoy.service.ratelimit.v3.RateLimitRequest")
_RESPONSE = message_class("envoy.service.ratelimit.v3.RateLimitResponse")
_OK, _OVER = 1, 2
_UNITS = {timedelta(seconds=1): 1, timedelta(minutes=1): 2, timedelta(hours=1): 3}
_ALIASES = {header: per for per, header in KEY_HEADERS.items()}
MOST_COST = 1_000_000


class RateLimitService:
    """Answers questions of other proxies.

    Args:
        counter: Knows the limits, and decides.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def should_rate_limit(
        self, request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> Any:
        """Decide about one request, descriptor by descriptor."""
        response = _RESPONSE(overall_code=_OK)
        known = self._counter.limits(request.domain) or {}
        for descriptor in request.descriptors:
            entries = {entry.key.lower(): entry.value for entry in descriptor.entries}
            limits = _about(known, entries)
            status = response.statuses.add(code=_OK)
            if not limits:
                continue
            names = [_name(limit, entries) for limit in limits]
            cost = min(max(request.hits_addend, 1), MOST_COST)
            try:
                outcome = self._counter.decide(limits, names, cost)
                passes, verdicts = await outcome if inspect.isawaitable(outcome) else outcome
            except NobodyCounts as e:
                # The proxy knows what it does then: failure_mode_deny.
                await context.abort(grpc.StatusCode.UNAVAILABLE, str(e))
            _tell(status, limits, verdicts, passes=passes)
            if not passes:
                response.overall_code = _OVER
            left, policies = fields(limits, verdicts)
            for name, value in (("ratelimit", left), ("ratelimit-policy", policies)):
                if value:
                    response.response_headers_to_add.add(key=name, value=value)
            waits = [verdict.retry or 0 for verdict in verdicts if not verdict.admitted]
            if not passes:
                wait = str(seconds(max(waits)))
                response.response_headers_to_add.add(key="retry-after", value=wait)
        return response


def _about(known: Mapping[str, Counted], entries: Mapping[str, str]) -> tuple[Counted, ...]:
    if "limit" in entries:
        named = known.get(entries["limit"])
        return (named,) if named else ()
    method, path = entries.get("method", ""), entries.get("path", "")
    return tuple(limit for limit in known.values() if limit.requests.have(method, path))


def _name(limit: Counted, entries: Mapping[str, str]) -> str:
    header = limit.policy.header
    if header is None:
        return ""
    return name_of(entries.get(header) or entries.get(_ALIASES.get(header, "")) or "")


def _tell(
    status: Any, limits: Sequence[Counted], verdicts: Sequence[Verdict], *, passes: bool
) -> None:
    """Tell about the limit that leaves least."""
    counted = [
        (limit, verdict)
        for limit, verdict in zip(limits, verdicts, strict=True)
        if not limit.policy.shadow
    ]
    if not counted:
        return
    limit, verdict = min(counted, key=lambda one: (one[1].admitted, one[1].remaining))
    status.code = _OK if passes else _OVER
    status.limit_remaining = min(verdict.remaining, 2**32 - 1)
    status.duration_until_reset.FromMicroseconds(verdict.reset)
    status.current_limit.name = limit.name
    status.current_limit.requests_per_unit = limit.policy.count
    status.current_limit.unit = _UNITS.get(timedelta(microseconds=limit.policy.period), 0)


@contextlib.asynccontextmanager
async def serving(counter: Counter, port: int) -> AsyncIterator[None]:
    """Serve on a loopback port while the context lasts."""
    method = grpc.unary_unary_rpc_method_handler(
        RateLimitService(counter).should_rate_limit,
        request_deserializer=_REQUEST.FromString,
        response_serializer=_RESPONSE.SerializeToString,
    )
    handlers = grpc.method_handlers_generic_handler(SERVICE, {"ShouldRateLimit": method})
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(grace=None)
