"""Which limits hold, and what came of them: from what descriptors say, Envoys counted and a limiter did."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.contract import ANONYMOUS, Context
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l25_deployer.errors import ServiceNotFound
from drystone.l25_deployer.local.mesh import Member
from drystone.l25_deployer.stacks.limits import Limit
from drystone.l25_deployer.stacks.model import EnvironmentStack
from drystone.l35_mesh.limits import counts
from drystone.l35_mesh.limits.held import Held
from l35_mesh.limits.samples import limit

CTX = Context(ANONYMOUS)


def stack(**limits: Limit) -> EnvironmentStack:
    return EnvironmentStack(
        service="orders",
        name="dev",
        owner="shop",
        tier=2,
        hosts=(),
        timeout=timedelta(seconds=5),
        public=False,
        limits=limits,
    )


ORDERS = Member(
    environment="dev",
    service="orders",
    surroundings=(
        stack(near=limit(), far=limit(counted="exact")),
        stack(before=limit()),
    ),
)
BARE = Member(environment="dev", service="bare", surroundings=())
STATISTICS = {
    "http.inbound/orders.dev.lua.limits/dev/orders/near.ok": 7,
    "http.inbound/orders.dev.lua.limits/dev/orders/near.over": 2,
    "http.inbound/orders.dev.ext_authz.limits_open.error": 3,
    "http.inbound/orders.dev.ext_authz.limits_closed.error": 4,
    "server.uptime": 60,
}


def answer(**changes: int) -> bytes:
    stats = [{"name": name, "value": value} for name, value in {**STATISTICS, **changes}.items()]
    return json.dumps({"stats": [*stats, {"name": "text", "value": "x"}]}).encode()


def held(statistics: Callable[[str], Awaitable[bytes]]) -> Held:
    return Held(lambda: [ORDERS, BARE], statistics, Path("/nowhere/limiter.sock"))


async def counted(pattern: str) -> bytes:
    return answer()


async def test_the_limits_of_the_release_that_serves_are_told_with_what_the_proxy_counted() -> None:
    found = await held(counted).held(CTX)
    far, near = found.limits
    assert (near.limit, near.admitted, near.over) == ("near", 7, 2)
    assert (far.limit, far.counted, far.when_down) == ("far", "exact", "open")
    (lost,) = found.uncounted
    assert (lost.service, lost.passed, lost.refused) == ("orders", 3, 4)
    assert found.proxy_for == timedelta(minutes=1)


async def test_a_limiter_that_does_not_answer_is_a_problem_and_its_counts_are_not_known() -> None:
    found = await held(counted).held(CTX, environment="dev", service="orders")
    assert found.limits[0].admitted is None
    assert found.limiter_for is None
    (problem,) = found.problems
    assert problem.startswith("the limiter does not answer")


async def test_a_proxy_that_does_not_answer_is_a_problem_and_its_counts_are_not_known() -> None:
    async def silent(pattern: str) -> bytes:
        raise ProxyUnavailable("it is gone")

    async def nonsense(pattern: str) -> bytes:
        return b"<html>"

    for statistics in (silent, nonsense):
        found = await held(statistics).held(CTX)
        assert [one.admitted for one in found.limits] == [None, None]
        assert found.proxy_for is None
        assert found.problems[0].startswith("what the proxy counted is not known")


async def test_who_has_no_limit_is_not_who_is_not_there() -> None:
    assert (await held(counted).held(CTX, service="bare")).limits == []
    with pytest.raises(ServiceNotFound, match="'orders' in prod"):
        await held(counted).held(CTX, environment="prod", service="orders")


def test_several_envoys_are_put_together() -> None:
    one, two = json.loads(answer()), json.loads(answer(**{"server.uptime": 5}))
    found = counts.read(json.dumps({"stats": one["stats"] + two["stats"]}).encode())
    assert found.admitted == {("dev/orders", "near"): 14}
    assert found.passed == {"dev/orders": 6}
    assert found.uptime == timedelta(seconds=5)


@given(st.binary(max_size=200))
def test_no_answer_breaks_the_reader(content: bytes) -> None:
    try:
        counts.read(content)
    except ValueError:
        return
