"""A platform whose services are operated, and a load that sees every request that fails."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import msgspec
import psycopg
import pytest
from botocore.config import Config
from psycopg.sql import SQL, Identifier

from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.resp import Refused, connected
from drystone.l25_deployer.api import DeployerApi, InstanceView
from drystone.l25_deployer.operations.api import OperationsApi
from l25_deployer.reached import at
from l25_deployer.small_platform import ASKING, SERVER, ask, deploy, descriptor, folder_of

TELLING = SERVER.replace(
    'if asked == ["/hang"]:',
    """if asked == ["/values"]:
        import json
        body = json.dumps(dict(os.environ))
        connection.sendall(f"HTTP/1.1 200 OK\\r\\nContent-Length: {len(body)}\\r\\nConnection: close\\r\\n\\r\\n{body}".encode())
        connection.close()
        continue
    if asked == ["/hang"]:""",
)
"""Tells what it was given; only a test may ask for that."""

FAITHFUL = SERVER.replace(
    "port = int(sys.argv[1])",
    """port = int(sys.argv[1])
kept = os.path.join(os.environ["KEPT_PATH"], "word")
if not os.path.exists(kept):
    with open(kept, "x") as file: file.write(os.environ["WORD_VALUE"])
if open(kept).read() != os.environ["WORD_VALUE"]: sys.exit(3)""",
)
"""Does not start with another word than its first."""

EVERYTHING = """scale: 2
resources:
  db: {type: postgres}
  files: {type: bucket}
  jobs: {type: cache}
  todo: {type: queue}
  word: {type: secret}
"""

Values = dict[str, str]


async def values_of(port: int, name: str) -> Values:
    answer = await ask(port, f"{name}.dev.localhost", "/values")
    found: Values = json.loads(answer.partition(" ")[2])
    return found


class Reached(msgspec.Struct, frozen=True):
    """A platform that is reached one way."""

    deployer: DeployerApi
    api: OperationsApi
    port: int
    folder: Path

    async def deploy(self, name: str, more: str = "", server: str = SERVER) -> None:
        folder = folder_of(self.folder / name, {"server.py": server})
        await deploy(self.deployer, descriptor(name, more=more), folder)

    async def instances(self, name: str) -> list[InstanceView]:
        view = await self.deployer.show(ASKING, **at(name))
        return [one for one in view.instances if one.release == view.summary.release]

    async def pids(self, name: str) -> set[int | None]:
        return {one.pid for one in await self.instances(name) if one.state == "healthy"}


class Load:
    """Asks a service without a pause, and keeps what it did not answer well."""

    def __init__(self, port: int, host: str) -> None:
        self._port = port
        self._host = host
        self.failed: list[str] = []
        self.asked = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._go_on()) for _ in range(3)]
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            try:
                answer = await ask(self._port, self._host)
            except OSError as e:
                answer = repr(e)
            self.asked += 1
            if not answer.startswith("200"):
                self.failed.append(answer)


def bucket_of(values: Values) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=values["FILES_ENDPOINT"],
        aws_access_key_id=values["FILES_ACCESS_KEY"],
        aws_secret_access_key=values["FILES_SECRET_KEY"],
        region_name=values["FILES_REGION"],
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def queue_of(values: Values) -> Any:
    return client_of(values, "sqs")


def client_of(values: Values, service: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=values["AWS_ENDPOINT_URL"],
        aws_access_key_id=values["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=values["AWS_SECRET_ACCESS_KEY"],
        region_name=values["AWS_REGION"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def cache_of(values: Values) -> CacheAccess:
    return CacheAccess(
        host=values["JOBS_HOST"],
        port=int(values["JOBS_PORT"]),
        user="default",
        password=values["JOBS_PASSWORD"],
    )


def write(values: Values, table: str) -> None:
    with psycopg.connect(values["DB_URL"]) as connection:
        connection.execute(SQL("CREATE TABLE {} (n int)").format(Identifier(table)))
    bucket_of(values).put_object(Bucket=values["FILES_NAME"], Key=table, Body=b"kept")
    queue_of(values).send_message(QueueUrl=values["TODO_URL"], MessageBody=table)


def read(values: Values, tables: set[str], mark: str) -> None:
    """See and change what was written with whichever credential."""
    with psycopg.connect(values["DB_URL"]) as connection:
        found = connection.execute(
            "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public'"
        )
        rows = found.fetchall()
        assert {name for name, _ in rows} == tables
        assert len({owner for _, owner in rows}) == 1
        for name in tables:
            connection.execute(
                SQL("ALTER TABLE {} ADD COLUMN {} int").format(Identifier(name), Identifier(mark))
            )
    listed = bucket_of(values).list_objects_v2(Bucket=values["FILES_NAME"])
    assert {one["Key"] for one in listed["Contents"]} == tables
    asked = {"QueueUrl": values["TODO_URL"], "AttributeNames": ["ApproximateNumberOfMessages"]}
    count = queue_of(values).get_queue_attributes(**asked)["Attributes"]
    assert count == {"ApproximateNumberOfMessages": str(len(tables))}


async def opens_nothing(values: Values) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(values["DB_URL"])
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidAccessKeyId"):
        bucket_of(values).list_objects_v2(Bucket=values["FILES_NAME"])
    with pytest.raises(botocore.exceptions.ClientError, match=r"403|Unrecognized|security token"):
        queue_of(values).list_queues()
    with pytest.raises(Refused, match=r"WRONGPASS"):
        async with connected(cache_of(values)) as connection:
            await connection.call("PING")
