"""The home becomes read-only, as the kernel makes a disk that fails: what serves serves, what cannot be done is said."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import CommandLine
from faults.notes import notes_service, remember, remembered
from journeys.place import Place, eventually, place


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Lay a read-only view of a folder over it; what is open for writing stays so, as with a disk that fails."""
    # The view is made aside: nobody opens a file through it before it is read-only.
    with tempfile.TemporaryDirectory() as aside:
        _run("mount", "--rbind", str(folder), aside)
        try:
            _run("mount", "-o", "remount,bind,ro", aside)
            _run("mount", "--rbind", aside, str(folder))
        finally:
            _run("umount", "--recursive", "--lazy", aside)
    try:
        yield
    finally:
        _run("umount", "--recursive", "--lazy", str(folder))


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _may_mount() -> bool:
    trial = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        os.geteuid() == 0 and not subprocess.run(trial, check=False, capture_output=True).returncode
    )


pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not _may_mount(), reason="needs root and the right to mount"),
]


async def without_problems(where: Place) -> None:
    async def look() -> bool:
        return not (await where.drystone.ask("status"))["problems"]

    await eventually(look)


@pytest.mark.slow
async def test_a_running_platform_goes_on_serving_and_finishes_when_it_may_write(
    tmp_path: Path,
) -> None:
    async with place() as where:
        assert (await where.deploy(notes_service(tmp_path / "1", "notes"))).code == 0
        await remember(where, "notes", "kept")
        before = await where.pids()
        second = notes_service(tmp_path / "2", "notes")
        with read_only(where.home):
            assert await remembered(where, "notes") == ["kept"]
            said = await where.drystone.run("status")
            assert f"the disk of {where.home} (file system" in said.out + said.err
            assert "is read-only" in said.out + said.err
            said = await where.deploy(second, "--version", "2")
            assert said.code == 1
            assert "is read-only: find out why, and make it writable again" in said.err
            assert "Traceback" not in said.err
            assert await where.version("notes") == "1"
            assert await where.pids() == before
        await without_problems(where)
        assert await where.pids() == before
        assert (await where.deploy(second, "--version", "2")).code == 0
        assert await where.version("notes") == "2"
        assert await remembered(where, "notes") == ["kept"]


@pytest.mark.parametrize(
    "step", ["health", *(pytest.param(s, marks=pytest.mark.slow) for s in ("build", "switch"))]
)
@pytest.mark.slow
async def test_a_deploy_during_which_the_home_becomes_read_only_is_undone_or_finished(
    tmp_path: Path, step: str
) -> None:
    async with place() as where:
        assert (await where.deploy(notes_service(tmp_path / "1", "notes"))).code == 0
        second = notes_service(
            tmp_path / "2", "notes", env={"APP_VERSION": "${version}", "NEW": "1"}
        )
        arguments = ("deploy", second, "--env", "dev", "--version", "2", "--json")
        async with where.drystone.running(*arguments) as process:
            assert process.stdout is not None
            async for line in process.stdout:
                if f'"step":"{step}"'.encode() in line.replace(b" ", b""):
                    break
            with read_only(where.home):
                await process.stdout.read()
                await process.wait()
                serves = await where.version("notes")
                assert serves == ("1" if process.returncode else "2")
                if step in {"build", "health"}:
                    assert serves == "1"
        await without_problems(where)
        status = await where.drystone.ask("status")
        assert [(s["state"], s["version"]) for s in status["services"]] == [("serving", serves)]
        told = [
            e["event"] for e in await where.history("notes") if e["event"].startswith("deploy ")
        ]
        assert told[0] in {"deploy failed", "deploy done"}
        assert (await where.deploy(second, "--version", "3")).code == 0
        assert await where.version("notes") == "3"


@pytest.mark.slow
async def test_up_refuses_a_home_that_may_not_be_written_and_says_so(tmp_path: Path) -> None:
    async with place() as where:
        assert (await where.deploy(notes_service(tmp_path, "notes"))).code == 0
        await where.drystone.must("down")
        with read_only(where.home):
            said = await where.drystone.run("up", "--detach")
            assert said.code == 1
            assert f"{where.home} is on a read-only file system" in said.err
            assert "make it writable" in said.err
        await where.drystone.must("up", "--detach")
        assert await where.version("notes") == "1"


async def test_a_new_home_on_a_read_only_file_system_is_refused(tmp_path: Path) -> None:
    with read_only(tmp_path):
        said = await CommandLine(tmp_path / "h").run("up", "--detach", "--port", str(free_port()))
    assert said.code == 1
    assert "read-only file system" in said.err.lower()
