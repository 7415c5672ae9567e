"""A release that is tried answers well while its own calls fail: they are told apart from those of the release that serves."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from drystone.l00_kernel.home import Home
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l25_deployer.api import Signals
from drystone.l90_assembly.standalone import Standalone
from l25_deployer.small_platform import (
    ASKING,
    ask,
    deploy,
    descriptor,
    embedded,
    folder_of,
    settings,
    short_folder,
)

ANSWERS = """
import http.server, os, sys, urllib.error, urllib.request

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = 200
        if self.path.startswith("/status/"):
            status = int(self.path.partition("?")[0].rpartition("/")[2])
        elif self.path.startswith(("/call/", "/lone/")):
            path = self.path[len("/call"):]
            carries = self.path.startswith("/call/")
            headers = {"x-request-id": self.headers["x-request-id"]} if carries else {}
            asked = urllib.request.Request(os.environ["BILLING_URL"] + path, headers=headers)
            for _ in range(int(os.environ.get("TIMES", "1"))):
                try:
                    urllib.request.urlopen(asked, timeout=5).read()
                except urllib.error.HTTPError as e:
                    e.close()
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
BILLING = "dependencies: {billing: {needs: hard, retries: 0}}"
ENV = "env: {{BILLING_URL: '${{dependencies.billing.url}}', TIMES: '{}'}}"
HELD = {"environment": "dev", "service": "desk", "key": "k1"}


class Desk(msgspec.Struct):
    """A platform on which ``desk`` calls ``billing``."""

    whole: Standalone
    port: int
    folder: Path

    async def deploy(self, name: str, more: str = "", **how: object) -> None:
        await deploy(self.whole.deployer, descriptor(name, more=more), self.folder, **how)

    async def hold(self, more: str) -> None:
        await self.deploy("desk", more, key="k1", hold=True)
        await self.shift(0.5)

    async def shift(self, share: float) -> None:
        await self.whole.deployer.shift(ASKING, **HELD, share=share, header="x-release")

    async def call(self, which: str, path: str, times: int = 1) -> None:
        for _ in range(times):
            said = await ask(self.port, "desk.dev.localhost", path, headers={"x-release": which})
            assert said.startswith("200 ")

    async def signals(self, **changes: str) -> Signals:
        return await self.whole.deployer.signals(ASKING, **{**HELD, **changes})

    async def end(self, how: str, **changes: str) -> None:
        async for _ in getattr(self.whole.deployer, how)(ASKING, **{**HELD, **changes}):
            pass

    async def until(self, holds: Callable[[Signals], bool], **changes: str) -> Signals:
        limit = asyncio.get_running_loop().time() + 20
        while True:
            seen = None
            with suppress(ProxyUnavailable):
                seen = await self.signals(**changes)
            if seen is not None and holds(seen):
                return seen
            assert asyncio.get_running_loop().time() < limit, seen
            await asyncio.sleep(0.05)

    async def until_it_calls_again(self) -> None:
        limit = asyncio.get_running_loop().time() + 20
        while True:
            try:
                return await self.call("canary", "/call/status/500")
            except (OSError, AssertionError, ValueError, IndexError):
                assert asyncio.get_running_loop().time() < limit
                await asyncio.sleep(0.05)

    async def follow_users(self) -> None:
        """Ten users on both releases, whose calls fail: each counts once, whichever of them is known by the id."""
        key = {**HELD, "key": "k3"}
        await self.whole.deployer.shift(ASKING, **key, share=0.5, cohort="user")

        async def users_call(path: str) -> None:
            for number in range(20):
                said = {"x-user-id": f"u{number % 10}"}
                await ask(self.port, "desk.dev.localhost", path, headers=said)

        await users_call("/lone/status/500")
        seen = await self.until(lambda s: s.unmeasured != {}, key="k3")
        assert "pass x-request-id on" in seen.unmeasured["dependency-errors"]
        await users_call("/call/status/500")
        seen = await self.until(lambda s: _callers(s) == 10 and s.canary.users > 0, key="k3")
        assert seen.canary.users_in_failed_call == seen.canary.users
        assert seen.unmeasured == {}

    def ports(self) -> list[int]:
        """Return the ports at which desk finds billing."""
        every = self.whole.services.machine.ports.every()
        return [port for name, port in every.items() if name.startswith("desk.dev>billing.dev")]


@asynccontextmanager
async def desk_at(folder: Path, **more: str) -> AsyncIterator[Desk]:
    home = Home.create(folder / "h")
    chosen = settings(home, **more)
    async with embedded(folder / "h", chosen) as whole:
        yield Desk(whole, chosen.port, folder_of(folder / "source", {"server.py": ANSWERS}))


def _callers(seen: Signals) -> int:
    return seen.canary.users_in_failed_call + seen.stable.users_in_failed_call


def counted(seen: Signals) -> tuple[tuple[int, int], tuple[int, int]]:
    return (
        (seen.canary.calls, seen.canary.failed_calls),
        (seen.stable.calls, seen.stable.failed_calls),
    )


@pytest.mark.parametrize("placement", ["node", "instance"])
async def test_whose_calls_fail_is_told_through_the_deaths_of_agent_and_proxy(
    placement: str,
) -> None:
    more = f"{BILLING}\nproxy: {{placement: {placement}}}\n"
    with short_folder() as folder:
        async with desk_at(folder) as desk:
            await desk.deploy("billing")
            await desk.deploy("desk", more + ENV.format(1))
            (first,) = desk.ports()
            await desk.deploy("desk", more + ENV.format(1))
            assert desk.ports() == [first], "a usual deploy changes no address"
            await desk.hold(more + ENV.format(3))
            assert len(desk.ports()) == 2
            assert (await desk.signals()).unmeasured == {}
            await desk.call("stable", "/call/status/200", 4)
            await desk.call("stable", "/call/status/404")
            await desk.call("stable", "/call/status/502")
            await desk.call("canary", "/call/status/200", 2)
            await desk.call("canary", "/call/status/503?token=s3")
            # Of the three calls by one request one counts.
            seen = await desk.until(lambda s: counted(s) == ((7, 1), (6, 1)))
            (told,) = {one.partition(" ")[2].partition(" after")[0] for one in seen.events}
            assert told.startswith("its call to billing.dev failed: GET /status/503 was answered")
        async with desk_at(folder, DRYSTONE_PORT=str(desk.port)) as desk:
            assert counted(await desk.signals()) == ((7, 1), (6, 1))
            await desk.call("stable", "/call/status/200")
            await desk.until(lambda s: counted(s) == ((7, 1), (7, 1)))
            for engine in desk.whole.platform.engines():
                if engine.pid is not None and engine.name.startswith(("proxy", "sidecar desk")):
                    os.kill(engine.pid, signal.SIGKILL)

            await desk.until_it_calls_again()
            await desk.until(lambda s: s.canary.failed_calls > 1 and s.stable.failed_calls == 1)


@pytest.mark.slow
async def test_addresses_go_with_their_release_and_a_rollout_of_an_older_platform_is_not_measured() -> (
    None
):
    more = f"{BILLING}\ndeploy: {{keep_warm: 0s}}\n{ENV.format(1)}"
    with short_folder() as folder:
        async with desk_at(folder) as desk:
            await desk.deploy("billing")
            await desk.deploy("desk", more)
            kept = desk.whole.services.existing("dev", "desk")
            assert kept.member().slots == (0,)
            await desk.hold(more)
            assert kept.member().slots == (0, 1)
            await desk.end("withdraw", reason="a test")
            assert (kept.member().slots, kept.member().is_tried) == ((0,), False)
            await desk.deploy("desk", more, key="k2", hold=True)
            await desk.end("settle", key="k2")
            assert kept.member().slots == (1,)
            await desk.deploy("desk", more)
            assert kept.member().slots == (1,)
            await desk.deploy("desk", more, key="k3", hold=True)
            assert kept.member().slots == (0, 1)
            serving = kept.record.active
            await desk.follow_users()
        # An older platform knew of one address for each dependency.
        for path in (folder / "h/services/dev/desk/releases").glob("*.json"):
            written = msgspec.json.decode(path.read_bytes())
            written.pop("slot")
            path.write_bytes(msgspec.json.encode(written))
        async with desk_at(folder, DRYSTONE_PORT=str(desk.port)) as desk:
            seen = await desk.signals(key="k3")
            assert "at the same addresses" in seen.unmeasured["dependency-errors"]
            assert desk.whole.services.existing("dev", "desk").record.active == serving
            await desk.end("settle", key="k3")
            await desk.deploy("desk", more, key="k4", hold=True)
            assert (await desk.signals(key="k4")).unmeasured == {}
