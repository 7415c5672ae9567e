"""The way of a service from its first deploy to its end, on one platform, as a person walks it."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from journeys.place import EXAMPLES, Place, eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

GUESTBOOK = EXAMPLES / "guestbook/service.yaml"


async def sign(platform: Place, message: str) -> None:
    entry = {"name": "tests", "message": message}
    answer = await platform.get("guestbook", "/api/entries", method="POST", json=entry)
    assert answer.status_code == 201, answer.text


async def messages(platform: Place) -> list[str]:
    answer = await platform.get("guestbook", "/api/entries")
    assert answer.status_code == 200, answer.text
    return [entry["message"] for entry in answer.json()["entries"]]


async def done(platform: Place, *command: Any) -> dict[str, Any]:
    """Run a command with steps; its last one."""
    last: dict[str, Any] = (await platform.drystone.must(*command, "--json")).documents[-1]
    return last


async def test_the_main_journey(own_platform: Place) -> None:
    platform, drystone = own_platform, own_platform.drystone
    dev: Sequence[str] = ("--env", "dev")

    assert (await drystone.must("validate", GUESTBOOK)).out == "1 descriptor, no mistakes\n"
    plan = await drystone.ask("plan", GUESTBOOK, *dev)
    assert plan["refused"] == plan["confirm"] == []
    assert any("db" in change["path"] for change in plan["changes"])
    assert (await drystone.ask("services")) == []  # a plan changes nothing

    last = await done(platform, "deploy", GUESTBOOK, *dev, "--version", "1")
    assert last["url"] == platform.url("guestbook")
    assert await platform.version("guestbook") == "1"
    await sign(platform, "first")

    async with platform.traffic("guestbook", "/version") as stopped:
        await done(platform, "deploy", GUESTBOOK, *dev, "--version", "2")
        await sign(platform, "second")
        await done(platform, "rollback", "guestbook", *dev)
        report = await stopped()
    assert report.failed == (), report.text()
    assert set(report.versions()) == {"1", "2"}
    assert await platform.version("guestbook") == "1"

    await look_around(platform)
    await keep_and_delete_data(platform)


async def look_around(platform: Place) -> None:
    drystone = platform.drystone

    async def serving() -> Any:
        # A probe of a busy machine may come late.
        view = await platform.show("guestbook")
        return view if view["summary"]["state"] == "serving" else None

    view = await eventually(serving)
    assert {i["group"] for i in view["instances"]} == {"web", "digest"}
    assert [(r["name"], r["type"]) for r in view["resources"]] == [("db", "postgres")]
    status = await drystone.ask("status")
    assert status["ready"]
    assert {e["name"] for e in status["engines"] if e["state"] == "ready"} >= {"proxy", "postgres"}
    (service,) = await drystone.ask("services")
    assert (service["service"], service["version"]) == ("guestbook", "1")
    events = [event["event"] for event in await platform.history("guestbook")]
    assert events.index("rollback done") < events.index("rollback began")
    assert events.count("deploy done") == 2

    async with aclosing(
        drystone.steps("logs", "guestbook", "--env", "dev", "-f", "-n", "0")
    ) as logs:
        following = asyncio.ensure_future(anext(logs))
        while not following.done():
            await platform.get("guestbook", "/version")
            await asyncio.wait({following}, timeout=0.1)
        assert (await following)["instance"].startswith("guestbook-dev-r1-")

    script = "import os; print(os.environ['DRYSTONE_SERVICE'], 'DB_URL' in os.environ)"
    said = await drystone.must("exec", "guestbook", "--env", "dev", "--", "python", "-c", script)
    assert said.out == "guestbook True\n"
    ended = await drystone.run("exec", "guestbook", "--", "python", "-c", "raise SystemExit(42)")
    assert ended.code == 42


async def keep_and_delete_data(platform: Place) -> None:
    drystone = platform.drystone
    removal = ("destroy", "guestbook", "--env", "dev", "--yes", "guestbook")
    last = await done(platform, *removal)
    assert last["text"] == "guestbook.dev is gone; data is kept of: db"
    assert (await platform.get("guestbook")).status_code == 404
    await done(platform, "deploy", GUESTBOOK, "--env", "dev", "--version", "3")
    assert await messages(platform) == ["second", "first"]

    await drystone.must("down")
    own = await drystone.ask("deps", "order", "--platform")
    await drystone.must("up", "--detach")
    await comes_up_in_the_order_that_was_told(platform, own["waves"])
    assert await platform.version("guestbook") == "3"
    assert await messages(platform) == ["second", "first"]

    last = await done(platform, *removal, "--delete-data", "db")
    assert last["text"] == "guestbook.dev is gone; no data is left"
    assert (await drystone.ask("services")) == []
    await done(platform, "deploy", GUESTBOOK, "--env", "dev", "--version", "4")
    assert await messages(platform) == []
    await drystone.must("down")
    said = await drystone.run("show", "guestbook", "--json")
    assert said.code == 1
    assert msgspec.json.decode(said.out)["title"]
    await drystone.must("up", "--detach")
    assert await platform.version("guestbook") == "4"


async def comes_up_in_the_order_that_was_told(platform: Place, own: list[list[str]]) -> None:
    live = await platform.drystone.ask("deps", "order")
    assert live["waves"] == [*([f"platform/{one}" for one in w] for w in own), ["dev/guestbook"]]
    assert live["followed"] is True
    followed = await platform.drystone.ask("deps", "order", "--platform")
    assert followed["waves"] == own
    assert followed["up"] == {
        name.removeprefix("platform/"): at
        for name, at in live["up"].items()
        if name.startswith("platform/")
    }
    for earlier, later in itertools.pairwise(own):
        begun = [followed["up"][name] for name in later if name in followed["up"]]
        assert all(followed["up"].get(name, "") <= at for name in earlier for at in begun)
    assert max(live["up"], key=live["up"].__getitem__) == "dev/guestbook"
