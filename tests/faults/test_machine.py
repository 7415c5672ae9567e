"""The machine is started anew, or loses its power: everything is back with its data, in its order."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.processes.identity import ProcessId, identify, is_alive
from drystone.testing.command_line import CommandLine, short_home
from drystone.testing.python_image import python_image
from faults.notes import SERVER, engines_service, notes_service, remember, remembered
from faults.reboot import restart_machine
from journeys.place import Place, eventually, place, remove, small_service

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def stranger() -> Iterator[ProcessId]:
    """A process that has nothing to do with the platform, and lives to the end."""
    with subprocess.Popen(["sleep", "600"]) as process:
        found = identify(process.pid)
        assert found is not None
        yield found
        assert is_alive(found), "somebody killed a stranger"
        process.kill()


async def up(where: Place) -> dict[str, list[str]]:
    """Bring the platform up again; return the names of what came up, by the state in which it was found."""
    said = await where.drystone.must("up", "--detach", "--json")
    found: dict[str, list[str]] = {}
    for step in said.documents[:-1]:
        found.setdefault(step["state"], []).append(step["name"])
    return found


def runs_in(runtime: str) -> Callable[[Place], None]:
    def choose(where: Place) -> None:
        (where.home / "settings.toml").write_text(f'port = {where.port}\nruntime = "{runtime}"\n')

    return choose


@pytest.mark.slow
async def test_after_two_restarts_of_the_machine_every_service_is_back_in_its_order(
    tmp_path: Path, stranger: ProcessId
) -> None:
    async with place() as where:
        needs: dict[str, Any] = {"dependencies": {"rows": "hard"}}
        assert (await where.deploy(engines_service(tmp_path / "a", "rows"))).code == 0
        assert (await where.deploy(notes_service(tmp_path / "b", "above", **needs))).code == 0
        for number in (1, 2):
            for name in ("rows", "above"):
                await remember(where, name, f"before restart {number}")
            await restart_machine(where.home, stranger)

            states = await up(where)

            assert set(states) == {"starting", "ready"}, "nothing of another boot is adopted"
            order = states["ready"]
            assert order.index("proxy") < order.index("deployer") < order.index("rows.dev")
            assert order.index("postgres") < order.index("rows.dev") < order.index("above.dev")
            for name in ("rows", "above"):
                lines = [f"before restart {n}" for n in range(1, number + 1)]
                assert await remembered(where, name) == lines
            assert (await where.drystone.ask("status"))["problems"] == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed here")
async def test_after_a_restart_services_of_every_runtime_are_back(
    tmp_path: Path, stranger: ProcessId
) -> None:
    with python_image(SERVER) as image:
        async with place() as where:
            assert (await where.deploy(notes_service(tmp_path / "s", "sandboxed"))).code == 0
            contained = notes_service(tmp_path / "c", "contained", image=image)
            assert (await where.deploy(contained)).code == 0
            for name in ("sandboxed", "contained"):
                await remember(where, name, "kept")
            await where.drystone.must("down")
            runs_in("processes")(where)
            await where.drystone.must("up", "--detach")
            assert (await where.deploy(notes_service(tmp_path / "p", "plain"))).code == 0
            await remember(where, "plain", "kept")
            await restart_machine(where.home, stranger)

            assert "adopted" not in await up(where)

            for name in ("sandboxed", "contained", "plain"):
                assert await remembered(where, name) == ["kept"]
                (one,) = await where.instances(name)
                assert one["state"] == "healthy"


@pytest.mark.slow
async def test_a_restart_empties_tmp_and_the_sockets_of_a_long_path_are_made_anew(
    tmp_path: Path, stranger: ProcessId
) -> None:
    top = short_home("long")
    where = Place(CommandLine(top / ("d" * 60) / ("e" * 20)), free_port())
    try:
        await where.drystone.must("up", "--detach", "--port", str(where.port))
        assert (await where.deploy(small_service(tmp_path, "steady"))).code == 0
        sockets = (where.home / "sockets").readlink()
        await restart_machine(where.home, stranger)
        assert not sockets.exists()

        await up(where)

        assert await where.version("steady") == "1"
    finally:
        sockets = (where.home / "sockets").readlink()
        await remove(where)
        shutil.rmtree(sockets)
        shutil.rmtree(top)


@pytest.mark.parametrize("moment", ["start", "health", "drain"])
@pytest.mark.slow
async def test_a_restart_in_the_middle_of_a_deploy_leaves_one_release_or_the_other(
    tmp_path: Path, stranger: ProcessId, moment: str
) -> None:
    async with place() as where:
        assert (await where.deploy(notes_service(tmp_path / "1", "notes"))).code == 0
        await remember(where, "notes", "kept")
        smoke: dict[str, Any] = {"deploy": {"keep_warm": "0s", "smoke": ["GET /"]}}
        second = notes_service(tmp_path / "2", "notes", **smoke)
        arguments = ("deploy", second, "--env", "dev", "--version", "2", "--json")
        async with where.drystone.running(*arguments) as process:
            assert process.stdout is not None
            async for line in process.stdout:
                if json.loads(line).get("step") == moment:
                    break
            else:
                pytest.fail(f"the deploy never came to {moment}")
            await restart_machine(where.home, stranger)

        await up(where)

        serves = await where.version("notes")
        history = await where.history("notes")
        told = {event["event"] for event in history if event.get("version") == "2"}
        # A busy machine may come to the switch before it is restarted.
        assert serves == ("2" if moment == "drain" or "deploy done" in told else "1")
        assert told & {"deploy done", "deploy undone"}
        assert await remembered(where, "notes") == ["kept"]
        status = await where.drystone.ask("status")
        assert status["problems"] == []
        (service,) = status["services"]
        assert (service["state"], service["version"]) == ("serving", serves)
        assert (await where.deploy(second, "--version", "3")).code == 0
        assert await where.version("notes") == "3"


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["processes", "bubblewrap"])
async def test_a_port_that_somebody_else_took_meanwhile_is_replaced_where_it_is_shared(
    runtime: str, tmp_path: Path, stranger: ProcessId
) -> None:
    async with place({"DRYSTONE_RUNTIME": runtime}) as where:
        assert (await where.deploy(small_service(tmp_path, "steady"))).code == 0
        (before,) = await where.instances("steady")
        await restart_machine(where.home, stranger)
        server = await asyncio.start_server(_wrong, "127.0.0.1", before["port"])
        async with server:
            await up(where)

            assert await where.version("steady") == "1"
            (after,) = await where.instances("steady")
            assert (after["port"] == before["port"]) == where.lives_apart


async def _wrong(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nx-version: wrong\r\ncontent-length: 0\r\n\r\n")
    await writer.drain()
    writer.close()


Tear = Callable[[Path], None]


def empty(pattern: str) -> Tear:
    """Leave nothing in some files, as a power cut does that keeps a name and loses what it names."""

    def tear(home: Path) -> None:
        paths = list(home.glob(pattern))
        assert paths, pattern
        for path in paths:
            path.write_bytes(b"")

    return tear


def half(pattern: str) -> Tear:
    """Leave the first half of some files."""

    def tear(home: Path) -> None:
        paths = list(home.glob(pattern))
        assert paths, pattern
        for path in paths:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return tear


def partial(home: Path) -> None:
    """Leave files that were about to replace others."""
    folders = (
        home,
        home / "run",
        *home.glob("services/dev/*"),
        *home.glob("services/dev/*/releases"),
    )
    for folder in (*folders, *home.glob("instances/*"), *home.glob("engines/proxy")):
        (folder / ".partial-abc").write_bytes(b'{"numb')


HEALED = {
    "partial files": partial,
    "no record of the instance": empty("instances/*/instance.json"),
    "half a record of the instance": half("instances/*/instance.json"),
    "half of how it ended": half("instances/*/pid"),
    "half a line of history": half("services/*/*/history.jsonl"),
    "an empty last configuration of the edge": empty("engines/proxy/last-good.json"),
    "half a bootstrap of the edge": half("engines/proxy/bootstrap.json"),
    "empty locks": empty("run/*.lock"),
}


@pytest.fixture
async def broken(tmp_path: Path, stranger: ProcessId) -> Any:
    """A platform with one service, after a restart of the machine and before the next start."""
    async with place() as where:
        assert (await where.deploy(notes_service(tmp_path, "notes"))).code == 0
        await remember(where, "notes", "kept")
        await restart_machine(where.home, stranger)
        yield where


@pytest.mark.slow
async def test_what_a_power_cut_tears_is_healed(broken: Place, stranger: ProcessId) -> None:
    for name, tear in HEALED.items():
        tear(broken.home)
        await up(broken)
        assert await broken.version("notes") == "1", name
        assert await remembered(broken, "notes") == ["kept"], name
        assert (await broken.drystone.ask("status"))["problems"] == [], name
        assert not list(broken.home.rglob(".partial-*")), name
        await restart_machine(broken.home, stranger)
    await up(broken)


REFUSED = {
    "home.json": (empty("home.json"), "home.json is damaged", "should be"),
    "ports.json": (lambda home: (home / "ports.json").write_bytes(b""), "ports.json", "remove it"),
    "settings.toml": (half("settings.toml"), "settings.toml", ""),
}
"""What nobody could heal without guessing: the start ends with what to do."""

REPORTED = {
    "service.json": (empty("services/*/*/service.json"), "service.json cannot be read", "restore"),
    "release": (half("services/*/*/releases/1.json"), "1.json cannot be read", "restore"),
    "complete": (
        empty("artifacts/*/complete"),
        "is not there or not whole",
        "deploy that version again",
    ),
}
"""What concerns one service: the platform runs, and says what to do about it."""


async def test_what_cannot_be_healed_is_refused_with_what_to_do(broken: Place) -> None:
    for name, (tear, what, remedy) in REFUSED.items():
        kept = {p: p.read_bytes() for p in broken.home.glob("*.*") if p.is_file()}
        tear(broken.home)
        said = await broken.drystone.run("up", "--detach")
        assert said.code == 1, name
        assert what in said.err, said.err
        assert remedy in said.err, said.err
        assert "Traceback" not in said.err, name
        assert (await broken.drystone.run("status")).code == 1, "no crash loop is left behind"
        (broken.home / "ports.json").unlink(missing_ok=True)
        for path, content in kept.items():
            path.write_bytes(content)
    await up(broken)
    assert await remembered(broken, "notes") == ["kept"]


@pytest.mark.slow
async def test_damage_to_one_service_is_reported_and_the_platform_runs(broken: Place) -> None:
    for name, (tear, what, remedy) in REPORTED.items():
        kept = {p: p.read_bytes() for p in broken.home.glob("services/*/*/**/*.json")}
        marks = {p: p.read_bytes() for p in broken.home.glob("artifacts/*/complete")}
        tear(broken.home)
        await broken.drystone.run("up", "--detach")

        async def told(what: str = what) -> str | None:
            said = await broken.drystone.run("status", "--json")  # ends with 1: it is not ready
            problems = "\n".join(msgspec.json.decode(said.out)["problems"])
            return problems if what in problems else None

        assert remedy in await eventually(told), name
        await broken.drystone.must("down")
        for path, content in (kept | marks).items():
            path.write_bytes(content)
    await up(broken)
    assert await remembered(broken, "notes") == ["kept"]
