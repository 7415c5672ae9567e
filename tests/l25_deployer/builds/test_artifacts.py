"""Folders become artefacts named by their content: once, whole, and for as long as somebody needs them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from drystone.l25_deployer.builds.artifacts import Artifacts
from drystone.l25_deployer.errors import ArtefactRefused, BuildFailed
from l25_deployer.builds.running import run
from l25_deployer.small_platform import left_in, until

OWNER = ("dev", "shop")


def builds(tmp_path: Path) -> list[str]:
    """Return the names of all places, complete or not."""
    return sorted(path.name for path in (tmp_path / "artifacts").iterdir())


STARTER = """
import asyncio, sys
from pathlib import Path
from drystone.l25_deployer.builds.artifacts import Artifacts
place = Path(sys.argv[1])
store = Artifacts(place / "artifacts", place / "downloads", {})
asyncio.run(store.build(place / "service", ("dev", "shop"), setup=("sh", "-c", "touch ../begun; sleep 100")))
"""


async def test_the_set_up_of_an_agent_that_died_is_ended_by_the_next(
    store: Artifacts, folder: Path, tmp_path: Path
) -> None:
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTER, tmp_path)
    await until(lambda: any(tmp_path.glob("artifacts/*/begun")), "the set-up begins")
    agent.kill()
    await agent.wait()
    assert left_in(tmp_path) != []
    await store.end_left()
    assert left_in(tmp_path) == []


def shell(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


async def test_an_artefact_is_a_copy_that_changes_of_the_folder_do_not_reach(
    store: Artifacts, folder: Path
) -> None:
    first = await store.build(folder, OWNER)
    (folder / "app.py").write_text("print('changed')\n")
    second = await store.build(folder, OWNER)

    assert (first.source / "app.py").read_text() == "print('hello')\n"
    assert (second.source / "app.py").read_text() == "print('changed')\n"
    assert first.digest != second.digest
    assert first.runtime is None


async def test_the_same_content_is_built_once_however_many_ask_at_once(
    store: Artifacts, folder: Path, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    setup = shell(f"echo x >> {count}; sleep 0.1")

    built = await asyncio.gather(*(store.build(folder, OWNER, setup=setup) for _ in range(4)))
    again = await store.build(folder, OWNER, setup=setup)

    assert count.read_text() == "x\n"
    assert {*built, again} == {again}


async def test_the_name_depends_on_the_set_up_and_the_runtime(
    store: Artifacts, folder: Path
) -> None:
    names = {
        await store.name_of(folder, OWNER),
        await store.name_of(folder, OWNER, setup=("true",)),
        await store.name_of(folder, OWNER, setup=("false",)),
        await store.name_of(folder, OWNER, runtime="python"),
        await store.name_of(folder, OWNER, runtime="python", setup=("make",)),
    }

    assert len(names) == 5


@pytest.mark.parametrize(
    ("runtime", "setup"),
    [(None, ()), (None, shell("true")), ("python", ()), ("python", ("uv", "--version"))],
)
async def test_the_name_is_known_before_anything_is_built(
    store: Artifacts, folder: Path, runtime: str | None, setup: tuple[str, ...]
) -> None:
    name = await store.name_of(folder, OWNER, runtime=runtime, setup=setup)
    built = await store.build(folder, OWNER, runtime=runtime, setup=setup)

    assert built.digest == name
    assert built.source.parent.name == name


async def test_a_set_up_works_in_the_copy_and_leaves_the_folder_alone(
    store: Artifacts, folder: Path
) -> None:
    built = await store.build(folder, OWNER, setup=shell("echo made > made.txt"))

    assert (built.source / "made.txt").read_text() == "made\n"
    assert [path.name for path in folder.iterdir()] == ["app.py"]


async def test_a_set_up_may_be_a_program_of_the_folder(store: Artifacts, folder: Path) -> None:
    (folder / "prepare").write_text("#!/bin/sh\necho $1 > made.txt\n")
    (folder / "prepare").chmod(0o755)

    built = await store.build(folder, OWNER, setup=("./prepare", "now"))

    assert (built.source / "made.txt").read_text() == "now\n"


async def test_a_failed_set_up_shows_its_last_lines_and_leaves_nothing_that_counts(
    store: Artifacts, folder: Path, tmp_path: Path
) -> None:
    once = tmp_path / "once"
    setup = shell(f"echo half > made.txt; seq 50; echo no compiler >&2; test -e {once}")

    with pytest.raises(BuildFailed) as failed:
        await store.build(folder, OWNER, setup=setup)

    lines = failed.value.message.splitlines()
    assert lines[0].endswith("ended with exit code 1; its last lines:")
    assert lines[-1] == "  no compiler"
    assert "  50" in lines
    assert "  31" not in lines
    assert not list((tmp_path / "artifacts").glob("*/complete"))

    once.touch()
    second = shell(
        f"test ! -e made.txt; echo half > made.txt; seq 50; echo no compiler >&2; test -e {once}"
    )
    built = await store.build(folder, OWNER, setup=second)
    assert (built.source / "made.txt").read_text() == "half\n"


async def test_a_build_that_was_cut_short_is_begun_anew(store: Artifacts, folder: Path) -> None:
    setup = shell("test ! -e made.txt && touch made.txt")
    built = await store.build(folder, OWNER, setup=setup)
    (built.source.parent / "complete").unlink()
    (built.source / "app.py").write_text("half")
    (built.source / "left over").write_text("")

    again = await store.build(folder, OWNER, setup=setup)

    assert again == built
    assert sorted(path.name for path in again.source.iterdir()) == ["app.py", "made.txt"]
    assert (again.source / "app.py").read_text() == "print('hello')\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("no-such-program",), "'no-such-program' was not found on PATH"),
        (("./no-such-program",), "'./no-such-program' does not exist"),
        (("./app.py",), "'./app.py' may not be executed"),
        (("./broken",), "asks for the interpreter /no/such/interpreter"),
        (shell("kill -9 $$"), "was ended by SIGKILL"),
    ],
)
async def test_a_set_up_that_cannot_run_says_why(
    store: Artifacts, folder: Path, command: tuple[str, ...], said: str
) -> None:
    (folder / "broken").write_text("#!/no/such/interpreter\n")
    (folder / "broken").chmod(0o755)

    with pytest.raises(BuildFailed, match=said):
        await store.build(folder, OWNER, setup=command)


@pytest.mark.parametrize(
    "daemon",
    ["sleep 3600 &", "setsid sleep 3600 &", "(setsid sh -c 'sleep 3600 & sleep 3600' &) &"],
)
async def test_daemons_of_a_set_up_end_with_it(
    store: Artifacts, folder: Path, tmp_path: Path, daemon: str
) -> None:
    await store.build(folder, OWNER, setup=shell(f"{daemon} echo $! > {tmp_path}/pid"))

    assert left_in(tmp_path) == []


async def test_a_build_that_is_given_up_ends_its_processes_and_is_begun_anew(
    store: Artifacts, folder: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    setup = shell(f"setsid sleep 3600 & touch {tmp_path}/begun; test -e {go} || sleep 3600")
    building = asyncio.create_task(store.build(folder, OWNER, setup=setup))
    await until((tmp_path / "begun").exists, "the set-up")
    waiting = asyncio.create_task(store.build(folder, OWNER, setup=setup))

    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    go.touch()

    assert (await waiting).source.is_dir()


async def test_a_set_up_is_given_the_environment_of_installations_and_nothing_else(
    tmp_path: Path, folder: Path
) -> None:
    environ = {
        "PIP_INDEX_URL": "https://example.org/simple",
        "https_proxy": "http://proxy:3128",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "DRYSTONE_POSTGRES_URL": "hidden",
        "PYTHONPATH": "/elsewhere",
        "PATH": "/elsewhere",
        "HOME": "/root",
    }
    store = Artifacts(tmp_path / "artifacts", tmp_path / "downloads", environ)

    built = await store.build(folder, OWNER, setup=shell("env > env.txt"))

    lines = (built.source / "env.txt").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines)
    assert given["PIP_INDEX_URL"] == "https://example.org/simple"
    assert given["https_proxy"] == "http://proxy:3128"
    assert given["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    assert given["HOME"].startswith(str(tmp_path))
    assert not {"AWS_SECRET_ACCESS_KEY", "DRYSTONE_POSTGRES_URL", "PYTHONPATH"} & set(given)
    assert not Path(given["HOME"]).exists(), "what it left there does not belong to the artefact"


async def test_a_sweep_keeps_what_is_needed_and_what_is_being_built(
    store: Artifacts, folder: Path, tmp_path: Path
) -> None:
    kept = await store.build(folder, OWNER, runtime="python")
    dropped = await store.build(folder, OWNER, setup=shell("true"))
    with pytest.raises(BuildFailed):
        await store.build(folder, OWNER, setup=shell("false"))
    setup = shell(f"touch {tmp_path}/begun; while ! test -e {tmp_path}/go; do sleep 0.05; done")
    building = asyncio.create_task(store.build(folder, OWNER, setup=setup))
    await until((tmp_path / "begun").exists, "the set-up")

    removed = store.sweep(kept.parts(), [OWNER])
    (tmp_path / "go").touch()
    built = await building

    assert list(removed) == [dropped.digest]  # what failed has left nothing
    assert builds(tmp_path) == sorted({*kept.parts(), built.digest})
    assert run(kept, "print(1)") == "1"
    assert (built.source / "app.py").exists()


async def test_a_sweep_asks_about_each_that_it_would_remove_and_obeys(
    store: Artifacts, folder: Path, tmp_path: Path
) -> None:
    kept, spared, dropped = [
        await store.build(folder, OWNER, setup=shell(f"echo {name}")) for name in "abc"
    ]
    asked: dict[str, list[str]] = {}

    def is_spared(name: str) -> bool:
        asked[name] = builds(tmp_path)
        return name == spared.digest

    removed = store.sweep(kept.parts(), [OWNER], is_spared=is_spared)

    assert removed == [dropped.digest]
    assert builds(tmp_path) == sorted({kept.digest, spared.digest})
    assert asked.keys() == {spared.digest, dropped.digest}
    assert dropped.digest in asked[dropped.digest], "asked before it is gone"


async def test_a_folder_that_is_refused_leaves_nothing(
    store: Artifacts, folder: Path, tmp_path: Path
) -> None:
    (folder / "pipe").symlink_to("/dev/null")

    with pytest.raises(ArtefactRefused):
        await store.build(folder, OWNER)

    assert not (tmp_path / "artifacts").exists()
