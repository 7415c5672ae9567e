"""Every command answers in JSON when asked to, and its exit code says how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from journeys.place import Place, small_service

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = ("status", "services", "show SERVICE", "history SERVICE", "plan FILE", "version")
STREAMS = ("deploy FILE", "rollback SERVICE", "logs SERVICE", "exec SERVICE -- true", "up --detach",
           "destroy SERVICE --yes SERVICE")  # fmt: skip
REFUSED = ("show nobody", "history nobody", "logs nobody", "rollback nobody", "abort nobody",
           "exec nobody -- true", "destroy nobody --yes nobody", "plan BAD", "deploy BAD",
           "validate BAD", "up --detach --port 1")  # fmt: skip
MISUSED = ("show", "deploy --no-such-option", "no-such-command", "logs SERVICE -n many",
           "up --port 99999999", "exec SERVICE")  # fmt: skip


def words(command: str, service: str, folder: Path) -> list[str]:
    """Put names into a command line; ``--json`` comes before what follows ``--``."""
    meant = {
        "SERVICE": service,
        "FILE": str(folder / "service.yaml"),
        "BAD": str(folder / "bad.yaml"),
    }
    before, dashes, after = command.partition(" -- ")
    given = [meant.get(word, word) for word in before.split()] + ["--json"]
    return given + (["--", *after.split()] if dashes else [])


@pytest.fixture
async def service(platform: Place, tmp_path: Path) -> str:
    """A service with two releases, in the default environment; beside it lies a bad descriptor."""
    name = platform.name()
    descriptor = small_service(tmp_path, name)
    (tmp_path / "bad.yaml").write_text("schema: 1\nservice: 7 up\n")
    for _ in range(2):
        said = await platform.deploy(descriptor)
        assert said.code == 0, said.err
    return name


async def test_what_is_asked_for_comes_as_one_document(
    platform: Place, service: str, tmp_path: Path
) -> None:
    for command in DOCUMENTS:
        said = await platform.drystone.run(*words(command, service, tmp_path))
        assert (said.code, said.err) == (0, ""), command
        msgspec.json.decode(said.out)


async def test_what_takes_its_time_comes_as_one_object_a_line(
    platform: Place, service: str, tmp_path: Path
) -> None:
    for command in STREAMS:
        said = await platform.drystone.run(*words(command, service, tmp_path))
        assert said.code == 0, (command, said.err)
        if command != "up --detach":  # it runs already: one document
            assert all(isinstance(document, dict) for document in said.documents), command


async def test_a_refusal_is_a_problem_document_and_exit_code_1(
    platform: Place, service: str, tmp_path: Path
) -> None:
    for command in REFUSED:
        said = await platform.drystone.run(*words(command, service, tmp_path))
        assert said.code == 1, (command, said)
        if not command.startswith(("plan", "validate")):
            problem = said.documents[-1]
            assert {"type", "title", "status", "detail"} <= set(problem), command
        else:
            msgspec.json.decode(said.out)


async def test_misuse_is_exit_code_2_and_says_how_to_go_on(
    platform: Place, service: str, tmp_path: Path
) -> None:
    for command in MISUSED:
        given = [w for w in words(command, service, tmp_path) if w != "--json"]
        said = await platform.drystone.run(*given)
        assert (said.code, said.out) == (2, ""), (command, said)
        assert said.err, command
        assert "Traceback" not in said.err, command
