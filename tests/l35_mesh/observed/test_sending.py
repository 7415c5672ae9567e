"""Numbers that a real Envoy sends as they come to be."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator

import msgspec
import pytest

from drystone.l10_engines.proxy.admin import UNDER_WAY
from drystone.l10_engines.proxy.envoy import Envoy
from drystone.l35_mesh.observed.sending import CannotSend, statsd_of
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig

LINE = re.compile(r"drystone\.(?P<name>[^:|]+):(?P<value>-?\d+)\|(?P<kind>c|g|ms|h)")


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.setblocking(False)
        yield bound


async def test_what_was_called_is_sent_and_nothing_else_is_counted(
    stopped: MeshRig, blue: Upstream, server: socket.socket
) -> None:
    rig = stopped
    others = r"^listener_manager\.listener_create_success$"
    to = statsd_of(f"127.0.0.1:{server.getsockname()[1]}", others)
    settings = msgspec.structs.replace(rig.envoy._settings, statsd=to)
    rig.envoy = Envoy(rig.envoy.directory, ads=rig.ads, settings=settings)
    await rig.live()
    await rig.have(rig.mesh(rig.billing(blue), rig.to_billing()))
    for _ in range(3):
        assert (await rig.call("/")).status_code == 200
    assert (await rig.ask("/")).status_code == 401
    sent: dict[str, int] = {}
    wanted = "http.outbound/desk.dev>billing.dev.downstream_rq_2xx"
    async with asyncio.timeout(40):  # numbers are sent every five seconds
        while sent.get(wanted) != 3:
            data = await asyncio.get_running_loop().sock_recv(server, 65536)
            for line in data.decode().splitlines():
                found = LINE.fullmatch(line)
                assert found is not None, line
                if found["kind"] == "c":
                    sent[found["name"]] = sent.get(found["name"], 0) + int(found["value"])
                else:
                    sent[found["name"]] = int(found["value"])
    sent.pop("listener_manager.listener_create_success", None)
    assert all(re.match(r"(http\.(outbound|inbound|edge)|cluster\.)", name) for name in sent)
    assert len(sent) < 40
    # What the platform itself asks of the proxy is counted as before.
    assert b"downstream_rq_active" in await rig.envoy.statistics(UNDER_WAY)
    assert b"listener_create_success" in await rig.envoy.statistics(others)


@pytest.mark.parametrize("place", ["localhost:8125", "127.0.0.1", "127.0.0.1:0", "::1:x", ""])
def test_what_is_no_address_is_refused(place: str) -> None:
    with pytest.raises(CannotSend, match=r"telemetry\.statsd"):
        statsd_of(place)


def test_where_nothing_is_set_nothing_is_sent() -> None:
    assert statsd_of(None) is None
    told = statsd_of("[::1]:8125")
    assert told is not None
    assert (told.address, told.port) == ("::1", 8125)
