"""What sidecars ask for apart comes alone, and from the next agent as from this one."""

from __future__ import annotations

import msgspec
import pytest

from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot
from l10_engines.proxy.heard import Heard, hear, never_waited
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig, Signer, key_set

ROUTES, SECRET, EXTENSION = "RouteConfiguration", "Secret", "TypedExtensionConfig"


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    return hear(monkeypatch)


async def test_tokens_keys_and_routes_come_alone_and_from_the_next_agent_too(
    heard: Heard, rig: MeshRig, blue: Upstream
) -> None:
    inbound, outbound = rig.billing(blue), rig.to_billing()
    await rig.have(rig.mesh(inbound, outbound))
    assert {SECRET, EXTENSION} <= heard.kinds()

    heard.forget()
    token = rig.desk.token("dev/billing")
    await rig.have(rig.mesh(inbound, outbound, token=token))
    assert heard.sent == [(SECRET, "token/dev/desk>dev/billing")]

    heard.forget()
    inbound = rig.billing(blue, keys=key_set(rig.desk, Signer("dev/other")))
    await rig.have(rig.mesh(inbound, outbound, token=token))
    assert heard.sent == [(EXTENSION, "tokens/billing.dev")]

    await rig.die()
    heard.forget()
    await rig.live()
    outbound = rig.to_billing(calls=("GET /headers",))
    await rig.have(rig.mesh(inbound, outbound, token=token))
    assert (await rig.call("/headers")).status_code == 200
    assert (await rig.call()).status_code == 403
    assert heard.kinds() == {"ClusterLoadAssignment", ROUTES}
    assert heard.names(ROUTES) == {"outbound/desk.dev>billing.dev"}
    assert await never_waited(rig)


@pytest.mark.parametrize("agent", ["this agent", "the next agent"])
async def test_what_listeners_and_clusters_name_is_not_sent_again_when_all_of_them_change(
    heard: Heard, rig: MeshRig, blue: Upstream, agent: str
) -> None:
    mesh = rig.mesh(rig.billing(blue), rig.to_billing())
    before = mesh_snapshot(mesh, rig.snapshot(*(one.service for one in mesh.inbounds)))
    await rig.envoy.publish(before)
    after = all_changed(before)
    if agent == "the next agent":
        await rig.die()
        await rig.live()
    heard.forget()

    await rig.envoy.publish(after)

    assert (await rig.call()).status_code == 200
    assert heard.names("Cluster") == after.clusters.keys()
    assert heard.names("Listener") == after.listeners.keys()
    assert heard.kinds() == {"Cluster", "ClusterLoadAssignment", "Listener"}
    assert await never_waited(rig)


def all_changed(before: Snapshot) -> Snapshot:
    """The same with other clusters and other listeners, which all have to become ready anew."""
    return msgspec.structs.replace(
        before,
        clusters={n: {**of, "connect_timeout": "3s"} for n, of in before.clusters.items()},
        listeners={
            n: {**of, "per_connection_buffer_limit_bytes": 1 << 19}
            for n, of in before.listeners.items()
        },
    )
