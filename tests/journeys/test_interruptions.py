"""Operations that meet each other, are interrupted or lose those who carry them out."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from drystone.testing.command_line import Said
from drystone.testing.python_image import PYTHON
from journeys.place import Place, eventually, small_service
from journeys.test_crashes import agent_of, until_another_agent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Deploying(msgspec.Struct):
    """A deploy that stands still in its migration until the test lets it go on.

    Attributes:
        process: The command that runs it.
        gate: A file; the migration goes on when it exists.
    """

    process: asyncio.subprocess.Process
    gate: Path

    def go_on(self) -> None:
        """Let it go on."""
        self.gate.touch()

    async def end(self) -> Said:
        """Wait for its end."""
        out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return Said(self.process.returncode, out.decode(), err.decode())


WAIT = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.02)"


def service_with_gate(folder: Path, name: str, gate: Path) -> Path:
    """Write a service whose migration waits for a file, with what gives the file a place in its sandbox."""
    return small_service(
        folder,
        name,
        resources={"shelf": {"type": "volume", "protect": False}},
        deploy={
            "migrate": [PYTHON, "-c", WAIT, "${resources.shelf.path}/" + gate.name],
            "keep_warm": "0s",
        },
    )


@asynccontextmanager
async def deploying(
    platform: Place, folder: Path, name: str, *, version: str
) -> AsyncIterator[Deploying]:
    """Begin a deploy that stands still in its migration."""
    gate = platform.home / "gate"
    descriptor = service_with_gate(folder, name, gate)
    command = ("deploy", descriptor, "--env", "dev", "--version", version)
    async with platform.drystone.running(*command) as process:

        async def migrates() -> Path | None:
            return next((platform.home / "volumes").glob(f"**/{name}/shelf"), None)

        shelf = await eventually(migrates)
        yield Deploying(process, shelf / gate.name)


async def deployed(platform: Place, folder: Path) -> str:
    """Deploy a service that behaves, as version ``good``; its name."""
    name = platform.name()
    said = await platform.deploy(small_service(folder, name), "--version", "good")
    assert said.code == 0, said.err
    return name


async def test_a_second_deploy_waits_for_the_first_and_says_so(
    platform: Place, tmp_path: Path
) -> None:
    name = await deployed(platform, tmp_path)
    async with deploying(platform, tmp_path / "first", name, version="first") as first:
        later = small_service(
            tmp_path / "second", name, resources={"shelf": {"type": "volume", "protect": False}}
        )
        refused = await platform.deploy(later, "--no-wait")
        assert refused.code == 1
        assert f"a deploy of release 2 of {name}.dev, begun by " in refused.err
        assert f"drystone abort {name} --env dev" in refused.err
        command = ("deploy", later, "--env", "dev", "--version", "second")
        async with aclosing(platform.drystone.steps(*command)) as steps:
            waiting = await anext(steps)
            assert (waiting["step"], waiting["state"]) == ("wait", "began")
            assert f"a deploy of release 2 of {name}.dev" in waiting["text"]
            first.go_on()
            said = await first.end()
            assert said.code == 0, said.err
            last = [step async for step in steps][-1]
    assert last["step"] == "done"
    assert await platform.version(name) == "second"


async def test_ctrl_c_aborts_a_deploy_and_the_next_one_works(
    platform: Place, tmp_path: Path
) -> None:
    name = await deployed(platform, tmp_path)
    async with deploying(platform, tmp_path / "first", name, version="bad") as first:
        first.process.send_signal(signal.SIGINT)
        said = await first.end()
    assert said.code == 130, said
    assert "aborted; release 1 (version good) serves as before" in said.err
    assert await platform.version(name) == "good"
    assert (await platform.history(name))[0]["event"] == "deploy aborted"
    assert (await platform.show(name))["operation"] is None
    said = await platform.deploy(small_service(tmp_path, name), "--version", "better")
    assert said.code == 0, said.err
    assert await platform.version(name) == "better"


async def test_abort_from_another_terminal_ends_a_deploy(platform: Place, tmp_path: Path) -> None:
    name = await deployed(platform, tmp_path)
    async with deploying(platform, tmp_path / "first", name, version="bad") as first:
        aborted = await platform.drystone.must("abort", name, "--env", "dev")
        assert "release 1 (version good) serves as before" in aborted.out + aborted.err
        assert (await first.end()).code == 1
    assert await platform.version(name) == "good"
    again = await platform.drystone.run("abort", name, "--env", "dev")
    assert (again.code, f"nothing is being done to {name}.dev" in again.err) == (1, True)


async def test_a_deploy_goes_on_when_its_command_is_killed(platform: Place, tmp_path: Path) -> None:
    name = await deployed(platform, tmp_path)
    async with deploying(platform, tmp_path / "first", name, version="better") as first:
        first.process.kill()
        await first.end()
        first.go_on()

        async def done() -> bool:
            newest = (await platform.history(name))[0]
            return bool(newest["event"] == "deploy done" and newest["version"] == "better")

        await eventually(done)
    assert await platform.version(name) == "better"


async def test_a_deploy_is_undone_when_the_agent_is_killed_in_the_middle(
    own_platform: Place, tmp_path: Path
) -> None:
    platform = own_platform
    name = await deployed(platform, tmp_path)
    before = await platform.instances(name)
    async with platform.traffic(name) as stopped:
        async with deploying(platform, tmp_path / "first", name, version="bad") as first:
            agent = await agent_of(platform)
            os.kill(agent, signal.SIGKILL)
            said = await first.end()
            assert said.code == 1
            assert "Traceback" not in said.err
            await until_another_agent(platform, agent)
        report = await stopped()
    assert report.failed == (), report.text()
    assert list(report.versions()) == ["good"]
    assert [i["pid"] for i in await platform.instances(name)] == [i["pid"] for i in before]
    assert (await platform.history(name))[0]["event"] == "deploy undone"
    view = await platform.show(name)
    assert (view["operation"], view["resources"]) == (None, [])
    said = await platform.deploy(small_service(tmp_path, name), "--version", "better")
    assert said.code == 0, said.err
    assert await platform.version(name) == "better"


async def test_four_deploys_at_once_of_one_service_end_one_after_the_other(
    platform: Place, tmp_path: Path
) -> None:
    name = await deployed(platform, tmp_path)
    descriptor = small_service(tmp_path, name)

    async def one(number: int) -> Any:
        return await platform.deploy(descriptor, "--version", f"v{number}")

    ended = await asyncio.gather(*(one(number) for number in range(4)))
    assert [said.code for said in ended] == [0] * 4, [said.err for said in ended]
    done = [e["version"] for e in await platform.history(name) if e["event"] == "deploy done"]
    assert len(done) == 5
    assert await platform.version(name) == done[0]
