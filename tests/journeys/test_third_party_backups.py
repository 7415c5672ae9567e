"""Applications that others wrote lose their data, their service and their machine, and have all of it again."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from drystone.testing.command_line import CommandLine, short_home, stop
from journeys.place import EXAMPLES, Place, place, remove

APPLICATIONS = EXAMPLES / "third-party"
RECORDS = "/v1/buckets/default/collections/notes/records"
ALICE = ("alice", "correct horse")
SIZES = (0, 1, 1000, 65_536, 3_000_001)
"""Of the files; the last one is longer than a piece of a backup."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Rows = dict[str, list[tuple[Any, ...]]]


@pytest_asyncio.fixture
async def kept() -> AsyncIterator[Place]:
    """A platform on which Kinto keeps records in a database, and Jupyter files in a bucket."""
    async with place({"DRYSTONE_RUNTIME": "processes"}) as found:
        for name in ("kinto", "jupyter", "rq-dashboard"):
            await found.drystone.must("deploy", APPLICATIONS / name / "service.yaml")
        await fill(found)
        yield found


async def fill(platform: Place) -> None:
    """Let people write, as they do, and programs, with whatever bytes they have."""
    account: dict[str, Any] = {"json": {"data": {"password": ALICE[1]}}}
    made = await platform.get("kinto", "/v1/accounts/alice", method="PUT", **account)
    assert made.status_code == 201, made.text
    for number in range(40):
        record = {"title": f"Stein {number} \u2014 pierre \U0001f9f1 'quoted'", "number": number}
        said = await platform.get(
            "kinto", RECORDS, method="POST", json={"data": record}, auth=ALICE
        )
        assert said.status_code == 201, said.text
    token = {"authorization": f"token {(await variables(platform, 'jupyter'))['FILES_SECRET_KEY']}"}
    body = {"type": "file", "format": "text", "content": "hello, wall"}
    path = "/api/contents/hello.txt"
    written = await platform.get("jupyter", path, method="PUT", json=body, headers=token)
    assert written.status_code == 201, written.text
    await run_rq(
        platform, "q = rq.Queue('later', connection=c); [q.enqueue('os.getpid') for _ in 'abc']"
    )
    async with bucket(platform) as (client, name):
        for size in SIZES:
            client.put_object(
                Bucket=name,
                Key=f"raw/{size} & \u00e4.bin",
                Body=os.urandom(size),
                Metadata={"size": str(size)},
            )


async def variables(platform: Place, service: str) -> dict[str, str]:
    """Return the environment that a command of the service gets."""
    said = await platform.drystone.must("exec", service, "--", "env")
    return dict(line.partition("=")[::2] for line in said.out.splitlines())


class bucket:  # noqa: N801 - it is used as a function
    """The bucket of Jupyter, as any client of S3 reaches it."""

    def __init__(self, platform: Place) -> None:
        self._platform = platform

    async def __aenter__(self) -> tuple[Any, str]:
        env = await variables(self._platform, "jupyter")
        self._client = boto3.client(
            "s3",
            endpoint_url=env["FILES_ENDPOINT"],
            aws_access_key_id=env["FILES_ACCESS_KEY"],
            aws_secret_access_key=env["FILES_SECRET_KEY"],
            region_name=env["FILES_REGION"],
        )
        return self._client, env["FILES_NAME"]

    async def __aexit__(self, *_: object) -> None:
        self._client.close()


async def rows(platform: Place) -> Rows:
    """Return every row of every table of Kinto; in its cache every question whether it is well leaves one."""
    url = (await variables(platform, "kinto"))["DB_URL"]
    found: Rows = {}
    async with await psycopg.AsyncConnection.connect(url) as connection:
        tables = await connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'cache' ORDER BY 1"
        )
        for (table,) in await tables.fetchall():
            every = sql.SQL("SELECT * FROM {} ORDER BY 1::text, 2::text, 3::text")
            some = await connection.execute(every.format(sql.Identifier(table)))
            found[table] = await some.fetchall()
    return found


async def objects(platform: Place) -> dict[str, tuple[bytes, dict[str, str]]]:
    """Return the bytes and the metadata of every object of Jupyter's bucket."""
    async with bucket(platform) as (client, name):
        listed = client.list_objects_v2(Bucket=name)["Contents"]
        read = {one["Key"]: client.get_object(Bucket=name, Key=one["Key"]) for one in listed}
        return {key: (said["Body"].read(), said["Metadata"]) for key, said in read.items()}


def secrets_of(home: Path) -> list[bytes]:
    """Return the passwords and keys of the services."""
    files = [path for path in (home / "secrets").rglob("*") if path.is_file()]
    assert files
    return [path.read_bytes() for path in files]


def contains(folder: Path, *words: bytes) -> list[Path]:
    """Return the files below a folder that hold one of these words."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(word in path.read_bytes() for word in words)]


async def run_rq(platform: Place, program: str) -> str:
    """Run a program where RQ is, with a connection ``c`` to its cache."""
    whole = f"import os, redis, rq; c = redis.Redis.from_url(os.environ['RQ_REDIS_URL']); {program}"
    words = ("exec", "rq-dashboard", "--", "python", "-c", whole)
    return (await platform.drystone.must(*words)).out


async def jobs(platform: Place) -> str:
    """Return the jobs of a queue that nobody works on, in their order, with all that RQ has written down of each."""
    told = "[print(i, sorted(c.hgetall(b'rq:job:' + i).items())) for i in c.lrange('rq:queue:later', 0, -1)]"
    found = await run_rq(platform, told)
    assert len(found.splitlines()) == 3
    return found


async def compare(
    platform: Place, before: Rows, held: dict[str, tuple[bytes, dict[str, str]]], waiting: str
) -> None:
    """Compare rows one by one and objects byte by byte, and ask both applications."""
    now = await rows(platform)
    assert now.keys() == before.keys()
    for table, wanted in before.items():
        assert len(now[table]) == len(wanted), table
        for one, other in zip(now[table], wanted, strict=True):
            assert one == other, table
    assert await jobs(platform) == waiting
    there = await objects(platform)
    assert there.keys() == held.keys()
    for key, (content, metadata) in held.items():
        assert there[key] == (content, metadata), key
    found = (await platform.get("kinto", RECORDS, auth=ALICE)).json()["data"]
    assert {one["number"] for one in found} == set(range(40))
    token = {"authorization": f"token {(await variables(platform, 'jupyter'))['FILES_SECRET_KEY']}"}
    said = await platform.get("jupyter", "/api/contents/hello.txt", headers=token)
    assert said.json()["content"] == "hello, wall"


async def test_rows_and_objects_survive_a_loss_a_destroy_and_the_end_of_the_machine(
    kept: Place, tmp_path: Path
) -> None:
    line = kept.drystone
    before, held, waiting = await rows(kept), await objects(kept), await jobs(kept)
    assert sum(map(len, before.values())) > 40

    # somebody deletes half of it
    for name in ("kinto", "jupyter", "rq-dashboard"):
        await line.must("backup", name)
    await run_rq(kept, "c.flushall()")
    assert (await kept.get("kinto", RECORDS, method="DELETE", auth=ALICE)).status_code == 200
    async with bucket(kept) as (client, called):
        client.delete_object(Bucket=called, Key="hello.txt")
        client.put_object(Bucket=called, Key="raw/0 & \u00e4.bin", Body=b"no longer empty")
    await line.must("restore", "kinto", "db", "--yes", "db")
    await line.must("restore", "jupyter", "files", "--yes", "files")
    await line.must("restore", "rq-dashboard", "jobs", "--yes", "jobs")
    await compare(kept, before, held, waiting)

    # the services are destroyed with their data, and a last backup stays
    for name, data in (
        ("kinto", ["db"]),
        ("jupyter", ["files", "state"]),
        ("rq-dashboard", ["jobs"]),
    ):
        words = [word for one in data for word in ("--delete-data", one)]
        await line.must("destroy", name, "--yes", name, *words)
        await line.must("deploy", APPLICATIONS / name / "service.yaml")
        for one in data:
            await line.must("restore", name, one, "--yes", one)
    await compare(kept, before, held, waiting)

    # the machine is gone
    elsewhere = tmp_path / "elsewhere"
    await line.must("backup", "--platform", "--to", elsewhere)
    (whole,) = [path for path in elsewhere.iterdir() if not path.name.startswith(".")]
    assert not contains(whole, b"alice", b"hello, wall", *secrets_of(kept.home))
    key = tmp_path / "kept-elsewhere"
    await line.must("backup-key", "--to", key)
    await stop(line)
    await asyncio.to_thread(shutil.rmtree, kept.home)
    new = Place(CommandLine(short_home("jnr"), {"DRYSTONE_RUNTIME": "processes"}), kept.port)
    try:
        refused = await new.drystone.run("recover", "--from", whole)
        assert (refused.code, "is sealed with the key" in refused.err) == (1, True), refused.err
        assert not any(new.home.iterdir())
        said = await new.drystone.must("recover", "--from", whole, "--key", key)
        assert "recovered in" in said.out
        await compare(new, before, held, waiting)
    finally:
        await remove(new)
        kept.home.mkdir()
        await line.must("up", "--detach", "--port", str(kept.port))
