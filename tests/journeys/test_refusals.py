"""What the platform refuses, and the words with which it does."""

from __future__ import annotations

import shutil
import socket
from typing import TYPE_CHECKING, Any

import pytest

from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import CommandLine, remains, short_home, stop
from journeys.place import Place, small_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


async def must_refuse(platform: Place, descriptor: Path, *arguments: str) -> str:
    said = await platform.deploy(descriptor, *arguments)
    assert said.code == 1, said.out
    assert "Traceback" not in said.err
    return said.err


async def test_a_resource_goes_only_when_its_name_is_given(platform: Place, tmp_path: Path) -> None:
    name = platform.name()
    resources: dict[str, Any] = {"shelf": {"type": "volume"}}
    first = await platform.deploy(small_service(tmp_path, name, resources=resources))
    assert first.code == 0, first.err
    without = small_service(tmp_path, name)
    said = await must_refuse(platform, without)
    assert "this would delete the data of shelf; if you mean it, add --delete-data shelf" in said
    plan = await platform.drystone.run("plan", without, "--env", "dev", "--json")
    assert plan.code == 1
    assert '"confirm": [' in plan.out
    assert [r["name"] for r in (await platform.show(name))["resources"]] == ["shelf"]
    said_yes = await platform.deploy(without, "--delete-data", "shelf")
    assert said_yes.code == 0, said_yes.err
    assert (await platform.show(name))["resources"] == []


async def test_a_plan_says_with_its_line_that_a_secret_is_not_handed_out(
    platform: Place, tmp_path: Path
) -> None:
    name = platform.name()
    variables = {"APP_VERSION": "${version}", "TOKEN": "${secrets.TOKEN}"}
    descriptor = small_service(tmp_path, name, secrets=["TOKEN"], env=variables)
    line = descriptor.read_text().splitlines().index("secrets:") + 1
    plan = await platform.drystone.ask("plan", descriptor, "--env", "dev")
    assert any(f"line {line}: secrets: " in text for text in plan["not_yet"]), plan["not_yet"]
    assert (await platform.deploy(descriptor)).code == 0
    said = await platform.drystone.must("exec", name, "--env", "dev", "--", "env")
    assert "APP_VERSION=1\n" in said.out
    assert not any(line.startswith("TOKEN=") for line in said.out.splitlines())


async def test_an_image_that_is_not_there_is_named(platform: Place, tmp_path: Path) -> None:
    name = platform.name()
    image = "localhost/no-such-image:1"
    said = await must_refuse(platform, small_service(tmp_path, name, process=None, image=image))
    assert image in said
    assert name not in str(await platform.drystone.ask("services"))


async def test_a_missing_hard_dependency_is_refused_and_a_missing_soft_one_is_noted(
    platform: Place, tmp_path: Path
) -> None:
    name, other = platform.name(), platform.name()
    said = await must_refuse(platform, small_service(tmp_path, name, dependencies={other: "hard"}))
    assert f"{name} needs '{other}', which is not deployed in dev" in said
    assert "deploy it first, or make the dependency soft" in said
    soft = {other: {"needs": "soft", "without": "less"}}
    descriptor = small_service(tmp_path, name, dependencies=soft)
    plan = await platform.drystone.ask("plan", descriptor, "--env", "dev")
    assert f"{name} would use '{other}', which is not deployed in dev (soft)" in plan["notes"]
    assert (await platform.deploy(descriptor)).code == 0


async def test_a_risk_is_let_in_when_it_is_soft_or_accepted_and_only_until_its_last_day(
    platform: Place, tmp_path: Path
) -> None:
    one, two = platform.name(), platform.name()
    assert (await platform.deploy(small_service(tmp_path / "1", one, tier=2, layer=60))).code == 0
    needs: dict[str, Any] = {one: "hard"}
    second = small_service(tmp_path / "2", two, dependencies=needs, tier=1, layer=70)
    said = await platform.deploy(second)
    assert said.code == 0
    assert f"tier: dev/{two} (tier 1) needs dev/{one} (tier 2)" in said.out + said.err

    def first(**more: object) -> Path:
        needs = {two: {"at": ["runtime"], **more}}
        return small_service(tmp_path / "1", one, dependencies=needs, tier=2, layer=60)

    refused = await must_refuse(platform, first(needs="hard"))
    assert f"tangle: dev/{one} → dev/{two} → dev/{one}" in refused
    assert f"layer: dev/{one} (layer 60) needs dev/{two} on a higher layer (70)" in refused
    plan = await platform.drystone.run("plan", first(needs="soft", without="less"), "--env", "dev")
    assert plan.code == 0
    assert f"soft tangle: dev/{one} → dev/{two} → dev/{one}" in plan.out

    risk = {"by": "ann", "reason": "moves in spring"}

    def until(day: str) -> Path:
        return first(needs="hard", accepted={**risk, "until": day})

    let_in = await platform.deploy(until("2999-12-31"))
    assert let_in.code == 0
    assert "accepted by ann until 2999-12-31" in let_in.out + let_in.err
    assert "moves in spring" in let_in.out + let_in.err
    assert f"tangle: dev/{one}" in await must_refuse(platform, until("2024-02-29"))
    assert (await platform.get(one)).status_code == 200


async def test_every_mistake_in_a_descriptor_is_shown_at_once_with_its_place(
    platform: Place, tmp_path: Path
) -> None:
    descriptor = small_service(tmp_path, platform.name(), tier=9, helth="/", command=None)
    validated = await platform.drystone.run("validate", descriptor)
    assert validated.code == 1
    deployed = await must_refuse(platform, descriptor)
    for said in (validated.out + validated.err, deployed):
        assert f"{descriptor}:" in said
        assert "tier" in said
        assert "helth" in said
        assert "health" in said


@pytest.fixture
def elsewhere() -> Iterator[CommandLine]:
    """The command line of a home in which no platform comes up."""
    line = CommandLine(short_home("jny"))
    yield line
    assert remains(line.home) == []
    shutil.rmtree(line.home)


async def test_up_names_the_port_that_is_in_use(elsewhere: CommandLine) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        said = await elsewhere.run("up", "--detach", "--port", str(port))
    assert said.code == 1
    assert f"another program listens on port {port}; stop it or choose another port" in said.err
    await stop(elsewhere)


async def test_a_second_up_changes_nothing_and_says_what_runs(platform: Place) -> None:
    before = (await platform.drystone.ask("status"))["agent_pid"]
    said = await platform.drystone.must("up", "--detach")
    assert said.out.startswith("already running")
    other = await platform.drystone.run("up", "--detach", "--port", str(free_port()))
    assert other.code == 1
    assert f"runs already, with port {platform.port}" in other.err
    assert (await platform.drystone.ask("status"))["agent_pid"] == before


async def test_a_folder_with_something_else_in_it_becomes_no_home(elsewhere: CommandLine) -> None:
    (elsewhere.home / "thesis.txt").write_text("chapter one")
    said = await elsewhere.run("up", "--detach")
    assert said.code == 1
    assert "is not a platform's home: it holds thesis.txt" in said.err
    assert [path.name for path in elsewhere.home.iterdir()] == ["thesis.txt"]


async def test_a_home_that_cannot_be_made_is_refused_without_a_trace(
    elsewhere: CommandLine,
) -> None:
    said = await CommandLine(elsewhere.home / "x", {}).run(
        "up", "--detach", "--home", "/proc/nowhere"
    )
    assert said.code == 1
    assert "Traceback" not in said.err
    assert "/proc/nowhere" in said.err


async def test_what_is_not_there_is_said_with_the_way_on(platform: Place, tmp_path: Path) -> None:
    for command in ("show", "rollback", "logs", "history"):
        said = await platform.drystone.run(command, "nobody", "--env", "dev")
        assert said.code == 1, command
        assert "'nobody'" in said.err, command
    said = await platform.drystone.run("deploy", tmp_path / "no.yaml")
    assert said.code in {1, 2}
    assert "no.yaml" in said.err
