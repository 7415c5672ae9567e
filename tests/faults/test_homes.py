"""A home that was moved, copied, or written by an older version: nothing is deployed again, nothing is shared."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tarfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from drystone.l00_kernel.home import FORMAT, Home
from drystone.l00_kernel.migrations import OlderHome, forget_earlier, migrate
from drystone.l10_engines.loopback_ports import free_port
from drystone.l90_assembly.migrations import MIGRATIONS
from drystone.testing.command_line import CommandLine, kill_what_remains, short_home
from faults.notes import engines_service, notes_service, remember, remembered
from journeys.place import Place, place, remove

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OLD_HOME = Path(__file__).parent / "home-of-format-1"


def at(path: Path, port: int) -> Place:
    return Place(CommandLine(path), port)


@asynccontextmanager
async def started(path: Path, port: int) -> AsyncIterator[Place]:
    """Start the platform of a home that is there; stop it and remove the home at the end."""
    found = at(path, port)
    try:
        await found.drystone.must("up", "--detach", "--port", str(port))
        yield found
    finally:
        await remove(found)


@pytest.mark.slow
async def test_a_moved_home_comes_back_with_code_data_and_the_way_back(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(place())
        for version in ("1", "2"):
            descriptor = notes_service(tmp_path, "notes", runtime="python")
            assert (await first.deploy(descriptor, "--version", version)).code == 0
        await remember(first, "notes", "kept")
        await first.drystone.must("down")
        elsewhere = short_home("moved")
        elsewhere.rmdir()
        first.home.rename(elsewhere)
        first.home.mkdir()  # for the end of this place
        (first.home / "run").mkdir()

        second = await stack.enter_async_context(started(elsewhere, first.port))

        assert await second.version("notes") == "2"
        assert await remembered(second, "notes") == ["kept"]
        assert (await second.get("notes", "/prefix")).text.startswith(f"{elsewhere}/artifacts/")
        assert (await second.drystone.run("rollback", "notes", "--env", "dev")).code == 0
        assert await second.version("notes") == "1"
        assert (await second.drystone.ask("status"))["problems"] == []


@pytest.mark.slow
async def test_a_home_that_was_moved_while_services_ran_ends_them_before_it_starts_anew(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(place())
        assert (await first.deploy(notes_service(tmp_path, "notes"))).code == 0
        (before,) = await first.instances("notes")
        pid = (await first.drystone.ask("status"))["agent_pid"]
        os.kill(int((first.home / "run/keeper.lock").read_text()), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        elsewhere = short_home("moved")
        elsewhere.rmdir()
        first.home.rename(elsewhere)
        first.home.mkdir()
        (first.home / "run").mkdir()

        second = await stack.enter_async_context(started(elsewhere, first.port))

        (after,) = await second.instances("notes")
        assert after["pid"] != before["pid"]
        assert not Path(f"/proc/{before['pid']}").exists()
        assert await second.version("notes") == "1"


@pytest.mark.slow
async def test_a_copy_beside_the_running_original_shares_nothing_with_it(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        original = await stack.enter_async_context(place())
        caller = notes_service(
            tmp_path / "b",
            "caller",
            dependencies={"notes": "hard"},
            env={"APP_VERSION": "${version}", "CALLED": "${dependencies.notes.url}"},
        )
        assert (await original.deploy(notes_service(tmp_path / "a", "notes"))).code == 0
        assert (await original.deploy(caller)).code == 0
        await remember(original, "notes", "before the copy")
        pids = await original.pids()
        path = short_home("copy")
        shutil.copytree(original.home, path, symlinks=True, dirs_exist_ok=True, ignore=_sockets)

        copy = await stack.enter_async_context(started(path, free_port()))

        assert set((await copy.pids()).values()).isdisjoint((await original.pids()).values())
        assert await original.pids() == pids, "the original goes on untouched"
        await remember(copy, "notes", "in the copy")
        assert await remembered(copy, "notes") == ["before the copy", "in the copy"]
        assert await remembered(original, "notes") == ["before the copy"]
        for name in ("notes", "caller"):
            theirs = _ports(await original.instances(name))
            assert original.lives_apart or theirs.isdisjoint(_ports(await copy.instances(name)))
        called = [(await one.get("caller", "/env/CALLED")).text for one in (original, copy)]
        assert len(set(called)) == 2, "each calls its own"
        for one in (original, copy):
            assert (await one.drystone.ask("status"))["problems"] == []
        await copy.drystone.must("down")
        assert await original.pids() == pids
        assert await original.version("notes") == "1"


@pytest.mark.slow
@pytest.mark.slow
async def test_a_copy_with_databases_beside_the_original_has_its_own(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        original = await stack.enter_async_context(place())
        assert (await original.deploy(engines_service(tmp_path, "rows"))).code == 0
        await remember(original, "rows", "before the copy")
        await original.drystone.must("down")
        path = short_home("copy")
        # Owners matter: as root PostgreSQL has a user of its own.
        await _copy(original.home, path)
        await original.drystone.must("up", "--detach")

        copy = await stack.enter_async_context(started(path, free_port()))

        await remember(copy, "rows", "in the copy")
        assert await remembered(copy, "rows") == ["before the copy", "in the copy"]
        assert await remembered(original, "rows") == ["before the copy"]
        assert set((await copy.pids()).values()).isdisjoint((await original.pids()).values())


def _ports(instances: list[Any]) -> set[int]:
    return {one["port"] for one in instances}


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_socket()]


async def _copy(source: Path, target: Path) -> None:
    process = await asyncio.create_subprocess_exec("cp", "-a", f"{source}/.", str(target))
    assert await process.wait() == 0


@pytest.fixture
def old_home() -> Iterator[Path]:
    """A home as format 1 left it: two services and a site, killed while they ran."""
    path = short_home("old")
    shutil.copytree(OLD_HOME, path, dirs_exist_ok=True)
    for environment in path.glob("artifacts/*/runtime/bin"):  # links cannot be kept as text
        (environment / "python").symlink_to("/usr/bin/python3")
    yield path
    kill_what_remains(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.slow
async def test_a_home_of_format_1_comes_up_without_a_deploy(old_home: Path) -> None:
    path = short_home("up")
    shutil.copytree(old_home, path, symlinks=True, dirs_exist_ok=True)
    (path / "settings.toml").write_text('runtime = "processes"\n')

    async with started(path, free_port()) as now:
        assert (await now.get("greeter")).text.startswith(f"2 {path}/artifacts/")
        assert (await now.get("greeter")).text.endswith(" kept\n")
        assert (await now.get("pages")).text.startswith("<!doctype html>")
        assert (await now.drystone.run("rollback", "greeter", "--env", "dev")).code == 0
        assert (await now.get("greeter")).text.startswith("1 ")
        assert "home migrated" in (path / "run/agent.log").read_text()
        assert list(path.glob("before-format-*")) == [], "the first good start removes it"
        assert Home(path).written() == msgspec.structs.replace(
            Home(path).written(), format=FORMAT, place=str(path)
        )


def test_a_migration_that_was_cut_short_anywhere_is_carried_out_again(old_home: Path) -> None:
    whole = short_home("whole")
    half = short_home("half")
    try:
        shutil.copytree(old_home, whole, symlinks=True, dirs_exist_ok=True)
        assert migrate(Home(whole), MIGRATIONS) == [2]
        expected = texts(whole)
        before = texts(old_home)
        written = sorted(name for name in expected if expected[name] != before.get(name))
        # `home.json` comes last, the packed documents first.
        assert "before-format-2.tar" in written
        order = ["before-format-2.tar", *(n for n in written if "/" in n)]
        assert len(order) > 8
        for count in range(1, len(order) + 1):
            shutil.rmtree(half)
            shutil.copytree(old_home, half, symlinks=True)
            for name in order[:count]:
                shutil.copy2(whole / name, half / name)
            assert migrate(Home(half), MIGRATIONS) == [2], count
            assert texts(half) == expected, count
        assert migrate(Home(half), MIGRATIONS) == []
    finally:
        shutil.rmtree(whole)
        shutil.rmtree(half)


def test_what_a_migration_changed_can_be_put_back(old_home: Path) -> None:
    before = texts(old_home)
    migrate(Home(old_home), MIGRATIONS)
    assert texts(old_home) != before
    with tarfile.open(old_home / "before-format-2.tar") as kept:
        kept.extractall(old_home, filter="tar")
    forget_earlier(Home(old_home))
    assert texts(old_home) == before


def test_migrated_documents_name_no_path_of_the_home(old_home: Path) -> None:
    migrate(Home(old_home), MIGRATIONS)
    forget_earlier(Home(old_home))
    documents = {n: t for n, t in texts(old_home).items() if n.startswith("services/")}
    assert documents
    assert [name for name, text in documents.items() if b"/srv/old-home" in text] == []
    assert Home(old_home).written().place == "/srv/old-home"


@pytest.mark.parametrize("number", [0, -3])
def test_a_home_that_is_too_old_is_refused_and_left_as_it_is(old_home: Path, number: int) -> None:
    (old_home / "home.json").write_text(f'{{"format": {number}}}')
    before = texts(old_home)
    with pytest.raises(OlderHome, match="start it once with a version that can"):
        migrate(Home(old_home), MIGRATIONS)
    assert texts(old_home) == before


async def test_up_says_what_to_do_with_a_home_that_is_too_old(old_home: Path) -> None:
    (old_home / "home.json").write_text('{"format": 0}')
    said = await CommandLine(old_home).run("up", "--detach", "--port", str(free_port()))
    assert said.code == 1
    assert f"{old_home} has format 0" in said.err
    assert "start it once with a version that can" in said.err


def test_every_format_has_a_way_to_the_present_one() -> None:
    assert [migration.to for migration in MIGRATIONS] == list(range(2, FORMAT + 1))


def texts(home: Path) -> dict[str, bytes]:
    """Return what every file of a home holds; of packed documents, what was packed."""
    found = {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    for name in [name for name in found if name.endswith(".tar")]:
        with tarfile.open(home / name) as kept:
            found[name] = b" ".join(sorted(member.name.encode() for member in kept))
    return found
