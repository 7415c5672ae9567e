"""What somebody changed in an engine by hand is found, and a deploy brings it back without touching what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import pytest
import pytest_asyncio

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import Home
from drystone.l10_engines.aws.server import AwsStandIn
from drystone.l10_engines.objects.calls import client_of
from drystone.l10_engines.objects.names import bucket_name
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.logins import second_of
from drystone.l10_engines.postgres.names import identifier
from drystone.l10_engines.postgres.server import Postgres
from drystone.l90_assembly.standalone import Standalone
from l25_deployer.small_platform import (
    ASKING,
    deploy,
    descriptor,
    embedded,
    folder_of,
    settings,
    short_folder,
)

RESOURCES = """
resources:
  db: {type: postgres, connections: 9, extensions: [vector]}
  files: {type: bucket}
  jobs: {type: queue, visibility: 40s}
  carts: {type: keyvalue, key: id, ttl: ends, indexes: {by-owner: {key: owner}}}
"""
WHO = identifier("dev.shop.db")
BUCKET = bucket_name("dev.shop.files")

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


class Ground:
    """A platform with one service that has all of it."""

    def __init__(self, whole: Standalone, folder: Any) -> None:
        self.whole, self.folder = whole, folder

    async def deploy(self) -> None:
        await deploy(self.whole.deployer, descriptor("shop", more=RESOURCES), self.folder)

    async def rotate(self) -> None:
        told = self.whole.operations.rotate(ASKING, environment="dev", service="shop")
        assert [one async for one in told]

    async def found(self) -> dict[str, tuple[str | None, str | None]]:
        standing = await self.whole.deployer.standing(
            ASKING, environment="dev", service="shop", engines=True
        )
        assert standing is not None
        return {
            f"{one.resource}.{one.field}": (one.wanted, one.found) for one in standing.deviations
        }

    def admin(self, database: str = "postgres") -> DatabaseAccess:
        engine = self.whole.supervisor["postgres"]
        assert isinstance(engine, Postgres)
        return msgspec.structs.replace(engine.admin(), database=database)

    async def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        url = self.admin(database).url()
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            done = await connection.execute(statement.encode())
            return await done.fetchall() if done.description else []

    @property
    def aws(self) -> AwsStandIn:
        engine = self.whole.supervisor["aws"]
        assert isinstance(engine, AwsStandIn)
        return engine

    async def sqs(self, action: str, **data: Any) -> dict[str, Any]:
        found = await self.aws.ask("dev.shop", "sqs", "GetQueueUrl", {"QueueName": "jobs"})
        about = {"QueueUrl": found["QueueUrl"], **data}
        return await self.aws.ask("dev.shop", "sqs", action, about)

    async def dynamodb(self, action: str, **data: Any) -> dict[str, Any]:
        return await self.aws.ask("dev.shop", "dynamodb", action, {"TableName": "carts", **data})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground() -> AsyncIterator[Ground]:
    with short_folder() as folder:
        async with embedded(folder / "h", settings(Home(folder / "h"))) as whole:
            ground = Ground(whole, folder_of(folder / "shop"))
            await ground.deploy()
            yield ground
            async for _ in whole.platform.stop():
                pass


async def test_nothing_differs_of_what_the_platform_made(ground: Ground) -> None:
    assert await ground.found() == {}
    standing = await ground.whole.deployer.standing(ASKING, environment="dev", service="shop")
    assert standing is not None
    assert standing.deviations == ()


async def test_a_database_that_was_changed_by_hand_is_found_and_brought_back(
    ground: Ground,
) -> None:
    await ground.run("CREATE TABLE kept AS SELECT 7 AS n", WHO)
    for statement in (
        f"ALTER ROLE \"{WHO}\" SUPERUSER CREATEDB CONNECTION LIMIT 50 PASSWORD 'guessed'",
        f'ALTER ROLE "{WHO}" SET statement_timeout = 0',
        f'GRANT pg_read_all_data TO "{WHO}"',
        f'GRANT CONNECT ON DATABASE "{WHO}" TO PUBLIC',
    ):
        await ground.run(statement)
    await ground.run("DROP EXTENSION vector; ALTER SCHEMA public OWNER TO postgres", WHO)
    found = await ground.found()
    assert found == {
        "db.connections": ("9", "50"),
        "db.extensions.vector": ("yes", "no"),
        "db.public": ("no", "yes"),
        "db.password": ("the one that the service has", "another one"),
        "db.role.createdb": ("no", "yes"),
        "db.role.member_of": (None, "pg_read_all_data"),
        "db.role.statement_timeout": ("300s", "0"),
        "db.role.superuser": ("no", "yes"),
        "db.schema.public": (f"of {WHO}", "of postgres"),
    }
    await ground.deploy()
    assert await ground.found() == {}
    assert await ground.run("SELECT n FROM kept", WHO) == [(7,)]


async def test_a_credential_that_was_replaced_is_no_deviation(ground: Ground) -> None:
    await ground.rotate()
    assert await ground.found() == {}
    second = second_of(WHO)
    await ground.run(f'ALTER ROLE "{second}" CREATEROLE; GRANT pg_read_all_data TO "{second}"')
    assert await ground.found() == {
        "db.role.createrole": ("no", "yes"),
        "db.role.member_of": (None, "pg_read_all_data"),
    }
    await ground.deploy()
    assert await ground.found() == {}
    await ground.rotate()  # back to the first role, of which the other tests speak
    assert await ground.found() == {}


async def test_a_bucket_that_was_opened_to_everybody_is_found_and_closed(ground: Ground) -> None:
    store = ground.whole.supervisor["objects"]
    client = client_of(store.admin())  # type: ignore[attr-defined]
    client.put_object(Bucket=BUCKET, Key="kept", Body=b"7")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{BUCKET}/*",
            }
        ],
    }
    client.put_bucket_policy(Bucket=BUCKET, Policy=msgspec.json.encode(policy).decode())
    assert await ground.found() == {"files.public": ("no", "yes")}
    await ground.deploy()
    assert await ground.found() == {}
    assert client.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"7"


async def test_settings_of_a_queue_are_found_and_brought_back(ground: Ground) -> None:
    await ground.sqs("SendMessage", MessageBody="kept")
    changed = {"VisibilityTimeout": "1", "RedrivePolicy": ""}
    await ground.sqs("SetQueueAttributes", Attributes=changed)
    found = await ground.found()
    assert found["jobs.visibility"] == ("40", "1")
    assert found["jobs.dead_letter"] == ("jobs_dead_letters", None)
    await ground.deploy()
    assert await ground.found() == {}
    told = await ground.sqs("GetQueueAttributes", AttributeNames=["ApproximateNumberOfMessages"])
    assert told["Attributes"] == {"ApproximateNumberOfMessages": "1"}


async def test_settings_of_a_table_are_found_and_brought_back(ground: Ground) -> None:
    await ground.dynamodb("PutItem", Item={"id": {"S": "1"}, "owner": {"S": "ada"}})
    off = {"Enabled": False, "AttributeName": "ends"}
    await ground.dynamodb("UpdateTimeToLive", TimeToLiveSpecification=off)
    gone = [{"Delete": {"IndexName": "by-owner"}}]
    await ground.dynamodb("UpdateTable", GlobalSecondaryIndexUpdates=gone)
    assert await ground.found() == {
        "carts.ttl": ("ends", None),
        "carts.indexes.by-owner": ("owner", None),
    }
    await ground.deploy()
    assert await ground.found() == {}
    assert (await ground.dynamodb("Scan"))["Count"] == 1


async def test_an_engine_that_does_not_answer_tells_nothing(ground: Ground) -> None:
    await ground.sqs("SetQueueAttributes", Attributes={"DelaySeconds": "9"})
    await ground.whole.supervisor.stop("aws")
    try:
        assert await ground.found() == {}
        with pytest.raises(PlatformError):
            await ground.sqs("ListQueues")
    finally:
        await ground.whole.supervisor.ensure("aws")
    assert await ground.found() == {"jobs.delay": ("0", "9")}
    await ground.deploy()
