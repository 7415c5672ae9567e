from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from drystone.l10_engines.postgres import binaries
from drystone.l10_engines.postgres.account import SYSTEM_USER, Account, barrier
from drystone.l10_engines.postgres.configuration import (
    fits_socket,
    memory_settings,
    render,
)
from drystone.l10_engines.postgres.probe import Answer, ask
from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.processes import identity
from drystone.l10_engines.supervision import record
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.supervisor import Supervisor
from drystone.testing.conformance.engines import ATTENTIVE, eventually, short_home

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder


async def value(server: Postgres, question: str) -> object:
    async with await psycopg.AsyncConnection.connect(server.admin().url()) as connection:
        row = await (await connection.execute(question.encode())).fetchone()
        return row[0] if row else None


async def test_the_settings_that_others_rely_on_hold(home: Path) -> None:
    server = Postgres("postgres", home / "postgres", memory=512 * 1024 * 1024)
    try:
        await server.start()
        settings = {
            "wal_level": "logical",
            "max_connections": "200",
            "listen_addresses": "127.0.0.1",
            "shared_buffers": "128MB",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
            "fsync": "on",
            "data_checksums": "on",
            "password_encryption": "scram-sha-256",
        }
        for name, expected in settings.items():
            assert await value(server, f"SHOW {name}") == expected
        assert (
            await value(
                server,
                "SELECT format('%s%s', datlocprovider, datlocale) FROM pg_database WHERE datname = 'template0'",
            )
            == "bC.UTF-8"
        )
        assert (
            await value(
                server,
                "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'",
            )
            == 0
        )
        assert (server.directory / "password").stat().st_mode & 0o777 == 0o600
        assert server.socket_directory is not None
        socket = server.socket_directory / f".s.PGSQL.{server.port}"
        assert await ask(socket) is Answer.READY
    finally:
        await server.stop()


async def test_a_home_with_a_long_and_odd_path_works_without_a_socket(home: Path) -> None:
    server = Postgres("postgres", home / ("odd, 'name' " + "long" * 25) / "postgres")
    try:
        await server.start()
        assert server.socket_directory is None
        assert await value(server, "SELECT 1") == 1
    finally:
        await server.stop()


async def test_commits_that_were_acknowledged_survive_the_kill_of_every_process(home: Path) -> None:
    server = Postgres("postgres", home / "postgres")
    supervisor = Supervisor([server], watchfulness=ATTENTIVE)
    acknowledged: list[int] = []

    async def write() -> None:
        async with await psycopg.AsyncConnection.connect(
            server.admin().url(), autocommit=True
        ) as connection:
            for number in range(10_000):
                await connection.execute("INSERT INTO t VALUES (%s)", (number,))
                acknowledged.append(number)

    try:
        await supervisor.ensure("postgres")
        async with await psycopg.AsyncConnection.connect(server.admin().url()) as connection:
            await connection.execute("CREATE TABLE t (x int)")
        writing = asyncio.create_task(write())
        await eventually(lambda: len(acknowledged) > 100)
        for process in record.processes_in(server.data, "postgres"):
            identity.send(process, signal.SIGKILL)
        with suppress(psycopg.OperationalError):
            await writing
        await eventually(lambda: server.status().restarts == 1)
        await supervisor.ensure("postgres")
        assert await value(server, "SELECT count(*) FROM t") in {
            len(acknowledged),
            len(acknowledged) + 1,
        }
    finally:
        await supervisor.stop_all()


async def test_a_backend_that_outlives_its_postmaster_is_waited_for(home: Path) -> None:
    server = Postgres("postgres", home / "postgres")
    try:
        await server.start()
        async with await psycopg.AsyncConnection.connect(server.admin().url()) as connection:
            backend = identity.identify(connection.info.backend_pid)
            assert backend is not None
            identity.send(backend, signal.SIGSTOP)
            pid = server.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            starting = asyncio.create_task(server.start())
            await eventually(lambda: identity.identify(pid) is None)
            identity.send(backend, signal.SIGCONT)
            await starting
        assert not identity.is_alive(backend)
        assert await value(server, "SELECT 1") == 1
    finally:
        await server.stop()


async def test_a_lock_file_whose_process_id_went_to_a_stranger_is_no_obstacle(home: Path) -> None:
    server = Postgres("postgres", home / "postgres")
    owner = SYSTEM_USER if os.geteuid() == 0 else None
    try:
        await server.start()
        lock = (server.data / "postmaster.pid").read_text()
        pid = server.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await server.wait()
        with subprocess.Popen(["sleep", "600"], user=owner) as stranger:  # noqa: ASYNC220
            try:
                text = lock.replace(str(pid), str(stranger.pid), 1)
                (server.data / "postmaster.pid").write_text(text)
                await server.start()
                assert await value(server, "SELECT 1") == 1
                assert stranger.poll() is None
            finally:
                stranger.kill()
    finally:
        await server.stop()


async def test_data_of_another_major_version_is_left_alone_and_named(home: Path) -> None:
    server = Postgres("postgres", home / "postgres")
    server.data.mkdir(parents=True)
    (server.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(EngineFailed, match=r"PostgreSQL 16 and the server is 18.*pg_upgrade"):
        await server.start()
    assert [path.name for path in server.data.iterdir()] == ["PG_VERSION"]


async def test_a_half_made_data_directory_is_made_anew(home: Path) -> None:
    server = Postgres("postgres", home / "postgres")
    (server.directory / "data.draft-old" / "base").mkdir(parents=True)
    try:
        await server.start()
        assert await value(server, "SELECT 1") == 1
        assert list(server.directory.glob("data.draft*")) == []
    finally:
        await server.stop()


STARTER = """
import asyncio, sys
from pathlib import Path
from drystone.l10_engines.postgres.server import Postgres
asyncio.run(Postgres("postgres", Path(sys.argv[1])).start())
"""


async def test_an_initdb_that_outlives_its_starter_spoils_nothing(home: Path) -> None:
    server = Postgres("postgres", home / "postgres")
    starter = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTER, server.directory)
    await eventually(lambda: any(server.directory.glob("data.draft*/PG_VERSION")))
    starter.kill()
    await starter.wait()
    try:
        await server.start()
        assert await value(server, "SELECT count(*) FROM pg_database") == 3
        await eventually(lambda: not record.processes_in(server.directory, "initdb"))
    finally:
        await server.stop()


async def test_a_server_that_is_frozen_is_stopped_within_bounds(home: Path) -> None:
    server = Postgres("postgres", home / "postgres")
    try:
        await server.start()
        pid = server.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        assert not await server.is_ready()
        assert not await server.is_responsive()
        server.patience = type(server.patience)(stop=timedelta(milliseconds=100))
        server.quit_grace = timedelta(milliseconds=100)
    finally:
        await server.stop()
    assert record.processes_in(server.data, "postgres") == ()


@as_root
async def test_a_home_that_the_system_user_cannot_reach_is_refused_before_anything_is_made(
    home: Path,
) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(
        EngineFailed, match=rf"{SYSTEM_USER}.*may not pass the directory {closed}\."
    ):
        await Postgres("postgres", closed / "engines" / "postgres").start()
    assert list(closed.iterdir()) == []
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
async def test_an_installation_that_the_system_user_cannot_read_is_copied_once(home: Path) -> None:
    hidden = home / "hidden"
    hidden.mkdir(mode=0o700)
    binaries.copy_for_others(binaries.installed_root(), hidden / "site-packages")
    server = Postgres("postgres", home / "postgres", installation=hidden / "site-packages")
    try:
        await server.start()
        (process, *_) = record.processes_in(server.data, "postgres")
        command = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
        copy = server.directory / f"program-{binaries.wheel_version()}"
        assert Path(command[0]).is_relative_to(copy)
        assert pwd.getpwuid(Path(f"/proc/{process.pid}").stat().st_uid).pw_name == SYSTEM_USER
        assert await value(server, "SELECT 1") == 1
        shutil.rmtree(hidden)  # what runs and what is copied need it no more
        await server.stop()
    finally:
        await server.stop()


def test_the_first_directory_that_stops_an_account_is_found(tmp_path: Path) -> None:
    with short_home() as folder:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a").chmod(0o750)
        me, group = os.getuid(), os.getgid()
        stranger = Account("stranger", me + 12345, group + 12345)
        assert barrier(stranger, folder / "a" / "b") == folder / "a"
        assert barrier(Account("colleague", me + 12345, group), folder / "a" / "b") is None
        assert barrier(Account("owner", me, group + 12345), folder / "a" / "b") is None
        (folder / "a").chmod(0o751)
        assert barrier(stranger, folder / "a" / "b" / "not there yet") is None


def test_shared_buffers_and_the_rest_stay_within_the_bound() -> None:
    settings = memory_settings(1024 * 1024 * 1024)
    assert settings["shared_buffers"] == "256MB"
    assert settings["maintenance_work_mem"] == "64MB"
    assert settings["work_mem"] == "8MB"


def test_settings_are_quoted() -> None:
    assert render({"a": "it's \\ here"}).splitlines()[-1] == "a = 'it''s \\\\ here'"
    with pytest.raises(ValueError, match="line break"):
        render({"a": "1\nfsync = off"})


def test_a_socket_path_is_measured_in_bytes() -> None:
    assert fits_socket(Path("/" + "x" * 91), 20000)
    assert not fits_socket(Path("/" + "x" * 92), 20000)
    assert not fits_socket(Path("/" + "ü" * 46), 20000)


async def test_something_else_that_listens_is_no_server() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        assert await ask(("127.0.0.1", port), limit=timedelta(seconds=1)) is Answer.NONE
