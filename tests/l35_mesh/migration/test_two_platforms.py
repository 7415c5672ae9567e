"""A service moves from one real platform to another, while requests arrive."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drystone.testing.command_line import processes_of
from journeys.place import Place, eventually, place, small_service

BOTH = tuple[Place, Place]


async def deployed(two: BOTH, folder: Path) -> str:
    """Deploy a service of one name on both platforms; its version says which side answers."""
    here, there = two
    name = here.name()
    descriptor = small_service(folder, name)
    assert (await here.deploy(descriptor, "--version", "old")).code == 0
    assert (await there.deploy(descriptor, "--version", "new")).code == 0
    return name


async def status_of(platform: Place, name: str) -> Any:
    """What ``migrate status`` tells of a service."""
    (found,) = await platform.drystone.ask("migrate", "status", name)
    return found


async def sides(
    platform: Place, name: str, count: int = 30, *, headers: dict[str, str] | None = None
) -> set[str]:
    """Which sides answer."""
    return {
        (await platform.get(name, headers=headers or {})).headers["x-version"] for _ in range(count)
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_service_moves_by_degrees_and_back_and_away_without_a_failed_request(
    two: BOTH, tmp_path: Path
) -> None:
    here, there = two
    name = await deployed(two, tmp_path)
    run = here.drystone.must
    async with here.traffic(name) as stopped:
        await run("migrate", "start", name, "--to", f"127.0.0.1:{there.port}")
        assert await sides(here, name) == {"old"}
        await run("migrate", "mirror", name, "100%", "--ignore", "vary")
        await sides(here, name, 5)
        await eventually(lambda: _compares(here, name))
        assert "answers alike" in (await run("migrate", "compared", name)).out
        await run("migrate", "mirror", name, "off")
        await run("migrate", "share", name, "50%")
        assert await sides(here, name, 60) == {"old", "new"}
        await run("migrate", "back", name)
        assert await sides(here, name) == {"old"}
        refused = await here.drystone.run("migrate", "share", name, "101%")
        assert refused.code == 1
        assert "0 to 100" in refused.err
        await run("migrate", "share", name, "100%")
        assert await sides(here, name) == {"new"}
        await run("migrate", "finish", name)
        assert await sides(here, name) == {"new"}
        report = await stopped()
    assert report.failures() == {}
    assert set(report.versions()) == {"old", "new"}
    assert (await status_of(here, name))["state"] == "moved"
    told = [one["text"] for one in await here.history(name) if one["event"] == "migration"]
    assert [text.partition(" ")[0] for text in told] == [
        "has",
        "100",
        "everything",
        "50",
        "both",
        "both",
        "127.0.0.1:" + str(there.port),
    ]


@pytest.mark.slow
async def test_two_platforms_that_point_at_each_other_send_nothing_in_circles(
    two: BOTH, tmp_path: Path
) -> None:
    here, there = two
    name = await deployed(two, tmp_path)
    for one, other in ((here, there), (there, here)):
        await one.drystone.must("migrate", "start", name, "--to", f"127.0.0.1:{other.port}")
        await one.drystone.must("migrate", "share", name, "100%")
    assert await sides(here, name) == {"old"}
    assert await sides(there, name) == {"new"}


@pytest.mark.slow
async def test_who_is_named_goes_over_and_the_agent_may_die(two: BOTH, tmp_path: Path) -> None:
    here, there = two
    name = await deployed(two, tmp_path)
    await here.drystone.must("migrate", "start", name, "--to", f"127.0.0.1:{there.port}")
    await here.drystone.must("migrate", "share", name, "0%", "--header", "x-tester:yes")
    assert await sides(here, name) == {"old"}
    assert await sides(here, name, headers={"x-tester": "yes"}) == {"new"}
    before = (await here.drystone.ask("status"))["agent_pid"]
    os.kill(before, signal.SIGKILL)

    async def is_back() -> bool:
        said = await here.drystone.run("status", "--json")
        return said.code == 0 and f'"agent_pid": {before},' not in said.out

    assert await sides(here, name, headers={"x-tester": "yes"}) == {"new"}
    await eventually(is_back)
    assert await sides(here, name, headers={"x-tester": "yes"}) == {"new"}
    assert (await status_of(here, name))["who"] == [{"header": "x-tester", "value": "yes"}]
    await here.drystone.must("destroy", name, "--yes", name)

    async def is_forgotten() -> bool:
        return not await here.drystone.ask("migrate", "status", name)

    await eventually(is_forgotten)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_when_the_other_platform_is_killed_at_half_no_request_fails_and_everything_comes_back(
    tmp_path: Path,
) -> None:
    async with place() as here, place() as there:
        name = await deployed((here, there), tmp_path)
        async with here.traffic(name) as stopped:
            await here.drystone.must("migrate", "start", name, "--to", f"127.0.0.1:{there.port}")
            await here.drystone.must("migrate", "share", name, "50%")
            await eventually(lambda: _counts(here, name))
            for pid in processes_of(there.home):
                os.kill(pid, signal.SIGKILL)

            async def is_back() -> bool:
                return bool((await status_of(here, name))["state"] == "back")

            await eventually(is_back, within=timedelta(seconds=60))
            report = await stopped()
        assert report.failures() == {}
        assert "failed" in (await status_of(here, name))["reason"]
        await there.drystone.must("up", "--detach", "--port", str(there.port))
        assert await sides(here, name) == {"old"}  # until told otherwise
        await here.drystone.must("migrate", "share", name, "100%")
        assert await sides(here, name) == {"new"}


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_who_calls_is_not_known_to_another_platform_and_both_sides_tell_so(
    two: BOTH, tmp_path: Path
) -> None:
    here, there = two
    name = await deployed(two, tmp_path)
    caller = f"{name}-caller"
    needs = {name: {"needs": "soft", "without": "it does without"}}
    calling = small_service(tmp_path / "caller", caller, dependencies=needs)
    assert (await here.deploy(calling)).code == 0
    await here.drystone.must("migrate", "start", name, "--to", f"127.0.0.1:{there.port}")
    await here.drystone.must(
        "migrate", "mirror", name, "100%", "--ignore", "/pid", "--ignore", "/version"
    )
    call = ("curl", "--as", caller, f"{name}/", "--", "-s", "-o", "/dev/null", "-w", "%{http_code}")

    async def has_compared(count: int) -> bool:
        found = await here.drystone.ask("migrate", "compared", name)
        return bool(found["same"] + found["different"] >= count)

    # Over there nobody declares it, so nobody checks who calls.
    assert (await here.drystone.must(*call)).out == "200"
    await eventually(lambda: has_compared(1))
    found = await here.drystone.ask("migrate", "compared", name)
    assert (found["same"], found["different"]) == (1, 0)
    # Where somebody does, a token of this platform proves nothing.
    assert (await there.deploy(calling)).code == 0
    assert (await here.drystone.must(*call)).out == "200"
    assert (await here.get(name)).status_code == 200
    await eventually(lambda: has_compared(3))
    found = await here.drystone.ask("migrate", "compared", name)
    assert (found["same"], found["different"]) == (2, 1)
    assert "status 200 here, 401 there" in found["examples"][0]["differences"]
    await here.drystone.must("migrate", "share", name, "100%")
    assert (await here.drystone.must(*call)).out == "401"
    assert await here.version(name) == "new"
    await here.drystone.must("migrate", "back", name)
    assert (await here.drystone.must(*call)).out == "200"


async def _counts(platform: Place, name: str) -> bool:
    return bool((await status_of(platform, name))["there"]["answered"] > 5)


async def _compares(platform: Place, name: str) -> bool:
    found = await platform.drystone.ask("migrate", "compared", name)
    return bool(found["same"] + found["different"] > 0)
