"""Keys are replaced and revoked while services call each other through their sidecars."""

from __future__ import annotations

import asyncio
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l10_engines.namespaces import inside
from drystone.l20_trust.keys.api import issuer_of
from drystone.l25_deployer.api import DeployerApi
from drystone.l90_assembly.standalone import Standalone
from l25_deployer.small_platform import (
    ASKING,
    deploy,
    descriptor,
    embedded,
    folder_of,
    left_in,
    settings,
    short_folder,
    until,
)

CALLER = descriptor(more="dependencies: {payments: {needs: soft, without: nothing}}")
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
AUDIENCE = issuer_of("dev", "payments")


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as found:
        folder_of(found / "source", {"server.py": SERVER})
        yield found


async def two_services(api: DeployerApi, folder: Path) -> None:
    """Deploy one that calls and the one that it calls."""
    await deploy(api, descriptor("payments"), folder / "source")
    await deploy(api, CALLER, folder / "source")


def network_of(home: Path) -> Path | None:
    """Return the network in which the caller lives, if it has one of its own."""
    return next(Home(home).networks.glob("greeter.dev@*"), None)


async def end(whole: Standalone, home: Path) -> None:
    [_ async for _ in whole.deployer.stop(ASKING)]
    await until(lambda: left_in(home) == [], "everything ended")


def status_of(url: str, *, host: str, token: str) -> int:
    request = urllib.request.Request(  # noqa: S310 - of this machine
        url, headers={"host": host, "authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as e:
        with e:
            return e.code


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rotations", [4, pytest.param(100, marks=pytest.mark.slow)])
async def test_no_call_fails_while_keys_are_replaced(rotations: int, folder: Path) -> None:
    home = folder / "h"
    async with embedded(home) as whole:
        await two_services(whole.deployer, folder)
        way = whole.services.machine.ports.internal("greeter.dev>payments.dev")
        is_over = threading.Event()
        url = f"http://127.0.0.1:{way}/due"

        def call() -> list[int]:
            found = []
            while not is_over.is_set():
                found.append(status_of(url, host="payments", token=""))
            return found

        calling = asyncio.create_task(asyncio.to_thread(inside, network_of(home), call))
        for _ in range(rotations):
            await whole.keys.rotate(ASKING, environment="dev", service="greeter")
            await asyncio.sleep(0.1)  # so that each has calls of its own
        is_over.set()
        statuses = await calling
        assert set(statuses) == {200}
        assert len(statuses) >= rotations
        await end(whole, home)


async def test_a_token_of_a_key_that_was_revoked_is_refused_at_once_and_calls_go_on(
    folder: Path,
) -> None:
    home = folder / "h"
    chosen = settings(Home(home), DRYSTONE_PROXY_OPEN="false")
    async with embedded(home, chosen) as whole:
        await two_services(whole.deployer, folder)
        edge = f"http://127.0.0.1:{chosen.port}/due"  # the path of its health is everybody's
        host = f"payments.dev.localhost:{chosen.port}"
        stolen = await whole.keys.token(
            ASKING, environment="dev", service="greeter", audience=AUDIENCE
        )

        async def status(token: str) -> int:
            return await asyncio.to_thread(status_of, edge, host=host, token=token)

        assert await status(stolen.token) == 200
        await whole.keys.revoke(ASKING, environment="dev", service="greeter", key=stolen.key)
        async with asyncio.timeout(20):
            while await status(stolen.token) != 401:
                pass
        later = await whole.keys.token(
            ASKING, environment="dev", service="greeter", audience=AUDIENCE
        )
        assert await status(later.token) == 200
        assert await status("") == 401
        way = whole.services.machine.ports.internal("greeter.dev>payments.dev")
        at_sidecar = f"http://127.0.0.1:{way}/due"

        def as_the_service() -> int:
            return status_of(at_sidecar, host=host, token="forged")

        assert await asyncio.to_thread(inside, network_of(home), as_the_service) == 200
        await end(whole, home)
