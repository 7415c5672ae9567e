"""What resources add to a deploy, and what the engine behind the protocols of AWS does in a second and with how much in it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.stand import seconds, spread, stand, table

from drystone.l10_engines.aws.access import AccountAccess
from drystone.l10_engines.aws.declarations import Queue, Table
from drystone.l10_engines.aws.server import AwsStandIn
from drystone.testing.conformance.aws import client
from drystone.testing.conformance.engines import short_home

RESOURCES = {
    "carts": {"type": "keyvalue", "key": "id"},
    "jobs": {"type": "queue"},
    "news": {"type": "topic", "to": ["jobs"]},
    "clicks": {"type": "stream"},
    "seal": {"type": "encryption-key"},
}
QUEUE = Queue(fifo=False, visibility=30, retain=345600, delay=0, attempts=5, dead_letter=True)
SECONDS = 3.0


async def resources(count: int) -> str:
    """Deploys with and without resources, and the engine by itself."""
    return "\n".join((await _deploys(count), await _engine()))


async def _deploys(count: int) -> str:
    took: dict[str, list[float]] = {"without": [], "with five": []}
    async with stand() as one:
        plain, more = one.descriptor(), one.descriptor(name="with", resources=RESOURCES)
        first = await seconds(one.drystone, "deploy", more)
        await seconds(one.drystone, "deploy", plain)
        for number in range(count):
            for name, descriptor in (("without", plain), ("with five", more)):
                version = f"v{number}"
                took[name].append(
                    await seconds(one.drystone, "deploy", descriptor, "--version", version)
                )
    base = median(took["without"])
    rows = [
        [
            name,
            spread(times),
            f"{median(times) / base:.2f}",
            f"{(median(times) - base) * 1000:.0f} ms",
        ]
        for name, times in took.items()
    ]
    title = f"`drystone deploy`, median of {count}; the first one with resources, which starts the engine, took {first:.2f} s"
    return table(title, ["resources", "time", "ratio", "more"], rows)


def _each(call: Callable[[int], object]) -> list[float]:
    """Call on for a while, one after the other, and return how long each took."""
    took: list[float] = []
    end = time.monotonic() + SECONDS
    while (begun := time.monotonic()) < end:
        call(len(took))
        took.append(time.monotonic() - begun)
    return took


def _commits(folder: Path) -> list[float]:
    """Commit a row each time to a SQLite file that is synchronous, as the engine's is."""
    connection = sqlite3.connect(folder / "baseline", isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table rows (value)")
    took = _each(lambda _: connection.execute("insert into rows values (?)", ("x" * 300,)))
    connection.close()
    return took


async def _engine() -> str:
    with short_home() as home:
        engine = AwsStandIn("aws", home / "aws")
        try:
            await engine.start()
            access, queue = await engine.declare("bench.one", "jobs", QUEUE)
            _, items = await engine.declare("bench.one", "items", Table(key="id"))
            base = median(await asyncio.to_thread(_commits, home))
            rows = [["one commit of SQLite", f"{base * 1000:.1f} ms", "1.0", f"{1 / base:.0f}"]]

            def row(name: str, took: list[float]) -> None:
                rate = f"{len(took) / SECONDS:.0f}"
                middle = median(took)
                rows.append([name, f"{middle * 1000:.1f} ms", f"{middle / base:.1f}", rate])

            def send(sqs: Any) -> Callable[[int], object]:
                return lambda n: sqs.send_message(QueueUrl=queue.url, MessageBody=f"{n}" * 100)

            def take(sqs: Any) -> Callable[[int], object]:
                return lambda _: sqs.receive_message(QueueUrl=queue.url)

            db = client(access, "dynamodb")
            put = {"owner": {"S": "ann"}}
            row(
                "get an item",
                await asyncio.to_thread(
                    _each, lambda _: db.get_item(TableName=items.name, Key={"id": {"S": "1"}})
                ),
            )
            row(
                "put an item",
                await asyncio.to_thread(
                    _each,
                    lambda n: db.put_item(TableName=items.name, Item={"id": {"S": str(n)}, **put}),
                ),
            )
            row("send a message", await asyncio.to_thread(_each, send(client(access, "sqs"))))
            eight = await asyncio.gather(
                *(asyncio.to_thread(_each, send(client(access, "sqs"))) for _ in range(8))
            )
            row("send a message, 8 clients", [one for took in eight for one in took])
            for held in (1_000, 10_000):
                await asyncio.to_thread(_fill, access, queue.url, held)
                sqs = client(access, "sqs")
                row(f"send a message, {held:,} held", await asyncio.to_thread(_each, send(sqs)))
                row(f"take a message, {held:,} held", await asyncio.to_thread(_each, take(sqs)))
        finally:
            await engine.stop()
    title = "Through boto3, acknowledged when it is on disk"
    return table(title, ["", "median", "ratio", "in a second"], rows)


def _fill(access: AccountAccess, url: str, wanted: int) -> None:
    """Bring a queue to so many messages."""
    sqs = client(access, "sqs")
    name = "ApproximateNumberOfMessages"
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
    there = int(attributes[name])
    if there > wanted:
        sqs.purge_queue(QueueUrl=url)
        there = 0
    entries = [{"Id": str(n), "MessageBody": "x" * 100} for n in range(10)]
    for _ in range((wanted - there) // 10):
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
