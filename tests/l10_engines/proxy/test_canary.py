"""A release that is tried beside the one that serves: what a real Envoy does with the requests of both."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.proxy.edge import Canary, EdgeService, Endpoint, Pool, edge_snapshot
from drystone.l10_engines.proxy.edge_canary import parted
from drystone.l10_engines.proxy.edge_moves import WHOLE, Move
from drystone.l10_engines.proxy.edge_routes import service_host
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from l10_engines.proxy.rig import HOST, Rig, shop
from l10_engines.proxy.upstream import Upstream

MOST_TOTAL = 2**32 - 1
"""The largest sum of weights that Envoy takes."""


def trying(serves: Upstream, tried: Upstream, **changes: Any) -> EdgeService:
    """A service of which one release serves and another one is tried."""
    canary = Canary(pool=Pool("tried", 0, (Endpoint(tried.port),)))
    more = {"move": changes.pop("move")} if "move" in changes else {}
    return shop(("blue", 100, [serves]), canary=msgspec.structs.replace(canary, **changes), **more)


async def answered(rig: Rig, count: int, **headers: str) -> Counter[str]:
    """Who answered so many requests."""
    return Counter([(await rig.get(**headers)).text for _ in range(count)])


def alone(port: int, **changes: Any) -> EdgeService:
    """A service with one instance of each release; nothing listens there."""
    canary = Canary(pool=Pool("tried", 0, (Endpoint(port + 1),)), **changes)
    return EdgeService(
        name="dev/shop",
        hosts=(HOST,),
        pools=(Pool("serves", 100, (Endpoint(port),)),),
        canary=canary,
    )


@given(st.integers(0, WHOLE), st.integers(0, WHOLE))
def test_shares_are_exact_and_never_too_large_for_the_proxy(share: int, moved: int) -> None:
    service = alone(8000, share=share)
    weights = parted(service)
    assert list(weights) == sorted(weights, key=lambda name: not name.endswith(":canary"))
    tried = weights.get("dev/shop:canary", 0)
    assert tried * WHOLE == share * sum(weights.values())
    move = Move(label="0123456789abcdef", addresses=(Endpoint(9000),), share=moved)
    host = service_host(msgspec.structs.replace(service, move=move), (HOST,))
    for route in host["routes"]:
        clusters = route["route"].get("weighted_clusters", {"clusters": []})["clusters"]
        assert sum(one["weight"] for one in clusters) <= MOST_TOTAL


@given(st.integers(1, WHOLE - 1), st.integers(1, WHOLE - 1), st.integers(0, 2**64 - 1))
def test_whoever_a_hash_gives_to_the_canary_stays_there_while_it_grows(
    one: int, other: int, hashed: int
) -> None:
    less, more = sorted((one, other))

    def side(share: int) -> str:
        place = hashed % sum(parted(alone(8000, share=share)).values())
        for name, weight in parted(alone(8000, share=share)).items():
            if place < weight:
                return name
            place -= weight
        raise AssertionError

    if side(less) == "dev/shop:canary":
        assert side(more) == "dev/shop:canary"


def test_without_a_share_nothing_but_a_cluster_is_there_of_a_canary() -> None:
    held = alone(8000)
    without = msgspec.structs.replace(held, canary=None)
    ours = service_host(held, (HOST,))["routes"]
    theirs = service_host(without, (HOST,))["routes"]
    assert [r["route"]["cluster"] for r in ours] == [r["route"]["cluster"] for r in theirs]


@pytest.mark.parametrize(
    "wrong",
    [
        {"share": -1},
        {"share": WHOLE + 1},
        {"header": "A b"},
        {"header": ""},
        {"salt": "a\\1"},
        {"salt": ""},
        {"pool": Pool("serves", 0, (Endpoint(1),))},
        {"pool": Pool("tried", 0, (Endpoint(8000),))},
    ],
)
def test_what_envoy_would_read_otherwise_is_refused(wrong: dict[str, Any], tmp_path: Any) -> None:
    service = alone(8000)
    assert service.canary is not None
    canary = msgspec.structs.replace(service.canary, **wrong)
    with pytest.raises(InvalidProxyConfig):
        edge_snapshot(
            [msgspec.structs.replace(service, canary=canary)], port=8400, access_log=tmp_path / "a"
        )


async def test_what_a_canary_does_not_take_is_answered_by_the_release_that_serves(
    rig: Rig, blue: Upstream
) -> None:
    tried = await Upstream("tried").start()
    await rig.publish(trying(blue, tried, share=WHOLE))
    assert await answered(rig, 5) == {"tried": 5}
    await tried.stop()
    assert await answered(rig, 20) == {"blue": 20}


async def test_a_service_that_moves_may_have_a_canary_too(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    other = await Upstream("other").start()
    move = Move(label="0123456789abcdef", addresses=(Endpoint(other.port),), share=WHOLE // 3)
    await rig.publish(trying(blue, green, share=WHOLE // 2, header="x-release", move=move))
    assert set(await answered(rig, 60)) == {"blue", "green", "other"}
    assert await answered(rig, 5, **{"x-release": "canary"}) == {"green": 5}
    await other.stop()


async def test_tenants_are_parted_anew_in_each_rollout(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    sides = []
    for salt in ("one", "other"):
        await rig.publish(trying(blue, green, share=WHOLE // 2, cohort="tenant", salt=salt))
        sides.append([(await rig.get(**{"x-tenant-id": f"t{i}"})).text for i in range(40)])
    assert sides[0] != sides[1]


async def test_what_the_platform_proved_comes_before_what_the_caller_says(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(trying(blue, green, share=WHOLE // 2, cohort="user"))
    proven = {"x-drystone-user": "ada"}
    seen = [(await rig.get(**proven, **{"x-user-id": f"u{i}"})).text for i in range(30)]
    assert len(set(seen)) == 1


async def test_a_visitor_who_has_no_cookie_yet_gets_one_and_whoever_has_one_none(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(trying(blue, green, share=WHOLE // 2, cohort="visitor"))
    first = await rig.get()
    (given_,) = first.headers.get_list("set-cookie")
    assert re.fullmatch(
        r"drystone-visitor=[0-9a-f-]{36}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", given_
    )
    again = await rig.get(cookie=f"a=b; {given_.partition(';')[0]}")
    assert (again.text, again.headers.get_list("set-cookie")) == (first.text, [])
