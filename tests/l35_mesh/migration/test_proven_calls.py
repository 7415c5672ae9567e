"""A service moves to another platform, and those who stay behind go on to prove there who they are."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drystone.testing.command_line import processes_of
from drystone.testing.python_image import PYTHON
from journeys.place import Place, eventually, place, small_service

CALLS = """
import http.client, json, os, sys, time, urllib.parse
place = urllib.parse.urlsplit(os.environ["CALLEE"])
seen, end = [], time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read()
        found = json.loads(body) if answer.status == 200 else {}
        seen.append([answer.status, found.get("version"), found.get("caller")])
    except OSError as e:
        seen.append([0, str(e), None])
    finally:
        connection.close()
    time.sleep(0.01)
print(json.dumps(seen))
"""
"""Calls a dependency, as the service that declares it, for some seconds."""

Seen = Counter[tuple[int, str | None, str | None]]


class Two(msgspec.Struct):
    """Two platforms, a service that moves from the one to the other, and who calls it here.

    Attributes:
        here: Where both were at first.
        there: Where the one who is called moves to.
        callee: Who is called.
        caller: Who stays.
        other: Who calls it on both; of the one here nothing is trusted there.
        name: What the one platform is called on the other.
    """

    here: Place
    there: Place
    callee: str
    caller: str
    other: str
    name: str = "home"

    async def calls(self, seconds: float = 4) -> Seen:
        """Call as the service that stays does, from inside its network; what became of the calls."""
        command = ("exec", self.caller, "--", PYTHON, "-c", CALLS, str(seconds))
        said = await self.here.drystone.must(*command)
        return Counter((one[0], one[1], one[2]) for one in json.loads(said.out))

    async def during(self, *command: str) -> Seen:
        """Give a command here while calls go on."""
        calling = asyncio.create_task(self.calls(6))
        await asyncio.sleep(1)  # some calls come before
        await self.here.drystone.must(*command)
        return await calling

    async def token(self, caller: str) -> str:
        """Make a token here that lives for long."""
        audience = f"dev/{self.callee}"
        words = ("token", caller, "--audience", audience, "--lifetime", "3600")
        return (await self.here.drystone.must(*words)).out.strip()

    async def status(self, token: str) -> int:
        """Ask over there with a token."""
        headers = {"authorization": f"Bearer {token}"}
        return (await self.there.get(self.callee, headers=headers)).status_code

    async def trust(self) -> Any:
        """Let the platform over there trust keys of the one here."""
        shown = await self.here.drystone.ask("keys", "repository")
        urls = [word for url in shown["urls"] for word in ("--repository", url)]
        named = ("--issuer", f"dev/{self.caller}", "--to", f"dev/{self.callee}")
        await self.there.drystone.must(
            "keys", "trust", self.name, *urls, "--ca", shown["authority"], *named
        )


async def prepared(here: Place, there: Place, folder: Path) -> Two:
    """Deploy everything; nothing has moved."""
    two = Two(here, there, here.name(), here.name(), here.name())
    needs = {two.callee: {"needs": "soft", "without": "it does without"}}
    for version, side in (("old", here), ("new", there)):
        callee = small_service(folder / "callee", two.callee)
        assert (await side.deploy(callee, "--version", version)).code == 0
    for name in (two.caller, two.other):
        env = {"APP_VERSION": "${version}", "CALLEE": f"${{dependencies.{two.callee}.url}}"}
        caller = small_service(folder / name, name, dependencies=needs, env=env)
        assert (await here.deploy(caller)).code == 0
    assert (await there.deploy(folder / two.other / "service.yaml")).code == 0
    await here.drystone.must("migrate", "start", two.callee, "--to", f"127.0.0.1:{there.port}")
    return two


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_callers_that_stay_behind_are_known_where_the_callee_has_gone(tmp_path: Path) -> None:
    async with place() as here, place() as there:
        two = await prepared(here, there, tmp_path)
        caller = f"dev/{two.caller}"
        old, new = (200, "old", caller), (200, "new", caller)
        early = await two.token(two.caller)
        assert await two.status(early) == 401
        await two.trust()
        assert await two.status(early) == 200

        # The move, by degrees.
        for share, sides in (("10%", {old, new}), ("50%", {old, new}), ("100%", {old, new})):
            assert set(await two.during("migrate", "share", two.callee, share)) == sides
        assert set(await two.calls(1)) == {new}

        # Keys are replaced twice in a row, and by a deploy.
        for command in (("keys", "rotate", two.caller),) * 2:
            assert set(await two.during(*command)) == {new}
        assert await eventually(lambda: keys_known(two, 3 + 2))
        descriptor = str(tmp_path / two.caller / "service.yaml")
        assert set(await two.during("deploy", descriptor, "--version", "2")) == {new}

        # Whose token is worth what, and why.
        good, foreign = await two.token(two.caller), await two.token(two.other)
        assert (await two.status(good), await two.status(foreign)) == (200, 401)
        told = await check(there, good, two.callee, tmp_path)
        assert (told["is_good"], told["issuer"], told["peer"]) == (True, caller, two.name)
        assert (await check(here, good, two.callee, tmp_path))["peer"] == ""
        refused = await check(there, foreign, two.callee, tmp_path)
        assert (refused["is_good"], refused["reason"]) == (False, "its key is not published")

        # A key is revoked over here.
        await here.drystone.must("keys", "revoke", two.caller, "--all")

        async def is_refused() -> bool:
            return await two.status(good) == 401

        await eventually(is_refused)
        fresh = await two.token(two.caller)

        async def is_known() -> bool:
            return await two.status(fresh) == 200

        await eventually(is_known)
        assert set(await two.calls(1)) == {new}

        # The platform here dies, and then the agent there.
        for pid in processes_of(here.home):
            os.kill(pid, signal.SIGKILL)
        agent = (await there.drystone.ask("status"))["agent_pid"]
        os.kill(agent, signal.SIGKILL)

        async def is_back() -> bool:
            said = await there.drystone.run("status", "--json")
            return said.code == 0 and f'"agent_pid": {agent},' not in said.out

        await eventually(is_back)

        async def is_told_silent() -> bool:
            (view,) = await there.drystone.ask("keys", "trusted")
            return bool(view["problem"])

        await eventually(is_told_silent, within=timedelta(seconds=60))
        assert await two.status(fresh) == 200
        # Nobody trusts it any more: at once.
        await there.drystone.must("keys", "distrust", two.name)
        assert await two.status(fresh) == 401
        events = [one["event"] for one in await there.history(two.callee)]
        assert {"trusted", "distrusted"} <= set(events)
        await here.drystone.must("up", "--detach", "--port", str(here.port))  # to end it well


async def keys_known(two: Two, least: int) -> bool:
    """Tell whether the platform over there knows so many keys."""
    (view,) = await two.there.drystone.ask("keys", "trusted")
    return bool(view["keys"] >= least)


async def check(platform: Place, token: str, audience: str, folder: Path) -> Any:
    """Ask what a token is worth."""
    (folder / "token").write_text(token)
    said = await platform.drystone.run(
        "keys", "check", folder / "token", "--audience", audience, "--json"
    )
    return json.JSONDecoder().raw_decode(said.out)[0]  # behind it, where it is refused, is why
