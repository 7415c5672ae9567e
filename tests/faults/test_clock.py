"""The wall clock is set while the platform runs: what lasts, lasts as long as it should, and history tells what was said."""

from __future__ import annotations

import os
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faults.clock import clocked
from journeys.place import Place, eventually, small_service

if TYPE_CHECKING:
    from faults.clock import WallClock

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler"),
]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def kill_agent(where: Place) -> None:
    """Kill the agent and wait for the next one, which reads what the first wrote down."""
    before = (await where.drystone.ask("status"))["agent_pid"]
    os.kill(before, signal.SIGKILL)

    async def look() -> bool:
        said = await where.drystone.run("status", "--json")
        return said.code == 0 and f'"agent_pid": {before},' not in said.out

    await eventually(look)


async def warm(where: Place, service: str) -> list[Any]:
    """Return the instances of releases that are kept warm."""
    view = await where.show(service)
    return [one for one in view["instances"] if one["release"] != view["summary"]["release"]]


def kept_warm(folder: Path, span: str) -> Path:
    return small_service(folder, "steady", deploy={"keep_warm": span})


@pytest.mark.parametrize(
    "step", [pytest.param(DAY, marks=pytest.mark.slow), -DAY], ids=["forward", "back"]
)
@pytest.mark.slow
async def test_a_warm_release_stays_as_long_as_was_said_whatever_the_clock_says(
    tmp_path: Path, step: timedelta
) -> None:
    async with clocked(tmp_path) as (where, clock):
        for _ in range(2):
            assert (await where.deploy(kept_warm(tmp_path / "s", "2h"))).code == 0
        (before,) = await warm(where, "steady")

        clock.step(step)
        await kill_agent(where)

        assert await warm(where, "steady") == [
            before | {"since": (await warm(where, "steady"))[0]["since"]}
        ]
        assert (await where.drystone.run("rollback", "steady", "--env", "dev")).code == 0
        (serves,) = await where.instances("steady")
        assert serves["pid"] == before["pid"], "the way back is as short as was promised"

        # A short warmth ends, though by the clock its end lies a day away.
        assert (await where.deploy(kept_warm(tmp_path / "s", "3s"))).code == 0
        clock.step(timedelta())
        await kill_agent(where)

        async def all_cold() -> bool:
            return not [one for one in await warm(where, "steady") if one["pid"] == serves["pid"]]

        await eventually(all_cold)
        assert await where.version("steady") == "3"


@pytest.mark.slow
async def test_a_deploy_is_not_disturbed_and_history_says_times_as_they_were(
    tmp_path: Path,
) -> None:
    async with clocked(tmp_path) as (where, clock):
        assert (await where.deploy(small_service(tmp_path / "s", "steady"))).code == 0
        for number, (at, step) in enumerate((("start", HOUR), ("health", -HOUR), ("drain", HOUR))):
            version = str(number + 2)
            steps = where.drystone.steps(
                "deploy", tmp_path / "s/service.yaml", "--env", "dev", "--version", version
            )
            async for told in steps:
                if told.get("step") == at and told.get("state") == "began":
                    clock.step(step)
            assert await where.version("steady") == version

        events = (await where.history("steady"))[::-1]
        assert [e["version"] for e in events if e["event"] == "deploy done"] == ["1", "2", "3", "4"]
        begun = [_at(e) for e in events if e["event"] == "deploy began"]
        ended = [_at(e) for e in events if e["event"] == "deploy done"]
        assert begun[0] < ended[0]
        assert ended[1] - begun[1] > HOUR / 2, "the clock was set forward in it"
        assert ended[2] < begun[2], "the clock was set back in it"
        spans = [e["seconds"] for e in events if "seconds" in e]
        assert len(spans) == 4
        assert all(0 < span < HOUR.total_seconds() / 2 for span in spans), (
            "they are not the clock's"
        )
        for command in (("history", "steady"), ("show", "steady"), ("logs", "steady"), ("status",)):
            env = () if command == ("status",) else ("--env", "dev")
            await where.drystone.must(*command, *env)
        assert (await where.drystone.ask("status"))["problems"] == []


SPRING, AUTUMN = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
"""When clocks in Berlin are set forward and back."""


@pytest.mark.slow
async def test_daylight_saving_changes_what_is_shown_and_nothing_else(tmp_path: Path) -> None:
    async with clocked(tmp_path, "Europe/Berlin") as (where, clock):
        for change in (SPRING, AUTUMN):
            await _deploy_across(where, clock, change, tmp_path / "s")
        events = [e for e in await where.history("steady") if e["event"].startswith("deploy ")]
        times = [_at(e) for e in events][::-1]
        assert times == sorted(times)
        shown = (await where.drystone.must("history", "steady", "--env", "dev")).out
        # In spring the hour after two is left out, in autumn it comes twice.
        assert "2026-03-29 01:5" in shown
        assert "2026-03-29 03:0" in shown
        assert "2026-03-29 02:" not in shown
        assert "2026-10-25 02:5" in shown
        assert "2026-10-25 02:0" in shown
        assert await where.version("steady") == "2"
        assert (await where.drystone.ask("status"))["problems"] == []


async def _deploy_across(where: Place, clock: WallClock, change: datetime, folder: Path) -> None:
    """Deploy once before and once after the change, so that a release is kept warm across it."""
    clock.set(change - timedelta(minutes=9))
    assert (await where.deploy(kept_warm(folder, "2h"), "--version", "1")).code == 0
    clock.set(change + timedelta(seconds=1))
    assert len(await warm(where, "steady")) <= 1
    assert (await where.deploy(kept_warm(folder, "2h"), "--version", "2")).code == 0
    assert (await where.drystone.run("logs", "steady", "--env", "dev")).code == 0


def _at(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["at"])
