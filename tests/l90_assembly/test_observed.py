"""What a service tries in vain, on a real platform: told within seconds, and again by the next agent."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.namespaces import inside
from drystone.l35_mesh.observed.api import ObservedApi, Refusals
from l25_deployer.agents import agent_at, client_of, end_agent
from l25_deployer.small_platform import ASKING, deploy, descriptor, folder_of, left_in, short_folder

CALLER = descriptor(
    more="dependencies: {payments: {needs: soft, without: nothing, calls: [GET /due]}}"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as found:
        folder_of(found / "source")
        yield found


def status_of(request: urllib.request.Request, home: Path) -> int:
    """Ask as the service does, in its network if it has one of its own."""
    network = next(Home(home).networks.glob("greeter.dev@*"), None)
    return inside(network, lambda: _status_of(request))


def _status_of(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - of this machine
            return int(answer.status)
    except urllib.error.HTTPError as e:
        with e:
            return e.code


def text_at(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - of this machine
        return str(answer.read().decode())


async def told(home: Path, times: int) -> Refusals:
    """Ask until something was refused so often."""
    async with (
        asyncio.timeout(30),
        connect(ObservedApi, uds=Home(home).agent_socket) as observed,
    ):
        while True:
            found = await observed.refusals(ASKING, environment="dev", service="greeter")
            if sum(one.times for one in found.refusals) >= times:
                return found
            await asyncio.sleep(0.1)


async def test_an_undeclared_request_is_told_with_its_line_whatever_becomes_of_the_agent(
    folder: Path,
) -> None:
    home, port, counts = folder / "h", free_port(), free_port()
    with agent_at(home, port, {"DRYSTONE_METRICS_PORT": str(counts)}) as agent:
        async with client_of(home) as api:
            await deploy(api, CALLER, folder / "source")
        ports = json.loads((home / "ports.json").read_text())
        way = f"http://127.0.0.1:{ports['greeter.dev>payments.dev']}"
        undeclared = urllib.request.Request(f"{way}/due/4711", method="DELETE")  # noqa: S310
        assert await asyncio.to_thread(status_of, undeclared, home) == 403
        (refusal,) = (await told(home, 1)).refusals
        assert refusal.what == "dev/greeter asked dev/payments for DELETE /due/*"
        assert refusal.line == "dependencies: {payments: {calls: [GET /due, DELETE /due/*]}}"
        assert refusal.descriptor == "dev/greeter"
        page = await asyncio.to_thread(text_at, f"http://127.0.0.1:{counts}/metrics")
        pair = 'source="dev/greeter",destination="dev/payments",protocol="http"'
        assert f'http_client_requests_total{{{pair},code_class="4xx"}} 1' in page.splitlines()
        end_agent(agent, signal.SIGKILL)
        assert await asyncio.to_thread(status_of, undeclared, home) == 403

    with agent_at(home, port):
        (refusal,) = (await told(home, 2)).refusals
        assert refusal.times == 2
        async with client_of(home) as api:
            [_ async for _ in api.destroy(ASKING, environment="dev", service="greeter")]
            [_ async for _ in api.stop(ASKING)]
    assert left_in(home) == []
