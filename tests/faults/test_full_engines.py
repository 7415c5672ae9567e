"""The disk of the engines is full: what was acknowledged stays, what cannot be written is refused, and it is told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import boto3
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from drystone.l00_kernel.home import Home
from drystone.l10_engines.cache.resp import Refused, Reply, connected
from drystone.l10_engines.cache.server import Valkey
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.objects.buckets import Buckets
from drystone.l10_engines.objects.server import Objects
from drystone.testing.command_line import CommandLine, processes_of
from drystone.testing.conformance.engines import short_home
from faults.disks import MEBIBYTE, Ballast, small_disk
from faults.notes import notes_service, remember, remembered
from journeys.place import Place, eventually, remove

pytestmark = pytest.mark.timeout(300)

PIECE = os.urandom(25_000).hex()


def use_up_the_log(url: str) -> None:
    """Write what needs room in PostgreSQL's write-ahead log alone, until the server dies of it."""
    with (
        suppress(psycopg.OperationalError),
        psycopg.connect(url, autocommit=True) as connection,
    ):
        while True:
            connection.execute("SELECT pg_logical_emit_message(true, 'fill', %s)", (PIECE,))


@asynccontextmanager
async def with_engines_on_a_disk_of_their_own() -> AsyncIterator[tuple[Place, Ballast]]:
    """Bring a platform up whose engines have a small disk for themselves."""
    with short_home() as home:
        place = Home.create(home).engines
        platform = Place(CommandLine(home, {"DRYSTONE_RUNTIME": "processes"}), free_port())
        with small_disk(place, size=200 * MEBIBYTE, files=20_000):
            ballast = Ballast(place)
            try:
                await platform.drystone.must("up", "--detach", "--port", str(platform.port))
                yield platform, ballast
            finally:
                ballast.free()
                with suppress(OSError):  # the mounted folder stays
                    await remove(platform)
                assert not processes_of(home)


@pytest.mark.slow
async def test_a_database_on_a_full_disk_refuses_and_loses_nothing_and_everybody_can_read_why(
    tmp_path: Path,
) -> None:
    async with with_engines_on_a_disk_of_their_own() as (where, ballast):
        descriptor = notes_service(tmp_path, "notes", resources={"db": {"type": "postgres"}})
        done = await where.deploy(descriptor)
        assert done.code == 0, done.err
        await remember(where, "notes", "kept")
        url = (await where.get("notes", "/env/DB_URL")).text
        (before,) = await where.instances("notes")
        ballast.fill()

        assert (await where.get("notes", "/notes", method="POST", content=PIECE)).status_code >= 500
        assert await remembered(where, "notes") == ["kept"]
        refused = await where.deploy(descriptor, "--version", "2")
        assert refused.code == 1
        assert f"(file system {where.home / 'engines'}) is full" in refused.err, refused.err
        assert "nothing has changed" in refused.err
        assert any("is full" in text for text in (await where.drystone.ask("status"))["problems"])

        # The log has no room either: PostgreSQL dies, and comes back to be read by what was set aside for that.
        await asyncio.to_thread(use_up_the_log, url)
        await eventually(lambda: told(where, "postgres answers again after"))
        assert await told(where, "postgres: it ended")
        full = f"(file system {where.home / 'engines'}) is full"
        await eventually(lambda: told(where, full))
        assert await remembered(where, "notes") == ["kept"]

        # What was set aside is used up: it waits for room, and says so.
        ballast.fill()
        await asyncio.to_thread(use_up_the_log, url)
        await eventually(lambda: told(where, "postgres does not start: "))
        problems = (await where.drystone.ask("status"))["problems"]
        assert any(text.startswith("postgres does not start: ") for text in problems), problems

        ballast.free()
        await eventually(lambda: told(where, "postgres answers again after", times=2))
        await eventually(lambda: told(where, f"file system {where.home / 'engines'}, after"))
        assert await remembered(where, "notes") == ["kept"]
        await remember(where, "notes", "after")
        assert await remembered(where, "notes") == ["kept", "after"]
        events = [event["event"] for event in await where.history("notes")]
        assert {"engine", "disk full", "disk has room"} <= set(events)
        (after,) = await where.instances("notes")
        assert (after["pid"], after["restarts"]) == (before["pid"], 0)
        assert (await where.deploy(descriptor, "--version", "2")).code == 0


async def told(where: Place, words: str, *, times: int = 1) -> bool:
    """Tell whether the history of the service says something as often as this."""
    history = (where.home / "services/dev/notes/history.jsonl").read_text()
    return [words in json.loads(line)["text"] for line in history.splitlines()].count(True) >= times


@pytest.mark.slow
@pytest.mark.slow
async def test_an_object_store_on_a_full_disk_refuses_and_loses_nothing() -> None:
    with short_home() as home, small_disk(home, size=60 * MEBIBYTE):
        ballast, store = Ballast(home), Objects("objects", home / "objects")
        try:
            await store.start()
            access = await Buckets(store).provision(
                "dev.shop.files", access_key="a" * 20, secret_key="b" * 32
            )
            client = boto3.client(
                "s3",
                endpoint_url=access.endpoint,
                region_name=access.region,
                aws_access_key_id=access.access_key,
                aws_secret_access_key=access.secret_key,
                config=Config(retries={"max_attempts": 0}),
            )

            def put(key: str, size: int) -> bool:
                try:
                    client.put_object(Bucket=access.bucket, Key=key, Body=PIECE[:size])
                except ClientError:
                    return False
                kept[key] = PIECE[:size]
                return True

            def found() -> dict[str, str]:
                return {
                    key: client.get_object(Bucket=access.bucket, Key=key)["Body"].read().decode()
                    for key in kept
                }

            kept: dict[str, str] = {}
            assert put("before", 3000)
            ballast.fill()
            refused = [key for key in map(str, range(8)) if not put(key, 40_000)]
            assert refused
            assert found() == kept
            assert await store.is_ready()
            client.delete_object(Bucket=access.bucket, Key="before")
            del kept["before"]

            ballast.free()
            assert put("after", 40_000)
            await store.stop()
            ballast.fill()
            await store.start()
            assert found() == kept
            names = client.list_objects_v2(Bucket=access.bucket)["Contents"]
            assert {one["Key"] for one in names} == set(kept)
        finally:
            ballast.free()
            await store.stop()


async def test_a_cache_that_keeps_a_log_refuses_on_a_full_disk_and_is_not_taken_for_dead() -> None:
    with short_home() as home, small_disk(home):
        ballast, cache = Ballast(home), Valkey("cache", home / "cache", durable=True)
        try:
            await cache.start()
            kept = {}

            async def ask(*words: str) -> Reply:
                async with connected(cache.access()) as connection:
                    return await connection.call(*words)

            async def put(key: str) -> bool:
                try:
                    await ask("SET", key, PIECE)
                except Refused:
                    return False
                kept[key] = PIECE
                return True

            assert await put("before")
            ballast.fill()
            assert not all([await put(str(number)) for number in range(8)])
            assert await ask("GET", "before") == PIECE
            assert await cache.is_ready()

            ballast.free()

            async def writes() -> bool:
                return await put("after")

            await eventually(writes)

            async def lie_in_the_log() -> bool:  # while it waits for the disk, a write may wait too
                return "aof_buffer_length:0\r" in str(await ask("INFO", "persistence"))

            await eventually(lie_in_the_log)
            pid = cache.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            ballast.fill()
            await cache.start()
            assert {key: await ask("GET", key) for key in kept} == kept
        finally:
            ballast.free()
            await cache.stop()
