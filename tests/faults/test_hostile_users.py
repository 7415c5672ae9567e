"""Another user of the machine: what he can see of a platform, reach, or put in its way."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.l10_engines.postgres.account import server_account
from drystone.l10_engines.runtimes import proc_table
from drystone.testing.command_line import CommandLine, processes_of, remains, short_home
from faults.strangers import NOBODY, WITHOUT_ENTRY, CommandLines, reached, touched
from journeys.place import Place, place, small_service

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]

RESOURCES = {
    "db": {"type": "postgres"},
    "files": {"type": "bucket"},
    "fast": {"type": "cache"},
    "disk": {"type": "volume"},
    "jobs": {"type": "queue"},
    "seal": {"type": "secret", "generate": "rsa"},
}


@dataclass
class Whole:
    """A platform with a resource of every type, and the command lines that were seen while it was made."""

    place: Place
    seen: bytes

    @property
    def home(self) -> Path:
        return self.place.home


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[0, pytest.param(0o077, marks=pytest.mark.slow)],
    ids=["umask 000", "umask 077"],
)
async def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Whole]:
    before = os.umask(request.param)
    try:
        async with place() as found:
            descriptor = small_service(tmp_path_factory.mktemp("all"), "all", resources=RESOURCES)
            async with CommandLines() as lines:
                said = await found.deploy(descriptor)
                assert said.code == 0, said.err
                await found.drystone.must("exec", "all", "--env", "dev", "--", "/bin/true")
            yield Whole(found, lines.text)
    finally:
        os.umask(before)


def everything(home: Path) -> Iterator[Path]:
    """Iterate over all paths of a home."""
    yield home
    for folder, folders, files in os.walk(home):
        for name in (*folders, *files):
            yield Path(folder, name)


PASSED = 0o711
"""Others pass and do not look: PostgreSQL, which refuses to run as root, lies below."""

OPEN = {
    r"\.": PASSED,
    r"engines": PASSED,
    r"engines/postgres": PASSED,
    r"engines/postgres/program-[^/]+(/.*)?": 0o755,  # a copy of a public package
}
"""What others may reach, as patterns of paths below the home, and the widest mode it may have.

All the rest is closed to group and others. What no other can reach anyway, since a folder above is closed, may
have a mode of its own:
"""

BELOW_A_CLOSED_FOLDER = {
    r"artifacts/[0-9a-f]+/source/.*": 0o755,  # as the service's folder says: programs and files
    r"artifacts/[0-9a-f]+/runtime/.*": 0o755,  # as uv makes it
    r"downloads/.*": 0o755,  # as uv makes it
    r"trust/keys/private/[^/]+(/.*)?": 0o755,  # an image may run as any user, and is shown its own
}
OF_POSTGRES = r"engines/postgres/(data|run|password)(/.*)?"


def wrong_at(path: Path, home: Path) -> str | None:
    """Hold one path to the table; say what is wrong."""
    name, entry = str(path.relative_to(home)), path.lstat()
    mode = stat.S_IMODE(entry.st_mode)
    account = server_account()
    owner = account.user if account and re.fullmatch(OF_POSTGRES, name) else os.geteuid()
    tables = {**OPEN, **BELOW_A_CLOSED_FOLDER}
    widest = next((m for pattern, m in tables.items() if re.fullmatch(pattern, name)), 0o700)
    if stat.S_ISLNK(entry.st_mode):
        return None
    if entry.st_uid != owner:
        return f"{name} belongs to {entry.st_uid}, not to {owner}"
    return f"{name} has mode {mode:04o}, not within {widest:04o}" if mode & ~widest else None


async def test_every_path_of_a_home_has_the_owner_and_the_mode_of_the_table(whole: Whole) -> None:
    wrong = [said for path in everything(whole.home) if (said := wrong_at(path, whole.home))]
    assert wrong == []


async def test_the_table_finds_a_file_that_is_open_to_others(whole: Whole) -> None:
    planted = whole.home / "secrets" / "forgotten"
    planted.write_text("")
    planted.chmod(0o604)
    try:
        assert "0604" in (wrong_at(planted, whole.home) or "")
    finally:
        planted.unlink()


@pytest.mark.parametrize("user", [NOBODY, pytest.param(WITHOUT_ENTRY, marks=pytest.mark.slow)])
async def test_others_list_read_write_and_reach_nothing_of_a_home(whole: Whole, user: int) -> None:
    paths = [str(path) for path in everything(whole.home)]
    paths += [str(path) for path in Path("/tmp").glob("seaweedfs-*") if is_of(path, whole.home)]
    assert len([p for p in paths if stat.S_ISSOCK(os.lstat(p).st_mode)]) >= 6
    public = str(whole.home / "engines/postgres/program-")
    assert [p for p in reached(paths, user) if not p.startswith(public)] == []
    assert reached([str(Path("/etc/passwd"))], user) == ["/etc/passwd"]  # the program works


def is_of(path: Path, home: Path) -> bool:
    """Tell whether one of the home's processes listens at a socket."""
    rows = Path("/proc/net/unix").read_text().splitlines()
    inodes = {f[6] for line in rows if (f := line.split())[-1] == str(path)}
    return any(inodes & proc_table._sockets(pid) for pid in processes_of(home))


async def test_no_process_of_a_home_listens_where_no_file_guards_it(whole: Whole) -> None:
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    abstract = {fields[6]: fields[7] for fields in rows if len(fields) > 7 and fields[7][0] == "@"}
    for pid, words in processes_of(whole.home).items():
        assert not abstract.keys() & proc_table._sockets(pid), words


async def test_others_learn_nothing_of_a_homes_processes_but_their_command_lines(
    whole: Whole,
) -> None:
    pids = sorted(processes_of(whole.home))
    assert len(pids) > 8
    assert touched(pids, NOBODY) == []
    assert f"/proc/{os.getpid()}/cwd" in touched([os.getpid()], 0)  # the program works


NO_SECRETS = {"role"}
"""What stands beside credentials and is none: which of two roles is the one in use."""


def secrets_of(home: Path) -> dict[str, str]:
    """Return every credential of a home, by where it was found."""
    files = [p for p in (home / "secrets").rglob("*") if p.is_file() and p.name not in NO_SECRETS]
    files += [
        home / "engines/postgres/password",
        home / "engines/aws/token",
        *home.glob("engines/caches/*/*/*/*password"),
    ]
    found = {str(path.relative_to(home)): path.read_text().strip() for path in files}
    for who in json.loads((home / "engines/objects/identities.json").read_text())["identities"]:
        for one in who["credentials"]:
            found[f"identity {who['name']}"] = one["secretKey"]
    with closing(sqlite3.connect(home / "engines/aws/data/state.sqlite")) as state:
        for owner, secret in state.execute("select owner, secret_key from accounts"):
            found[f"account {owner}"] = secret
    for pid in processes_of(home):
        for name, value in proc_table.environment(pid).items():
            if name.startswith("WEED_JWT"):
                found[f"{name} of {pid}"] = value
    return {where: value for where, value in found.items() if not where.endswith("access_key")}


async def test_no_command_line_ever_holds_a_secret(whole: Whole) -> None:
    secrets = secrets_of(whole.home)
    assert len(secrets) >= 10
    assert {where for where in secrets if "password" in where}
    later = b"\n".join(
        Path("/proc", str(pid), "cmdline").read_bytes() for pid in processes_of(whole.home)
    )
    assert b"bwrap" in whole.seen
    for where, secret in secrets.items():
        assert secret.encode() not in whole.seen + later, where


async def test_nothing_that_the_platform_says_holds_a_secret(whole: Whole) -> None:
    words = [("status",), ("services",), ("show", "all"), ("history", "all"), ("logs", "all")]
    said = [await whole.place.drystone.must(*w, "--json") for w in words]
    for log in ("run/agent.log", "run/keeper.log", "run/access.log"):
        path = whole.home / log
        assert path.exists()
        said.append(type(said[0])(0, path.read_text(), ""))
    for where, secret in secrets_of(whole.home).items():
        for one in said:
            assert secret not in one.out + one.err, where


async def test_the_ports_of_the_engines_ask_for_a_key(whole: Whole) -> None:
    status = await whole.place.drystone.ask("status")
    places = {e["name"]: e["address"] for e in status["engines"]}
    ports = {name: int(at.rpartition(":")[2]) for name, at in places.items() if "/" not in at}
    assert b"NOAUTH" in await ask(ports["cache dev.all.fast"], b"KEYS *\r\n")
    assert b" 403 " in await ask(ports["objects"], b"GET / HTTP/1.0\r\nhost: x\r\n\r\n")
    unsigned = b"POST / HTTP/1.0\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
    assert b" 403 " in await ask(ports["aws"], unsigned)
    # A startup message of version 3.0 (PostgreSQL documentation, 54.7); R 10 asks for SCRAM.
    words = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0"
    answer = await ask(ports["postgres"], (len(words) + 4).to_bytes(4, "big") + words, most=13)
    assert answer[:1] == b"R"
    assert answer[5:9] == b"\0\0\0\x0a"


async def ask(port: int, words: bytes, *, most: int = 4096) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(words)
        async with asyncio.timeout(10):
            return await reader.read(most)
    finally:
        writer.close()


@pytest.fixture
def trapped() -> Iterator[Path]:
    """A folder in which somebody prepares a home before its owner comes."""
    folder = short_home("trap")
    yield folder
    assert remains(folder / "h") == []
    shutil.rmtree(folder)


def is_somebody_elses(home: Path) -> None:
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)


def is_open_to_all(home: Path) -> None:
    home.mkdir()
    home.chmod(0o777)


def lies_where_others_write(home: Path) -> None:
    home.mkdir()
    home.parent.chmod(0o777)


def is_a_link_of_somebody_else(home: Path) -> None:
    (home.parent / "mine").mkdir()
    home.symlink_to(home.parent / "mine")
    os.chown(home, NOBODY, NOBODY, follow_symlinks=False)


def has_settings_of_somebody_else(home: Path) -> None:
    home.mkdir()
    (home / "settings.toml").write_text("port = 1\n")
    os.chown(home / "settings.toml", NOBODY, NOBODY)


def has_settings_that_all_may_write(home: Path) -> None:
    home.mkdir()
    (home / "settings.toml").write_text("port = 1\n")
    (home / "settings.toml").chmod(0o666)


def has_a_folder_of_somebody_else(home: Path) -> None:
    (home / "run").mkdir(parents=True)
    os.chown(home / "run", NOBODY, NOBODY)


def has_a_link_planted_for_a_log(home: Path) -> None:
    (home / "run").mkdir(parents=True)
    (home / "run").chmod(0o777)
    (home.parent / "victim").write_text("precious")
    (home / "run/keeper.log").symlink_to(home.parent / "victim")


@pytest.mark.parametrize(
    "trap",
    [
        is_somebody_elses,
        is_open_to_all,
        lies_where_others_write,
        is_a_link_of_somebody_else,
        has_settings_of_somebody_else,
        has_settings_that_all_may_write,
        has_a_folder_of_somebody_else,
        has_a_link_planted_for_a_log,
    ],
)
async def test_up_refuses_a_home_that_another_user_prepared(
    trapped: Path, trap: Callable[[Path], None]
) -> None:
    trap(trapped / "h")
    before = {path: path.lstat().st_mode for path in trapped.rglob("*")}
    said = await CommandLine(trapped / "h").run("up", "--detach")
    assert said.code == 1
    assert re.search(r"(chmod go-w|chown -h \w+) /tmp/trap-", said.err), said.err
    assert {path: path.lstat().st_mode for path in trapped.rglob("*")} == before
    victim = trapped / "victim"
    assert not victim.exists() or victim.read_text() == "precious"
