"""What happens to services that do not do what they should: a message that helps, and the old release serves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import processes_of
from drystone.testing.python_image import PYTHON
from journeys.place import Place, small_service

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"health": {"path": "/healthcheck", "interval": "200ms", "timeout": "500ms", "grace": "3s"}}


async def refused(platform: Place, folder: Path, *behaviour: str, **changes: Any) -> str:
    """Deploy a good release and then a bad one; what was said, once all is as before."""
    name = platform.name()
    good = await platform.deploy(small_service(folder, name), "--version", "good")
    assert good.code == 0, good.err
    before = await platform.instances(name)
    bad = small_service(folder, name, *behaviour, **{**QUICK, **changes})
    said = await platform.deploy(bad, "--version", "bad")
    assert said.code == 1, said.out
    assert await platform.version(name) == "good"
    assert await platform.instances(name) == before
    assert not [
        pid for pid, words in processes_of(platform.home).items() if f"{name}-dev-r2" in words
    ]
    assert "release 1 (version good) serves as before" in said.err
    newest = (await platform.history(name))[0]
    assert newest["event"] == "deploy failed"
    assert newest["version"] == "bad"
    return said.err


async def test_a_command_that_does_not_exist_is_named(platform: Place, tmp_path: Path) -> None:
    said = await refused(platform, tmp_path, process={"command": ["no-such-program", "${port}"]})
    assert "'no-such-program' was not found on PATH=" in said


async def test_an_exit_at_once_is_told_with_its_code_and_its_last_words(
    platform: Place, tmp_path: Path
) -> None:
    said = await refused(platform, tmp_path, "exit", "3")
    assert "ended with exit code 3" in said
    assert "cannot find the colour of the bikeshed" in said


async def test_an_exit_after_a_second_is_told(platform: Place, tmp_path: Path) -> None:
    health = {**QUICK["health"], "healthy": 20}
    said = await refused(platform, tmp_path, "exit-later", "1", health=health)
    assert "ended with exit code 7" in said
    assert "version bad serves" in said


async def test_a_service_that_never_answers_is_told_from_one_that_does_not_listen(
    platform: Place, tmp_path: Path
) -> None:
    said = await refused(platform, tmp_path, "hang")
    assert "was not healthy after 3 s" in said
    assert "no answer within 0.5 s" in said


async def test_the_port_on_which_it_really_listens_is_named(
    platform: Place, tmp_path: Path
) -> None:
    wrong = free_port()
    said = await refused(platform, tmp_path, "listen-elsewhere", str(wrong))
    assert f"it listens on {wrong}, not on the port it was given" in said
    assert "use ${port} or $PORT" in said


async def test_a_health_path_that_is_not_there_is_named_with_the_answer(
    platform: Place, tmp_path: Path
) -> None:
    health = {**QUICK["health"], "path": "/missing"}
    said = await refused(platform, tmp_path, health=health)
    assert re.search(r"GET http://127.0.0.1:\d+/missing: status 404", said)


async def test_a_service_that_goes_to_the_background_leaves_nothing_there(
    platform: Place, tmp_path: Path
) -> None:
    said = await refused(platform, tmp_path, "daemonise")
    assert "ended with exit code 0" in said


async def test_a_failed_migration_is_told_with_its_output(platform: Place, tmp_path: Path) -> None:
    script = "import sys; print('column gone'); sys.exit(4)"
    said = await refused(platform, tmp_path, deploy={"migrate": [PYTHON, "-c", script]})
    assert "the migration ended with exit code 4" in said
    assert "column gone" in said


async def test_a_failed_smoke_test_is_told_with_the_answer(platform: Place, tmp_path: Path) -> None:
    said = await refused(platform, tmp_path, deploy={"smoke": ["GET /missing"]})
    assert "the smoke test failed at" in said
    assert "status 404" in said


async def test_a_deploy_says_what_changed_since_the_last_good_one(
    platform: Place, tmp_path: Path
) -> None:
    said = await refused(platform, tmp_path, "exit", "1", tier=4)
    assert "since release 1 (version good), the last good one" in said
    assert "  +tier: 4\n" in said


async def test_huge_lines_and_binary_garbage_harm_neither_platform_nor_terminal(
    platform: Place, tmp_path: Path
) -> None:
    size = 10 * 1024 * 1024
    name = platform.name()
    said = await platform.deploy(
        small_service(tmp_path, name, "noise", str(size)), "--version", "1"
    )
    assert said.code == 0, said.err
    logs = await platform.drystone.must("logs", name, "--env", "dev")
    assert "version 1 serves" in logs.out
    assert len(logs.out) < size
    assert not [c for c in logs.out if ord(c) < 32 and c not in "\n\t"]
    for line in (await platform.drystone.must("logs", name, "--env", "dev", "--json")).documents:
        assert set(line) == {"instance", "release", "text"}
