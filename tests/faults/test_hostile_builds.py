"""A set-up that wants more than to build its service."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l00_kernel.removal import remove_tree
from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
from drystone.l10_engines.runtimes.system_calls import Call
from drystone.l25_deployer.builds.artifacts import Artifact, Artifacts
from drystone.l25_deployer.builds.relocation import relocate
from drystone.l25_deployer.errors import BuildFailed, DeployFailed
from drystone.testing.command_line import remains, short_home
from faults.hostile_program import ATTACK
from faults.test_hostile_services import CLONE, KERNEL, number_of
from l25_deployer.small_platform import ASKING, embedded, folder_of, settings, source

MINE, OTHERS = ("dev", "mine"), ("dev", "other")
DEEP = "import os\nfor _ in range(1200):\n    os.mkdir('d')\n    os.chdir('d')\n"


@pytest.fixture
async def sandbox() -> Bubblewrap:
    found = Bubblewrap()
    if (reason := await found.available()) is not None:
        pytest.skip(reason)
    return found


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder outside of any home, with a home ``h`` in it."""
    folder = short_home("builds")
    (folder / "h").mkdir()
    yield folder
    remove_tree(folder)


@pytest.fixture
def folder(root: Path) -> Path:
    """The folder of a service."""
    folder = root / "service"
    folder.mkdir()
    (folder / "app.py").write_text("print('hello')\n")
    return folder


@pytest.fixture
async def store(root: Path, sandbox: Bubblewrap) -> Artifacts:
    home, environ = root / "h", {"UV_FIND_LINKS": str(root / "wheels"), "UV_OFFLINE": "1"}
    (root / "wheels").mkdir()
    return Artifacts(home / "artifacts", home / "downloads", environ, sandbox)


async def test_a_hostile_set_up_gets_nowhere(root: Path, folder: Path, store: Artifacts) -> None:
    home, name = root / "h", uuid.uuid4().hex
    other = await store.build(folder, OTHERS, setup=("true",))
    hidden = [home / "secrets/dev/other.json", home / "agent.sock", other.source / "app.py"]
    hidden += [home / "downloads/dev/other", other.source.parent / "complete", Path(__file__)]
    hidden[0].parent.mkdir(parents=True)
    hidden[0].write_text("private")
    place = home / "artifacts" / await store.name_of(folder, MINE, setup=("any",))
    closed = ["/etc", "/usr", "/sys", "/proc", str(home), str(other.source), str(place.parent)]
    closed += [sys.prefix, sys.base_prefix, str(root / "wheels"), str(home / "downloads/dev/other")]
    given = {
        "hidden": [*map(str, hidden), "/etc/shadow", str(Path.home() / ".profile"), "/var/log"],
        "closed": closed,
        "name": name,
        "kernel": [f"/proc/{one}" for one in KERNEL],
        "pids": [os.getpid()],
        "calls": {call.name: both for call in Call if (both := number_of(call))[0] is not None},
        "clone": CLONE,
    }
    (folder / "attack.py").write_text(f"import sys\nsys.stdout = open('said', 'w')\n{ATTACK}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "agent.sock"))
        listener.listen()
        setup = (sys.executable, "attack.py", json.dumps(given))
        built = await store.build(folder, MINE, setup=setup)
    assert json.loads((built.source / "said").read_text()) == []
    assert [path for path in closed if Path(path, name).exists()] == []


def wheel(where: Path) -> None:
    """Write a package, as a registry would have it."""
    with zipfile.ZipFile(where / "greetings-1-py3-none-any.whl", "w") as file:
        info = "greetings-1.dist-info"
        file.writestr("greetings.py", "SAID = 'hello'\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greetings\nVersion: 1\n")
        tags = "Wheel-Version: 1.0\nGenerator: b\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        file.writestr(f"{info}/WHEEL", tags)
        file.writestr(f"{info}/RECORD", "")


def said_by(built: Artifact) -> str:
    assert built.runtime is not None
    command = [
        str(built.runtime / "bin/python"),
        "-I",
        "-c",
        "import greetings as g; print(g.SAID)",
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def test_what_one_service_does_to_its_downloads_reaches_no_other(
    root: Path, folder: Path, store: Artifacts
) -> None:
    wheel(root / "wheels")
    setup = ("uv", "pip", "install", "greetings")
    poison = "find $UV_CACHE_DIR -name greetings.py -exec sed -i s/hello/evil/ {} +"
    await store.build(folder, OTHERS, runtime="python", setup=setup)
    await store.build(folder, OTHERS, setup=("sh", "-c", poison))
    (folder / "requirements.txt").write_text("# a new release")
    # Of the very content that the victim deploys: a name that both share would be theirs.
    own = await store.build(folder, OTHERS, runtime="python", setup=setup)
    mine = await store.build(folder, MINE, runtime="python", setup=setup)
    assert said_by(own) == "evil", "it does reach the next set-up of the same service"
    assert said_by(mine) == "hello"


async def test_the_daemons_of_a_set_up_end_with_it_however_they_hide(
    folder: Path, store: Artifacts
) -> None:
    seconds = str(3600 + uuid.uuid4().int % 10**6)
    hide = f"(setsid env -i sh -c 'sleep {seconds} & sleep {seconds} &' &) & sleep 0.2"
    await store.build(folder, MINE, setup=("sh", "-c", hide))
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert [line for line in lines if seconds.encode() in line] == []


async def test_a_set_up_cannot_put_links_in_the_place_of_what_the_platform_made(
    root: Path, folder: Path, store: Artifacts
) -> None:
    secret = root / "h/secrets"
    secret.mkdir()
    (secret / "words").write_text("private")
    swap = f"for x in source runtime home build.log complete; do mv ../$x ../old; rm -rf ../$x; ln -s {secret} ../$x; done"
    setup = ("uv", "run", "--no-project", "sh", "-c", f"{swap}; true")
    built = await store.build(folder, MINE, runtime="python", setup=setup)
    place = built.source.parent
    assert not any(path.is_symlink() for path in place.iterdir())
    with pytest.raises(BuildFailed) as failed:
        await store.build(folder, MINE, setup=("sh", "-c", f"{swap}; exit 1"))
    assert "private" not in failed.value.message
    assert (secret / "words").read_text() == "private"


async def test_folders_as_deep_as_can_be_stop_neither_a_removal_nor_a_move(
    root: Path, folder: Path, store: Artifacts
) -> None:
    (folder / "dig.py").write_text(DEEP)
    with pytest.raises(BuildFailed, match="exit code 1"):
        await store.build(folder, MINE, setup=("sh", "-c", "python3 -S dig.py; exit 1"))
    assert list((root / "h/artifacts").iterdir()) == []
    await store.build(folder, MINE, setup=("python3", "-S", "dig.py"))
    assert relocate(root / "h/artifacts", root / "elsewhere") == []
    store.sweep(frozenset(), [])
    assert list((root / "h/artifacts").iterdir()) == []


SPY = """
import json, os, sys
got = []
for path in json.load(open("paths.json")):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()
        got.append(path)
    except OSError:
        pass
print(json.dumps(got), flush=True)
if got:
    raise SystemExit(1)
if sys.argv[1:]:
    import http.server
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""Fails if it reads anything of what ``paths.json`` lists, and serves if it is given a port."""

DESCRIPTOR = """
schema: 1
service: spy
owner: tests
process: {command: [python3, -S, spy.py, "${port}"], setup: [python3, -S, spy.py]}
health: {path: /, interval: 100ms, timeout: 2s, healthy: 1, unhealthy: 3, grace: 30s}
deploy: {migrate: [python3, -S, spy.py], keep_warm: 0s}
"""


@pytest.mark.parametrize("runtime", ["bubblewrap", "processes"])
async def test_all_that_a_service_brings_runs_as_isolated_as_its_platform_says(
    root: Path, sandbox: Bubblewrap, runtime: str
) -> None:
    """Set-up, migration, instance and one-off commands: what the status promises holds for each."""
    assert sandbox
    home = Home.create(root / "h")
    paths = [home.secrets / "words", home.services, home.engines, home.volumes]
    (home.secrets / "words").write_text("private")
    files = {"spy.py": SPY, "paths.json": json.dumps([str(path) for path in paths])}
    spy = source(DESCRIPTOR, folder_of(root / "spy", files))
    async with embedded(root / "h", settings(home, DRYSTONE_RUNTIME=runtime)) as whole:
        api = whole.deployer
        plan = await api.plan(ASKING, source=spy, environment="dev")
        exposed = (await api.status(ASKING)).exposed
        said = ""
        try:
            async for progress in api.deploy(ASKING, source=spy, environment="dev"):
                said += progress.text
        except DeployFailed as e:
            said += str(e)
        if runtime == "bubblewrap":
            assert (plan.exposed, exposed) == ([], [])
            assert "spy.dev serves" in said
            assert "not isolated" not in said
            ran = api.execute(
                ASKING, environment="dev", service="spy", command=["python3", "-S", "spy.py"]
            )
            assert [one.exit_code async for one in ran][-1] == 0
        else:
            # The set-up is enclosed all the same; the migration, as the service would, reads everything.
            assert len(plan.exposed) == len(exposed) == said.count("not isolated") == 1
            assert "plain process" in plan.exposed[0]
            assert "the migration ended with exit code 1" in said
            assert str(home.secrets) in said
        _ = [step async for step in api.stop(ASKING)]
    assert remains(root / "h") == []
