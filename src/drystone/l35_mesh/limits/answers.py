"""What a proxy, and behind it a client, is told: headers and problem documents.

``RateLimit`` and ``RateLimit-Policy`` are those of draft-ietf-httpapi-ratelimit-headers-10, ``Retry-After`` is that of RFC
9110 section 10.2.3. Limits in shadow are named to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache

import msgspec

from drystone.l00_kernel.durations import show_duration
from drystone.l35_mesh.limits.domain import Verdict
from drystone.l35_mesh.limits.memory import Counted

PASSED_ON = ("ratelimit", "ratelimit-policy")
"""Headers that a client also gets with an answer of the service."""

LIMIT = "x-drystone-limit"
"""Header of a refusal that names the limit."""

TITLE = "Too many requests"
TYPE = "limits.OverLimit"

_SECOND = 1_000_000

MAY_PASS = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
UNKNOWN = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
"""Nobody can tell; the proxy does what the limit says for that case."""


def sentence(name: str, service: str, count: int, period: timedelta) -> str:
    """Say which limit refuses."""
    calls = "1 call" if count == 1 else f"{count} calls"
    return f"the limit {name!r} of {service} lets {calls} in {show_duration(period)} through"


def problem(detail: str, name: str) -> bytes:
    """Return the body of a refusal (RFC 9457)."""
    document = {"type": TYPE, "title": TITLE, "status": 429, "detail": detail, "limit": name}
    return msgspec.json.encode(document)


def seconds(microseconds: int) -> int:
    """Return whole seconds, rounded up."""
    return -(-microseconds // _SECOND)


def fields(limits: Sequence[Counted], verdicts: Sequence[Verdict]) -> tuple[str, str]:
    """Return the values of ``RateLimit`` and ``RateLimit-Policy``; empty where all limits are in shadow."""
    left, policies = [], []
    for limit, verdict in zip(limits, verdicts, strict=True):
        if not limit.policy.shadow:
            left.append(f'"{limit.name}";r={verdict.remaining};t={seconds(verdict.reset)}')
            policies.append(limit.item)
    return ", ".join(left), ", ".join(policies)


def passes(limits: Sequence[Counted], verdicts: Sequence[Verdict]) -> bytes:
    """Return the answer to a call that may go on."""
    left, policies = fields(limits, verdicts)
    if not left:
        return MAY_PASS
    return (
        f"HTTP/1.1 200 OK\r\nratelimit: {left}\r\nratelimit-policy: {policies}\r\n"
        "content-length: 0\r\n\r\n"
    ).encode()


def refuses(limits: Sequence[Counted], verdicts: Sequence[Verdict]) -> bytes:
    """Return the answer to a call that one of the limits refuses; the one that does so for longest is named."""
    over = [
        (verdict.retry, limit)
        for limit, verdict in zip(limits, verdicts, strict=True)
        if not verdict.admitted and not limit.policy.shadow
    ]
    wait, limit = max(over, key=lambda one: one[0] or 0)
    left, policies = fields(limits, verdicts)
    rest = _refusal(
        limit.service, limit.name, limit.policy.count, limit.policy.period, seconds(wait or 0)
    )
    return (
        f"HTTP/1.1 429 Too Many Requests\r\nratelimit: {left}\r\nratelimit-policy: {policies}\r\n".encode()
        + rest
    )


@lru_cache(maxsize=4096)
def _refusal(service: str, name: str, count: int, period: int, wait: int) -> bytes:
    """Return what refusals by one limit have in common while the wait is the same."""
    said = sentence(name, service, count, timedelta(microseconds=period))
    body = problem(f"{said}; try again in {wait} s", name)
    return (
        f"retry-after: {wait}\r\n{LIMIT}: {name}\r\n"
        f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body
