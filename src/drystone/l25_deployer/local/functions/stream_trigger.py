"""Gives the records of one stream to one function: in order within a shard, one batch after the other, at least once.

How far it has come is written after a batch was finished, so that a death makes the last batch come again and loses none. A batch that fails
is tried again, with growing pauses, until it is finished or its records are too old for the stream: nothing overtakes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.aws.errors import NotDeclarable
from drystone.l25_deployer.local.functions.events import failed, of_records
from drystone.l25_deployer.local.functions.lambda_protocol import arn_of

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.ports import Log
    from drystone.l10_engines.aws.server import AwsEngine
    from drystone.l25_deployer.local.functions.bookmarks import Bookmarks
    from drystone.l25_deployer.local.functions.service import Called, Functions

LOOK_EVERY_S = 5.0
"""How long a record may lie of which nobody was told, as after a start."""

PAUSES_S = (0.5, 1, 2, 5, 10, 30)
"""After the first failure of a batch, the second, and so on."""

_PATIENCE_S = 60.0


class Streamed(msgspec.Struct, frozen=True):
    """A stream that calls a function.

    Attributes:
        trigger: What the descriptor calls this.
        stream: What clients call the stream.
        batch: Records that the function is given at once.
        begin: ``oldest`` or ``latest``: from where it is read before anything was.
    """

    trigger: str
    stream: str
    batch: int
    begin: str


class StreamTrigger:
    """Follows one stream.

    Args:
        functions: Calls the function.
        aws: Holds the stream.
        find: Returns the function as it serves now; None when it does not.
        streamed: The stream.
        bookmarks: Where it is kept how far the function has come.
        clock: The time.
        log: Where to report.
    """

    def __init__(
        self,
        functions: Functions,
        aws: AwsEngine,
        find: Callable[[], Called | None],
        streamed: Streamed,
        *,
        bookmarks: Bookmarks,
        clock: Clock,
        log: Log,
    ) -> None:
        self._functions = functions
        self._aws = aws
        self._find = find
        self._streamed = streamed
        self._bookmarks = bookmarks
        self._clock = clock
        self._log = log
        self.wake = asyncio.Event()
        """Set when something may have been added to the stream."""

    async def run(self) -> None:
        """Follow the stream until cancelled."""
        shards: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                self.wake.clear()
                try:
                    await self._match(shards)
                except PlatformError as e:
                    self._log.warning("stream not followed", error=e, stream=self._streamed.stream)
                try:
                    await asyncio.wait_for(self.wake.wait(), LOOK_EVERY_S)
                except TimeoutError:
                    continue
        finally:
            for task in shards.values():
                task.cancel()
            await asyncio.gather(*shards.values(), return_exceptions=True)

    async def _match(self, shards: dict[str, asyncio.Task[None]]) -> None:
        """Look into each shard that is not being read now."""
        called = self._find()
        if called is None:
            return
        listed = await self._ask(called, "ListShards", {"StreamName": self._streamed.stream})
        for shard in (str(one["ShardId"]) for one in listed.get("Shards", ())):
            if shard not in shards or shards[shard].done():
                shards[shard] = asyncio.create_task(self._read(shard), name=f"shard {shard}")

    async def _read(self, shard: str) -> None:
        """Work on what a shard holds, until there is no more of it."""
        iterator, failures = None, 0
        while (called := self._find()) is not None:
            try:
                iterator = iterator or await self._begin(called, shard)
                asked = {"ShardIterator": iterator, "Limit": self._streamed.batch}
                got = await self._ask(called, "GetRecords", asked)
                records = got.get("Records") or []
                if not records:
                    if got.get("MillisBehindLatest") and got.get("NextShardIterator"):
                        iterator = got["NextShardIterator"]
                        continue
                    return
                is_done = await self._give(called, shard, records)
                iterator = got.get("NextShardIterator") if is_done else None
                failures = 0 if is_done else failures + 1
            except PlatformError as e:
                self._log.warning("records come again", error=e, stream=self._streamed.stream)
                iterator, failures = None, failures + 1
            if failures:
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S)) - 1])

    async def _begin(self, called: Called, shard: str) -> str:
        """Return from where a shard is to be read on."""
        bookmark = self._bookmarks.read(
            called.owner, called.name, self._streamed.trigger, self._clock.now()
        )
        asked: dict[str, Any] = {"StreamName": self._streamed.stream, "ShardId": shard}
        if shard in bookmark.shards:
            after = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": bookmark.shards[shard],
            }
            try:
                got = await self._ask(called, "GetShardIterator", {**asked, **after})
                return str(got["ShardIterator"])
            except NotDeclarable:  # the stream is another one by now
                pass
        first: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._streamed.begin == "latest":
            first = {
                "ShardIteratorType": "AT_TIMESTAMP",
                "Timestamp": bookmark.since.timestamp(),
            }
        got = await self._ask(called, "GetShardIterator", {**asked, **first})
        return str(got["ShardIterator"])

    async def _give(self, called: Called, shard: str, records: list[dict[str, Any]]) -> bool:
        """Call the function, and write how far it has come; tells whether that is all of it."""
        account = await self._account(called)
        source = arn_of(account, called.name).replace(":lambda:", ":kinesis:").rpartition(":")[0]
        source = f"{source.rpartition(':')[0]}:stream/{self._streamed.stream}"
        names = [str(one["SequenceNumber"]) for one in records]
        answer = await self._functions.call(
            called,
            of_records(records, source, shard),
            arn=arn_of(account, called.name),
            wait=_PATIENCE_S,
        )
        lost = failed(answer, names)
        done = names[: next((n for n, name in enumerate(names) if name in lost), len(names))]
        if done:
            trigger = self._streamed.trigger
            before = self._bookmarks.read(called.owner, called.name, trigger, self._clock.now())
            shards = {**before.shards, shard: done[-1]}
            self._bookmarks.write(
                called.owner, called.name, trigger, structs.replace(before, shards=shards)
            )
        return len(done) == len(names)

    async def _account(self, called: Called) -> str:
        asked = {"StreamName": self._streamed.stream}
        found = await self._ask(called, "DescribeStreamSummary", asked)
        return str(found["StreamDescriptionSummary"]["StreamARN"]).split(":")[4]

    async def _ask(self, called: Called, action: str, data: dict[str, Any]) -> dict[str, Any]:
        return await self._aws.ask(called.owner, "kinesis", action, data)
