"""What a descriptor may say of limits, and what cannot be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from drystone.l25_deployer.descriptor import read
from drystone.l25_deployer.stacks.limits import Limit
from l25_deployer.stacks.samples import MINIMAL, stacks


def limited(limit: str) -> str:
    return f"{MINIMAL}limits:\n  some: {limit}\n"


@pytest.mark.parametrize(
    ("limit", "message", "help_"),
    [
        (
            "0/s",
            "limits.some: a limit of nothing lets nobody in",
            "write at least 1, or take callers out of network.ingress",
        ),
        (
            "{rate: 5/s, algorithm: sliding-window}",
            "limits.some: a proxy cannot count by sliding-window itself",
            "write 'counted: exact', or 'algorithm: token-bucket'",
        ),
        (
            "{rate: 5/s, algorithm: fixed-window, counted: shared}",
            "limits.some: a proxy cannot count by fixed-window itself",
            "write 'counted: exact', or 'algorithm: token-bucket'",
        ),
        (
            "{rate: 5/s, algorithm: fixed-window, counted: exact, burst: 3}",
            "limits.some: a fixed-window has no burst: its rate is all that comes",
            "remove it",
        ),
        (
            "{rate: 5/s, when_down: closed}",
            "limits.some: a limit that the proxy counts itself is never down",
            "remove it, or write 'counted: exact'",
        ),
        (
            "{rate: 5/s, per: header}",
            "limits.some: nothing says which header is counted",
            "write for example 'header: X-Plan' beside it",
        ),
        (
            "{rate: 5/s, header: X-Plan}",
            "limits.some: a limit per caller looks at no header",
            "write 'per: header'",
        ),
        (
            "{rate: 5/s, per: header, header: Authorization}",
            "limits.some: what proves who calls is no name to count by",
            "write 'per: caller' or 'per: user'",
        ),
        (
            "{rate: 5/s, algorithm: leaky}",
            "limits.some.algorithm: 'leaky' is not one of: token-bucket, gcra, sliding-window, fixed-window",
            None,
        ),
        (
            "{rate: 5/s, scope: local}",
            "unknown key 'scope' in limits.some",
            "did you mean 'counted'?",
        ),
    ],
)
def test_a_limit_that_cannot_be_is_refused_with_what_to_write(
    limit: str, message: str, help_: str | None
) -> None:
    (problem,) = read(limited(limit)).problems
    assert problem.message == message
    assert problem.help == help_


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (
            "100/s",
            Limit(100, timedelta(seconds=1), "*", "caller", "local", "token-bucket", burst=100),
        ),
        (
            "{rate: 10/m, algorithm: gcra, per: service, shadow: true}",
            Limit(10, timedelta(minutes=1), "*", "service", "local", "gcra", shadow=True, burst=1),
        ),
        (
            "{rate: 10/h, algorithm: sliding-window, counted: exact, match: GET /reports/*, per: tenant}",
            Limit(
                10,
                timedelta(hours=1),
                "GET /reports/*",
                "tenant",
                "exact",
                "sliding-window",
                when_down="open",
            ),
        ),
        (
            "{rate: 10/s, burst: 3, counted: exact, per: header, header: X-Plan, when_down: closed}",
            Limit(
                10,
                timedelta(seconds=1),
                "*",
                "header",
                "exact",
                "token-bucket",
                burst=3,
                header="x-plan",
                when_down="closed",
            ),
        ),
    ],
)
def test_limits_are_compiled_into_the_surroundings_of_a_service(
    limit: str, expected: Limit
) -> None:
    assert stacks(limited(limit)).environment.limits == {"some": expected}
