from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import msgspec
import pytest
import pytest_asyncio

from drystone.l10_engines.aws.copying import Copy, write
from drystone.l10_engines.aws.errors import NotDeclarable
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.wire import Wire
from drystone.l25_deployer.backups.errors import BackupWrong, NothingToBackUp
from drystone.l25_deployer.local.resources.copies import NoBackup
from drystone.l25_deployer.local.resources.port import Owner
from l25_deployer.backups.conftest import Whole
from l25_deployer.backups.small_copies import Kept, deployed, told
from l25_deployer.small_platform import ASKING

pytestmark = pytest.mark.asyncio(loop_scope="package")

RESOURCES = (
    "resources: {seats: {type: keyvalue, key: id, sort: row, indexes: {by-name: {key: name}}}, other: {type: keyvalue, key: id},"
    " jobs: {type: queue}, log: {type: stream}, seal: {type: encryption-key}, word: {type: secret},"
    " hot: {type: cache, memory: 8Mi}, news: {type: topic, to: [jobs]}}"
)
DATA = ["seats", "other", "jobs", "log", "seal", "word", "hot", "news"]


class Box(msgspec.Struct, frozen=True):
    """A service with something of every kind, and clients for it."""

    kept: Kept
    where: Path

    async def client(self, name: str) -> Any:
        values = [
            await self.kept.value("seats", key) for key in ("endpoint", "access_key", "secret_key")
        ]
        return boto3.client(
            name,  # type: ignore[call-overload]
            endpoint_url=values[0],
            region_name="us-east-1",
            aws_access_key_id=values[1],
            aws_secret_access_key=values[2],
        )

    async def items(self, table: str) -> list[tuple[str, str]]:
        client = await self.client("dynamodb")
        found = client.scan(TableName=table)["Items"]
        return sorted((one["id"]["S"], one["name"]["S"]) for one in found)

    async def put(self, table: str, id_: str, name: str) -> None:
        client = await self.client("dynamodb")
        item = {"id": {"S": id_}, "row": {"S": "1"}, "name": {"S": name}}
        await asyncio.to_thread(client.put_item, TableName=table, Item=item)

    async def cache(self) -> Wire:
        url = urlsplit(await self.kept.value("hot", "url"))
        return Wire(
            CacheAccess(
                host=url.hostname or "",
                port=url.port or 0,
                user="default",
                password=url.password or "",
            )
        )


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def box(whole: Whole) -> AsyncIterator[Box]:
    kept = Kept(whole.platform, whole.platform.backups, "boxes")
    where = whole.folder / "boxes"
    await deployed(whole.platform, where, "boxes", RESOURCES)
    yield Box(kept, where)
    await told(
        whole.platform.deployer.destroy(
            ASKING, environment="dev", service="boxes", confirm=DATA, final_backup=False
        )
    )


async def test_one_table_comes_back_beside_everything_else(box: Box) -> None:
    for number in range(30):
        await box.put("seats", f"s{number}", f"n{number % 3}")
    await box.put("other", "o", "before")
    before = await box.items("seats")
    await box.kept.take("seats")
    client = await box.client("dynamodb")
    for number in range(0, 30, 2):
        client.delete_item(TableName="seats", Key={"id": {"S": f"s{number}"}, "row": {"S": "1"}})
    await box.put("seats", "s1", "changed")
    await box.put("seats", "new", "n1")
    await box.put("other", "o", "after")

    proven = await box.kept.prove("seats")
    await box.kept.restore("seats")

    assert "30 in 1 parts compared" in proven[-1].text
    assert await box.items("seats") == before
    assert ("o", "after") in await box.items("other")
    asked = {
        "TableName": "seats",
        "IndexName": "by-name",
        "KeyConditionExpression": "#n = :n",
        "ExpressionAttributeNames": {"#n": "name"},
        "ExpressionAttributeValues": {":n": {"S": "n1"}},
    }
    assert client.query(**asked)["Count"] == 10
    assert client.describe_table(TableName="seats")["Table"]["ItemCount"] == 30
    reasons = [one.reason for one in (await box.kept.backups("seats")).backups]
    assert reasons[:2] == ["before-restore", "asked"]


async def test_what_came_back_is_on_the_disk(box: Box) -> None:
    await box.put("other", "kept", "on the disk")
    await box.kept.take("other")
    await box.put("other", "late", "gone again")
    await box.kept.restore("other")
    expected = await box.items("other")
    supervisor = box.kept.whole.supervisor
    await supervisor.stop("aws")
    await supervisor.ensure("aws")

    assert await box.items("other") == expected
    assert ("late", "gone again") not in expected


async def test_messages_records_and_a_key_come_back_as_they_were(box: Box) -> None:
    sqs, kinesis, kms = [await box.client(name) for name in ("sqs", "kinesis", "kms")]
    url = await box.kept.value("jobs", "url")
    key = await box.kept.value("seal", "name")
    sqs.send_message(QueueUrl=url, MessageBody="not done yet")
    kinesis.put_record(StreamName="log", Data=b"first", PartitionKey="p")
    sealed = kms.encrypt(KeyId=key, Plaintext=b"for later")["CiphertextBlob"]
    for name in ("jobs", "log", "seal"):
        await box.kept.take(name)
    got = sqs.receive_message(QueueUrl=url)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])
    kinesis.put_record(StreamName="log", Data=b"second", PartitionKey="p")
    alias = kms.describe_key(KeyId=key)["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=alias)

    for name in ("jobs", "log", "seal"):
        assert (await box.kept.backups(name)).backups[0].counted == 1
        await box.kept.restore(name)

    assert [one["Body"] for one in sqs.receive_message(QueueUrl=url)["Messages"]] == [
        "not done yet"
    ]
    shard = kinesis.describe_stream(StreamName="log")["StreamDescription"]["Shards"][0]["ShardId"]
    place = kinesis.get_shard_iterator(
        StreamName="log", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    assert [one["Data"] for one in kinesis.get_records(ShardIterator=place)["Records"]] == [
        b"first"
    ]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"for later"


async def test_a_key_that_was_destroyed_with_its_account_opens_again_what_it_sealed(
    box: Box,
) -> None:
    kms = await box.client("kms")
    sealed = kms.encrypt(KeyId=await box.kept.value("seal", "name"), Plaintext=b"long ago")
    word = await box.kept.value("word", "value")
    rows = await box.items("seats")
    deployer = box.kept.whole.deployer
    await told(deployer.destroy(ASKING, environment="dev", service="boxes", confirm=DATA))
    await deployed(box.kept.whole, box.where, "boxes", RESOURCES)
    assert await box.kept.value("word", "value") != word
    assert await box.items("seats") == []

    for name in ("seal", "word", "seats"):
        found = (await box.kept.backups(name)).backups[0]
        assert found.reason == "final"
        await box.kept.restore(name)

    kms = await box.client("kms")
    assert kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"] == b"long ago"
    again = kms.encrypt(KeyId=await box.kept.value("seal", "name"), Plaintext=b"now")
    assert kms.decrypt(CiphertextBlob=again["CiphertextBlob"])["Plaintext"] == b"now"
    assert await box.kept.value("word", "value") == word
    assert await box.items("seats") == rows


async def test_a_cache_comes_back_with_types_databases_and_moments(box: Box) -> None:
    wire = await box.cache()
    wire.ask("FLUSHALL")
    wire.ask("SET", "plain", b"\x00\xff")
    wire.ask("RPUSH", "list", "a", "b")
    wire.ask("HSET", "hash", "f", "v")
    wire.ask("SET", "ends", "soon", "PX", 3_600_000)
    wire.ask("SELECT", 3)
    wire.ask("SADD", "set", "1", "2")
    await box.kept.take("hot")
    wire.ask("FLUSHALL")
    wire.ask("SET", "new", "1")

    proven = await box.kept.prove("hot")
    await box.kept.restore("hot")

    assert "4 in 1 parts compared" in proven[-1].text
    assert sorted(wire.ask("SMEMBERS", "set") or []) == [b"1", b"2"]  # type: ignore[arg-type,type-var]
    wire.ask("SELECT", 0)
    assert wire.ask("GET", "plain") == b"\x00\xff"
    assert wire.ask("LRANGE", "list", 0, -1) == [b"a", b"b"]
    assert wire.ask("EXISTS", "new") == 0
    assert 0 < int(wire.ask("PTTL", "ends")) <= 3_600_000  # type: ignore[arg-type]
    wire.close()
    status = await box.kept.whole.deployer.status(ASKING)
    assert not [one.name for one in status.engines if "restoring" in one.name]
    assert not list((box.where.parent / "h/engines/caches").glob(".restoring/**/record.json"))


async def test_a_service_is_backed_up_as_a_whole_but_for_what_keeps_nothing(box: Box) -> None:
    said = await box.kept.take()
    assert any("'news' of boxes.dev has no backup" in one.text for one in said)
    assert {"seats", "jobs", "log", "seal", "word", "hot"} <= {
        word for one in said for word in one.text.replace(",", " ").split()
    }
    with pytest.raises(NoBackup, match="keeps nothing"):
        await box.kept.take("news")
    with pytest.raises(NothingToBackUp):
        await box.kept.take("nothing")


async def test_a_copy_that_is_none_or_of_something_else_changes_nothing(
    box: Box, tmp_path: Path
) -> None:
    before = await box.items("seats")
    services = box.kept.whole.services
    record = services.existing("dev", "boxes").record
    owner = Owner("dev", "boxes", "seats")
    driver = services.machine.provisioner.driver(record, owner)
    for content in (b"", b"\xc1", b"x" * 100, msgspec.msgpack.encode({"entries": 7})):
        (tmp_path / "copy").write_bytes(content)
        with pytest.raises(NotDeclarable, match="no copy"):
            await driver.lay_out(owner, record.eternal["seats"], tmp_path)
    (tmp_path / "copy").unlink()
    write(Copy(format=9, entries=[]), tmp_path / "copy")
    with pytest.raises(NotDeclarable, match="newer version"):
        await driver.lay_out(owner, record.eternal["seats"], tmp_path)
    await box.kept.take("other")
    folder = Path((await box.kept.backups("other")).backups[0].folder)
    moved = folder.parents[1] / "seats" / folder.name
    moved.parent.mkdir(exist_ok=True)
    folder.rename(moved)
    with pytest.raises(BackupWrong, match=r"would replace dev\.boxes\.seats"):
        await box.kept.restore("seats", moved.name)
    moved.rename(folder)

    assert await box.items("seats") == before
