"""A service that moves: what a real Envoy does with its requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, edge_snapshot
from drystone.l10_engines.proxy.edge_moves import HOP, WHOLE, Move, Rule, Sticky
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.testing.conformance.engines import eventually
from l10_engines.proxy.rig import Rig, Running, shop
from l10_engines.proxy.upstream import Upstream

LABEL = "0123456789abcdef"


def moving(here: Sequence[Upstream], there: Upstream, **changes: object) -> EdgeService:
    """A service of which a share goes from ``here`` to ``there``."""
    move = Move(label=LABEL, addresses=(Endpoint(there.port),))
    return shop(("blue", 100, list(here)), move=msgspec.structs.replace(move, **changes))


async def answered(rig: Rig, count: int, **headers: str) -> Counter[str]:
    """Who answered so many requests."""
    return Counter([(await rig.get(**headers)).text for _ in range(count)])


async def test_a_share_of_requests_goes_over_and_comes_back(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(moving([blue], green))
    assert await answered(rig, 20) == {"blue": 20}
    await rig.publish(moving([blue], green, share=WHOLE // 2))
    halves = await answered(rig, 200)
    assert set(halves) == {"blue", "green"}
    assert 40 < halves["green"] < 160  # further off by chance than one time in 10^17
    await rig.publish(moving([blue], green, share=WHOLE))
    assert await answered(rig, 20) == {"green": 20}
    await rig.publish(moving([blue], green))
    assert await answered(rig, 20) == {"blue": 20}


@pytest.mark.parametrize("share", [WHOLE // 2, WHOLE * 99 // 100, WHOLE])
async def test_when_the_other_side_dies_this_side_answers_everything(
    rig: Rig, blue: Upstream, share: int
) -> None:
    other = await Upstream("other").start()
    await rig.publish(moving([blue], other, share=share))
    async with Running(rig, reused=1):
        await eventually(lambda: other.seen.total() > 5)
        await other.stop()
        before = blue.seen.total()
        await eventually(lambda: blue.seen.total() > before + 50)


async def test_a_method_that_is_not_safe_is_sent_again_only_where_it_never_arrived(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(moving([blue], green, share=WHOLE))
    assert (await rig.get("/break", method="POST")).status_code == 503
    assert blue.seen["POST /break"] == 0
    await green.stop()
    assert (await rig.get(method="POST")).text == "blue"


async def test_without_a_fallback_a_side_that_is_gone_is_a_503(rig: Rig, blue: Upstream) -> None:
    gone = await Upstream("gone").start()
    await gone.stop()
    await rig.publish(moving([blue], gone, share=WHOLE, has_fallback=False))
    assert (await rig.get()).status_code == 503


async def test_a_rule_sends_its_requests_over_whatever_the_share(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(moving([blue], green, rules=(Rule("x-tester", "yes"),)))
    assert await answered(rig, 10) == {"blue": 10}
    assert await answered(rig, 10, x_tester="yes") == {"green": 10}
    assert await answered(rig, 10, x_tester="no") == {"blue": 10}


async def test_a_request_that_comes_back_stays(rig: Rig, blue: Upstream, green: Upstream) -> None:
    await rig.publish(moving([blue], green, share=WHOLE, rules=(Rule("x-tester", "yes"),)))
    sent = (await rig.get("/headers")).json()
    assert sent[HOP] == LABEL
    assert await answered(rig, 5, x_drystone_hop=LABEL, x_tester="yes") == {"blue": 5}
    assert await answered(rig, 5, x_drystone_hop="fedcba9876543210") == {"green": 5}
    both = f"fedcba9876543210,{LABEL}"
    assert await answered(rig, 5, x_drystone_hop=both) == {"blue": 5}


async def test_the_other_side_is_asked_for_its_own_host_and_this_one_for_what_was_asked(
    rig: Rig, blue: Upstream
) -> None:
    other = await Upstream("other").start()
    await rig.publish(moving([blue], other, share=WHOLE, host="shop.example"))
    sent = (await rig.get("/headers")).json()
    assert sent["host"] == "shop.example"
    assert sent["x-forwarded-host"] == "shop.dev.localhost"
    await other.stop()
    assert (await rig.get("/headers")).json()["host"] == "shop.dev.localhost"


async def test_who_has_moved_stays_moved_while_the_share_grows(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    clients = [f"client-{number}" for number in range(60)]
    moved: set[str] = set()
    for percent in (20, 50, 80):
        share, sticky = WHOLE * percent // 100, Sticky(header="x-client")
        await rig.publish(moving([blue], green, share=share, sticky=sticky))
        now = {name for name in clients if (await rig.get(x_client=name)).text == "green"}
        assert moved < now, percent
        again = {name for name in clients if (await rig.get(x_client=name)).text == "green"}
        assert again == now
        moved = now


async def test_a_cookie_of_the_service_keeps_a_client_on_its_side(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    sticky = Sticky(cookie="session")
    await rig.publish(moving([blue], green, share=WHOLE // 2, sticky=sticky))
    for number in range(10):
        answers = await answered(rig, 10, cookie=f"other=1; session={number}")
        assert len(answers) == 1, number


async def test_what_became_of_requests_is_counted_for_each_side(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(moving([blue], green, share=WHOLE))
    for path in ("/", "/", "/status/404", "/status/500"):
        await rig.get(path, method="POST")
    found = (await rig.envoy.outcomes("dev/shop:away"))["127.0.0.1", green.port]
    assert (found.answered, found.failed) == (3, 1)
    await green.stop()
    await rig.get()
    found = (await rig.envoy.outcomes("dev/shop:away"))["127.0.0.1", green.port]
    assert found.failed > 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"share": WHOLE + 1}, "share"),
        ({"share": -1}, "share"),
        ({"addresses": ()}, "addresses"),
        ({"addresses": (Endpoint(1, "shop.example"),)}, "IP address"),
        ({"addresses": (Endpoint(9, "127.0.0.1"),)}, "listen there"),
        ({"host": "a b"}, "host"),
        ({"label": "a,b"}, "platform"),
        ({"rules": (Rule("X-Upper", "yes"),)}, "lower-case"),
        ({"rules": (Rule("x-tester", "line\nbreak"),)}, "printable"),
        ({"rules": tuple(Rule("x-tester", str(n)) for n in range(9))}, "rules"),
        ({"sticky": Sticky()}, "one of both"),
        ({"sticky": Sticky(cookie="a", header="b")}, "one of both"),
    ],
)
async def test_a_move_that_cannot_be_is_refused(
    changes: dict[str, object], said: str, tmp_path: Path
) -> None:
    move = Move(label=LABEL, addresses=(Endpoint(8),))
    here = Upstream("blue")
    here.port = 9
    service = shop(("blue", 1, [here]), move=msgspec.structs.replace(move, **changes))
    with pytest.raises(InvalidProxyConfig, match=said):
        edge_snapshot([service], port=8400, access_log=tmp_path / "log")
