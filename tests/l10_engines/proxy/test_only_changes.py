"""A real Envoy gets what has changed and nothing else, from whichever agent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from drystone.l10_engines.proxy import launch
from drystone.l10_engines.proxy.bootstrap import ads_bootstrap
from drystone.l10_engines.proxy.edge import EdgeService
from drystone.l10_engines.proxy.errors import ProxyRefused
from drystone.l10_engines.proxy.generation import generations
from drystone.testing.conformance.engines import eventually
from l10_engines.proxy.heard import Heard, hear, never_waited
from l10_engines.proxy.rig import HOST, Rig, Running, shop
from l10_engines.proxy.upstream import Upstream


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    return hear(monkeypatch)


def other(green: Upstream) -> EdgeService:
    return shop(("g", 1, [green]), name="dev/other", hosts=("other.localhost",))


async def clusters(rig: Rig) -> set[str]:
    found = msgspec.json.decode(await rig.envoy.statistics(r"^cluster\..*\.membership_total$"))
    return {stat["name"].split(".")[1] for stat in found["stats"]}


async def test_changes_are_sent_alone_and_taken_at_once(
    heard: Heard, rig: Rig, blue: Upstream, green: Upstream
) -> None:
    both = (("blue", 1, [blue]), ("green", 0, [green]))
    async with Running(rig):
        heard.forget()
        await rig.publish(shop(("blue", 0, [blue]), ("green", 1, [green])))
        assert heard.kinds() == {"ClusterLoadAssignment"}
        assert (await rig.get()).text == "green"

        heard.forget()
        await rig.publish(shop(*both), other(green))
        assert (await rig.get(host="other.localhost")).text == "green"
        assert "dev/other" in heard.names("Cluster")
        assert "dev/shop" not in heard.names("Cluster")
        assert heard.gone == []

        heard.forget()
        await rig.publish(shop(*both))
        assert ("Cluster", "dev/other") in heard.gone
        assert heard.names("Cluster") == set()
        assert (await rig.get(host="other.localhost")).status_code == 404

        before = rig.snapshot(shop(*both))
        changed = {name: {**of, "connect_timeout": "3s"} for name, of in before.clusters.items()}
        heard.forget()
        await rig.envoy.publish(msgspec.structs.replace(before, clusters=changed))
        assert heard.names("ClusterLoadAssignment") == before.endpoints.keys()
        assert heard.names("Listener") == heard.names("RouteConfiguration") == set()
    assert await never_waited(rig)


async def test_what_is_refused_is_named_and_the_rest_of_it_taken_back(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    good = rig.snapshot(shop(("blue", 1, [blue])))
    await rig.envoy.publish(good)
    had = await clusters(rig)
    more = rig.snapshot(shop(("blue", 1, [blue])), other(green))
    wrong = {
        **more.clusters,
        "wrong": {"name": "wrong", "type": "STATIC", "lb_policy": "CLUSTER_PROVIDED"},
    }
    with pytest.raises(ProxyRefused, match="wrong"):
        await rig.envoy.publish(msgspec.structs.replace(more, clusters=wrong))
    assert await clusters(rig) == had
    assert (await rig.get(host="other.localhost")).status_code == 404
    assert (await rig.get()).text == "blue"
    (client,) = rig.ads.connected()
    assert client.refusals == {}


async def test_the_next_agent_sends_what_is_new_and_removes_what_it_does_not_know(
    heard: Heard, rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(shop(("blue", 1, [blue])), other(green))
    pid = rig.envoy.status().pid
    await rig.die()
    heard.forget()
    third = shop(("g", 1, [green]), name="dev/third", hosts=("third.localhost",))
    async with Running(rig):
        await rig.live(rig.snapshot(shop(("blue", 1, [blue])), third))
    assert rig.envoy.status().pid == pid
    assert (await rig.get(host="third.localhost")).text == "green"
    assert (await rig.get(host="other.localhost")).status_code == 404
    assert "dev/third" in heard.names("Cluster")
    assert "dev/shop" not in heard.names("Cluster")
    assert ("Cluster", "dev/other") in heard.gone
    assert "dev/other" not in await clusters(rig)
    assert await never_waited(rig)


async def test_an_envoy_that_knows_nothing_gets_everything_once(
    heard: Heard, stopped: Rig, blue: Upstream, green: Upstream
) -> None:
    snapshot = stopped.snapshot(shop(("blue", 1, [blue])), other(green))
    await stopped.live(snapshot)
    assert len(heard.sent) == len(set(heard.sent))
    assert heard.names("Cluster") == snapshot.clusters.keys()
    assert heard.names("ClusterLoadAssignment") == snapshot.endpoints.keys()
    assert heard.names("Listener") == snapshot.listeners.keys()
    assert heard.names("RouteConfiguration") == snapshot.routes.keys()
    assert heard.gone == []
    assert await never_waited(stopped)


@pytest.mark.slow
async def test_an_envoy_that_asks_for_everything_at_every_change_is_served_until_it_is_replaced(
    stopped: Rig, blue: Upstream, green: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(*given: Any) -> dict[str, Any]:
        made = ads_bootstrap(*given)
        made["dynamic_resources"]["ads_config"]["api_type"] = "GRPC"
        return made

    with monkeypatch.context() as patched:
        patched.setattr(launch, "ads_bootstrap", older)
        await stopped.live(stopped.snapshot(shop(("blue", 1, [blue]))))
        await stopped.publish(shop(("green", 1, [green])))
        assert (await stopped.get()).text == "green"
        await stopped.die()
    old = stopped.envoy.status().pid
    async with Running(stopped, reused=1):
        await stopped.live(stopped.snapshot(shop(("blue", 1, [blue]))))
        await eventually(lambda: stopped.envoy.status().pid not in {old, None})
        await eventually(lambda: len(generations(stopped.home / "edge")) == 1)
    assert (await stopped.get(host=HOST)).text == "blue"
