"""Whatever is asked for, what lies on disk afterwards gives back all that there is."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l10_engines.aws import simulator
from drystone.l10_engines.aws.access import REGION
from drystone.l10_engines.aws.journal import Change, Journal, Place
from drystone.l10_engines.aws.keeping import Kept
from drystone.l10_engines.aws.simulator import COLLECTIONS
from drystone.l10_engines.aws.writing import Keeper

ACCOUNTS = ("111111111111", "222222222222")
TARGETS = {
    "sqs": "AmazonSQS",
    "dynamodb": "DynamoDB_20120810",
    "kinesis": "Kinesis_20131202",
    "kms": "TrentService",
}
URL = "http://localhost:4566/{account}/jobs"
BODIES = st.sampled_from(["a", "b", "ü", '{"__bytes__": 1}'])
IDS = st.sampled_from(["1", "2"])
STEPS = st.one_of(
    st.tuples(st.just("send"), BODIES),
    st.tuples(st.just("receive"), st.sampled_from([0, 30])),
    st.tuples(st.just("purge"), st.none()),
    st.tuples(st.just("put"), IDS),
    st.tuples(st.just("drop"), IDS),
    st.tuples(st.just("record"), BODIES.filter(str.isascii)),
    st.tuples(st.just("key"), st.none()),
)


async def ask(account: str, service: str, action: str, **data: object) -> dict[str, Any]:
    status, _, content = await simulator.call(
        service,
        account=account,
        region=REGION,
        path="/",
        headers={"x-amz-target": f"{TARGETS[service]}.{action}", "host": "localhost:4566"},
        body=json.dumps(data).encode(),
        query={},
    )
    assert status == 200, content
    return json.loads(content or b"{}")  # type: ignore[no-any-return]


async def step(account: str, what: str, value: Any) -> str:
    url = URL.format(account=account)
    match what:
        case "send":
            await ask(account, "sqs", "SendMessage", QueueUrl=url, MessageBody=value)
        case "receive":
            await ask(account, "sqs", "ReceiveMessage", QueueUrl=url, VisibilityTimeout=value)
        case "purge":
            await ask(account, "sqs", "PurgeQueue", QueueUrl=url)
        case "put":
            item = {"id": {"S": value}, "big": {"N": "1" * 38}, "raw": {"B": "AA=="}}
            await ask(account, "dynamodb", "PutItem", TableName="table", Item=item)
        case "drop":
            await ask(
                account, "dynamodb", "DeleteItem", TableName="table", Key={"id": {"S": value}}
            )
        case "record":
            await ask(
                account, "kinesis", "PutRecord", StreamName="log", Data="AA==", PartitionKey=value
            )
        case _:
            await ask(account, "kms", "CreateKey")
    return {"put": "dynamodb", "drop": "dynamodb", "record": "kinesis", "key": "kms"}.get(
        what, "sqs"
    )


async def begin(account: str) -> None:
    await ask(account, "sqs", "CreateQueue", QueueName="jobs")
    await ask(account, "kinesis", "CreateStream", StreamName="log", ShardCount=2)
    await ask(
        account,
        "dynamodb",
        "CreateTable",
        TableName="table",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )


def whole() -> dict[str, Any]:
    """Give all that there is, without what is worked out from the rest."""
    found = {}
    for collection in COLLECTIONS:
        for key, value in simulator.entries(collection):
            shown = json.dumps(value, sort_keys=True, default=str)
            found[f"{collection.name} {key}"] = json.loads(shown)
            if isinstance(value, dict):
                found[f"{collection.name} {key}"].pop("_index_members", None)
    return found


def forget() -> None:
    for account in ACCOUNTS:
        simulator.forget(account)


async def live(journal: Journal, steps: list[tuple[str, tuple[str, Any]]]) -> dict[str, Any]:
    kept = Kept(journal)
    kept.load()
    keeper = Keeper(kept, journal, failed=lambda _: None)
    for account in ACCOUNTS:
        if f"sqs.queues {(account, REGION, URL.format(account=account))}" not in whole():
            await begin(account)
            await keeper.settle(COLLECTIONS, account)
    for account, (what, value) in steps:
        service = await step(account, what, value)
        is_grown = what in ("send", "record")
        await keeper.settle(simulator.touched(service), account, is_grown=is_grown)
    sizes = {account: kept.size(account) for account in ACCOUNTS}
    left = kept.changes([(one, account) for one in COLLECTIONS for account in ACCOUNTS])
    assert left == [], "something was not written"
    written = {a: sum(len(v) for p, v in journal.read() if p.account == a) for a in ACCOUNTS}
    assert sizes == written
    return whole()


@given(
    st.lists(st.tuples(st.sampled_from(ACCOUNTS), STEPS), max_size=12),
    st.lists(st.tuples(st.sampled_from(ACCOUNTS), STEPS), max_size=6),
)
@settings(max_examples=10, deadline=None)
def test_a_new_process_has_what_the_last_one_had_and_goes_on(
    before: list[tuple[str, tuple[str, Any]]], after: list[tuple[str, tuple[str, Any]]]
) -> None:
    forget()
    with tempfile.TemporaryDirectory() as folder:
        for steps in (before, after, []):
            journal = Journal(Path(folder, "state"))
            last = asyncio.run(live(journal, steps))
            journal.close()
            forget()
            assert whole() == {}
            journal = Journal(Path(folder, "state"))
            Kept(journal).load()
            assert whole() == last
            journal.close()
            forget()


def test_a_group_of_changes_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")
    place = Place("s", "a", "r", "e", "")
    journal.write([Change(place, b"1")])
    with pytest.raises(sqlite3.Error):
        journal.write([Change(place, b"2"), Change(Place("s", "a", "r", "e", None), b"3")])  # type: ignore[arg-type]
    assert list(journal.read()) == [(place, b"1")]
    journal.close()
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state") as newer:
        newer.execute("pragma user_version = 2")
    newer.close()
    with pytest.raises(sqlite3.DatabaseError, match="use the newer one"):
        Journal(tmp_path / "state")


async def test_what_cannot_be_written_is_acknowledged_to_nobody(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")
    failures: list[Exception] = []
    kept = Kept(journal)
    keeper = Keeper(kept, journal, failed=failures.append)
    await begin(ACCOUNTS[0])
    journal.close()
    with pytest.raises(sqlite3.Error):
        await keeper.settle(COLLECTIONS, ACCOUNTS[0])
    assert len(failures) == 1
    forget()
