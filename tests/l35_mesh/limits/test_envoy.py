"""What Envoy is told about limits, and what it then does: at the inbound of a service, with a real limiter."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from conftest import Golden
from drystone.l25_deployer.stacks.limits import Limit
from drystone.l35_mesh.limits.engine import LimiterEngine
from drystone.l35_mesh.limits.envoy import inbound_filters
from drystone.l35_mesh.limits.policies import exact_limits
from drystone.l35_mesh.sidecar.model import Caller, Further
from l10_engines.proxy.rig import until
from l10_engines.proxy.upstream import Upstream
from l35_mesh.limits.samples import limit
from l35_mesh.sidecar.rig import MeshRig, Signer

GOLDEN = Path(__file__).parent / "golden"
SERVICE = "dev/billing"


class LimitedRig(MeshRig):
    """A mesh in which ``desk`` calls ``billing``, whose limits a test sets."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.limiter = LimiterEngine(home / "limiter", socket=home / "limiter.sock")
        self.billing_runs_at: tuple[Upstream, ...] = ()
        self.changed: dict[str, Any] = {}
        self.among = 1

    async def limit(self, **limits: Limit) -> None:
        """Hold these limits from now on."""
        made = inbound_filters(SERVICE, limits, self.limiter.socket, among=self.among)
        further = Further(
            filters=made.filters,
            on_routes=made.on_routes,
            extensions=made.extensions,
            clusters=made.clusters,
            mappers=made.mappers,
        )
        self.limiter.tell({SERVICE: exact_limits(limits)})
        inbound = self.billing(*self.billing_runs_at, further=further, **self.changed)
        await self.have(self.mesh(inbound, self.to_billing()))

    async def listeners_replaced(self) -> int:
        """Tell how many listeners gave way to others."""
        told = json.loads(await self.envoy.statistics("^listener_manager.listener_modified$"))
        return sum(int(stat["value"]) for stat in told["stats"])

    async def statuses(self, count: int, path: str = "/", **more: Any) -> list[int]:
        return [(await self.call(path, **more)).status_code for _ in range(count)]


@pytest.fixture
async def rig(home: Path, blue: Upstream) -> AsyncIterator[LimitedRig]:
    rig = LimitedRig(home)
    rig.billing_runs_at = (blue,)
    await rig.live()
    yield rig
    await rig.end()
    await rig.limiter.stop()


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("local", {"all": limit(), "reports": limit(match="GET /reports/*", per="tenant")}),
        ("local-service", {"all": limit(per="service", shadow=True, algorithm="gcra", burst=1)}),
        ("exact", {"all": limit(counted="exact"), "plan": limit(counted="exact", header="x-plan")}),
        (
            "exact-some",
            {
                "a": limit(counted="exact", match="GET /a"),
                "b": limit(counted="exact", match="POST /b/*", closed=True),
                "c": limit(counted="exact", match="* /c", closed=True),
            },
        ),
    ],
)
def test_envoy_is_told_this(name: str, limits: Mapping[str, Limit], golden: Golden) -> None:
    made = inbound_filters(SERVICE, limits, Path("/run/limiter.sock"))
    shown = {
        "filters": made.filters,
        "on_routes": made.on_routes,
        "extensions": made.extensions,
        "clusters": made.clusters,
        "mappers": made.mappers,
    }
    golden(GOLDEN / f"{name}.json", json.dumps(shown, indent=1, default=dict) + "\n")


def test_a_service_without_limits_gets_nothing() -> None:
    made = inbound_filters(SERVICE, {}, Path("/s"))
    assert (made.filters, made.extensions, made.clusters, made.mappers) == ((), {}, {}, ())


async def test_a_local_limit_counts_each_caller_and_refuses_with_a_document(
    rig: LimitedRig, blue: Upstream
) -> None:
    await rig.limit(all=limit(count=3))
    assert await rig.statuses(5) == [200, 200, 200, 429, 429]
    refused = await rig.call()
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "1200"
    assert refused.headers["ratelimit-policy"] == '"all";q=3;w=3600'
    assert refused.headers["ratelimit"] == '"all";r=0;t=3600'
    assert refused.json() == {
        "type": "limits.OverLimit",
        "title": "Too many requests",
        "status": 429,
        "detail": "the limit 'all' of dev/billing lets 3 calls in 1h through; try again in 1200 s",
        "limit": "all",
    }
    assert sum(blue.seen.values()) == 3


async def test_local_limits_tell_apart_what_they_count(rig: LimitedRig) -> None:
    await rig.limit(
        plan=limit(count=2, match="GET /plans/*", header="x-plan"),
        watch=limit(count=1, match="GET /watched", shadow=True),
    )
    gold, blank = {"headers": {"x-plan": "gold"}}, {"headers": {"x-plan": "blank"}}
    assert await rig.statuses(3, "/plans/1?a=b", **gold) == [200, 200, 429]
    assert await rig.statuses(3, "/plans/2", **blank) == [200, 200, 429]
    assert await rig.statuses(3, "/plans/3") == [200, 200, 429], "who does not say is one caller"
    assert await rig.statuses(1, "//plans/3", **gold) == [429], "however the path is written"
    assert await rig.statuses(3, "/plans", **gold) == [200, 200, 200]
    assert await rig.statuses(3, "/plans/1", method="POST", **gold) == [200, 200, 200]
    assert await rig.statuses(3, "/watched") == [200, 200, 200], "a shadow refuses nobody"


async def test_a_limit_that_changes_goes_on_from_what_was_used(rig: LimitedRig) -> None:
    one = limit(count=2, match="GET /one")
    await rig.limit(one=one, two=limit(count=4, match="GET /two"))
    assert await rig.statuses(3, "/one") == [200, 200, 429]
    assert await rig.statuses(3, "/two") == [200, 200, 200]
    await rig.limit(one=one, two=limit(count=5, match="GET /two"))
    assert await rig.statuses(3, "/two") == [200, 200, 429], "a raise gives the difference"
    await rig.limit(one=one, two=limit(count=2, match="GET /two"))
    assert await rig.statuses(1, "/two") == [429], "a reduction gives nothing"
    await rig.limit(one=one, two=limit(count=3, match="GET /two", algorithm="gcra", burst=3))
    assert await rig.statuses(2, "/two") == [200, 429], "what is over the smaller one is forgiven"
    await rig.limit(one=one, two=limit(count=9, match="GET /two", header="x-plan"))
    assert await rig.statuses(1, "/two") == [200], "others are counted from now on"
    assert await rig.statuses(1, "/one") == [429], "no other limit got anything back"


async def test_whatever_else_changes_fills_no_bucket(rig: LimitedRig, blue: Upstream) -> None:
    near = limit(count=3, match="GET /near")
    await rig.limit(near=near)
    assert await rig.statuses(4, "/near") == [200, 200, 200, 429]
    replaced = await rig.listeners_replaced()
    await rig.limit(near=near, more=limit(match="GET /more"))
    assert await rig.statuses(1, "/near") == [429]
    rig.desk = Signer("dev/desk", "k2.pem")
    await rig.limit(near=near)
    assert await rig.statuses(1, "/near") == [429], "keys were rotated"
    rig.changed = {"callers": (Caller("dev/desk"), Caller("dev/mail")), "body": 1000}
    await rig.limit(near=near)
    assert await rig.statuses(1, "/near") == [429], "somebody else may call, and bodies are bounded"
    assert await rig.listeners_replaced() == replaced
    # A question to the limiter stands in the listener, which is another one from now on.
    await rig.limit(near=near, far=limit(counted="exact", match="GET /far"))
    assert await rig.listeners_replaced() == replaced + 1
    answered = [await rig.statuses(1, "/near") for _ in range(20)]
    assert answered == [[429]] * 20, "neither the listener that goes nor the one that comes"
    await rig.die()
    await rig.live()
    assert await rig.statuses(1, "/near") == [429], "another agent serves the same"


async def test_a_service_that_gets_another_limit_gets_nothing_back_of_what_the_limiter_counts(
    rig: LimitedRig,
) -> None:
    near = limit(count=2, match="GET /near")
    far = limit(count=3, counted="exact", match="GET /far")
    await rig.limit(near=near, far=far)
    await rig.limiter.start()
    assert await rig.statuses(4, "/far") == [200, 200, 200, 429]
    await rig.limit(near=near, far=far, more=limit(match="GET /more"))
    assert await rig.statuses(2, "/far") == [429, 429]
    changed = limit(count=4, counted="exact", match="GET /far", algorithm="sliding-window")
    await rig.limit(far=changed)
    answered: list[int] = []

    async def holds_the_new_limit() -> bool:
        answer = await rig.call("/far")
        answered.append(answer.status_code)
        return answered[-1] == 429 and "q=4" in answer.headers["ratelimit-policy"]

    await until(holds_the_new_limit)
    assert answered.count(200) == 1


async def test_an_exact_limit_is_counted_by_the_limiter(rig: LimitedRig, blue: Upstream) -> None:
    await rig.limit(all=limit(count=3, counted="exact", algorithm="sliding-window"))
    await rig.limiter.start()
    first = await rig.call()
    assert first.status_code == 200
    assert first.headers["ratelimit"].startswith('"all";r=2;t=')
    assert first.headers["ratelimit-policy"] == '"all";q=3;w=3600'
    assert await rig.statuses(3) == [200, 200, 429]
    refused = await rig.call()
    assert refused.headers["content-type"] == "application/problem+json"
    assert 0 < int(refused.headers["retry-after"]) <= 3600 + 3600 / 16
    document = refused.json()
    assert (document["type"], document["limit"]) == ("limits.OverLimit", "all")
    assert document["detail"].startswith(
        "the limit 'all' of dev/billing lets 3 calls in 1h through"
    )
    assert sum(blue.seen.values()) == 3


async def test_requests_that_no_exact_limit_is_about_do_not_wait_for_the_limiter(
    rig: LimitedRig,
) -> None:
    await rig.limit(some=limit(counted="exact", closed=True, match="GET /some/*"))
    # The limiter does not run.
    assert await rig.statuses(2, "/other") == [200, 200]
    assert await rig.statuses(2, "/some", method="POST") == [200, 200]
    assert await rig.statuses(2, "/some/1") == [503, 503]


async def test_who_may_not_call_uses_nothing_up(rig: LimitedRig) -> None:
    await rig.limit(all=limit(count=2, per="service"))
    assert [(await rig.ask()).status_code for _ in range(5)] == [401] * 5
    assert await rig.statuses(3) == [200, 200, 429]


async def test_a_caller_cannot_choose_whose_calls_are_counted(rig: LimitedRig) -> None:
    await rig.limit(all=limit(count=2))
    names = [{"x-asap-issuer": f"dev/other-{n}"} for n in range(3)]
    assert [(await rig.call(headers=name)).status_code for name in names] == [200, 200, 429]


@pytest.mark.parametrize(("closed", "status"), [(False, 200), (True, 503)])
async def test_a_limiter_that_dies_lets_through_or_closes_as_the_limit_says(
    rig: LimitedRig, *, closed: bool, status: int
) -> None:
    await rig.limit(all=limit(count=2, counted="exact", closed=closed))
    await rig.limiter.start()
    assert await rig.statuses(3) == [200, 200, 429]
    await rig.limiter.stop()
    answer = await rig.call()
    assert answer.status_code == status
    if closed:
        assert answer.json()["type"] == "limits.NobodyCounts"
    await rig.limiter.start()
    counted: list[int] = []

    async def refuses() -> bool:
        counted.append((await rig.call()).status_code)
        return counted[-1] == 429

    await until(refuses)
    assert counted.count(200) >= 2
