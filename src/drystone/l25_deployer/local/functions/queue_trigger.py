"""Gives the messages of one queue to one function, as many at once as it may be called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.aws.access import REGION
from drystone.l25_deployer.local.functions.events import failed, of_messages
from drystone.l25_deployer.local.functions.lambda_protocol import arn_of

if TYPE_CHECKING:
    from drystone.l00_kernel.ports import Log
    from drystone.l10_engines.aws.server import AwsEngine
    from drystone.l25_deployer.local.functions.service import Called, Functions

LOOK_EVERY_S = 5.0
"""How long a message may lie that appears by itself, such as one that was delayed."""

_LATER_S = 0.05
"""After a message can be taken again that was not finished, it is looked for."""

AT_ONCE = 5
"""Batches of one queue that are worked on together."""

AGAIN_AFTER_S = (1, 10)
"""Seconds after the first and the second failure of a call that nobody waits for."""


class Queued(msgspec.Struct, frozen=True):
    """A queue that calls a function.

    Attributes:
        queue: What clients call it.
        batch: Messages that the function is given at once.
        is_fifo: Whether it keeps order.
        visibility: Seconds until a message is given out again.
        is_calls: Whether its messages are calls themselves, and not what a call is about.
    """

    queue: str
    batch: int
    is_fifo: bool
    visibility: int
    is_calls: bool = False


class QueueTrigger:
    """Follows one queue.

    Args:
        functions: Calls the function.
        aws: Holds the queue.
        find: Returns the function as it serves now; None when it does not.
        queued: The queue.
        log: Where to report.
    """

    def __init__(
        self,
        functions: Functions,
        aws: AwsEngine,
        find: Callable[[], Called | None],
        queued: Queued,
        log: Log,
    ) -> None:
        self._functions = functions
        self._aws = aws
        self._find = find
        self._queued = queued
        self._log = log
        self.wake = asyncio.Event()
        """Set when something may have been added to the queue."""
        self._working: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Follow the queue until cancelled; what is worked on then goes on."""
        while True:
            self.wake.clear()
            try:
                took = await self._take()
            except PlatformError as e:
                self._log.warning("queue not followed", queue=self._queued.queue, error=e)
                took = False
            if not took:
                waking = asyncio.ensure_future(self.wake.wait())
                try:
                    await asyncio.wait(
                        {waking, *self._working} if self._is_full else {waking},
                        timeout=LOOK_EVERY_S,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    waking.cancel()

    @property
    def _is_full(self) -> bool:
        return len(self._working) >= (1 if self._queued.is_fifo else AT_ONCE)

    async def _take(self) -> bool:
        called = self._find()
        if called is None or self._is_full:
            return False
        asked = {
            "QueueUrl": self._queued.queue,
            "MaxNumberOfMessages": self._queued.batch,
            "WaitTimeSeconds": 0,
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        got = await self._aws.ask(called.owner, "sqs", "ReceiveMessage", asked)
        messages = got.get("Messages") or []
        if not messages:
            return False
        task = asyncio.create_task(self._work(called, messages))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return True

    async def _work(self, called: Called, messages: list[dict[str, Any]]) -> None:
        try:
            lost = await self._failed(called, messages)
            await self._settle(called, messages, lost)
        except PlatformError as e:  # they come back by themselves
            self._log.warning(
                "messages come back", queue=self._queued.queue, function=called.name, error=e
            )

    async def _failed(self, called: Called, messages: list[dict[str, Any]]) -> set[str]:
        """Call the function, and say which messages it did not finish."""
        account = await self._account(called)
        arn = arn_of(account, called.name)
        names = [str(one["MessageId"]) for one in messages]
        if self._queued.is_calls:
            payload, name = str(messages[0]["Body"]).encode(), names[0]
        else:
            source = f"arn:aws:sqs:{REGION}:{account}:{self._queued.queue}"
            payload, name = of_messages(messages, source), None
        patience = max(1.0, float(self._queued.visibility - called.function.timeout))
        answer = await self._functions.call(called, payload, arn=arn, id_=name, wait=patience)
        if self._queued.is_calls:
            return set(names) if answer.is_failure else set()
        return failed(answer, names)

    async def _account(self, called: Called) -> str:
        found = await self._aws.ask(called.owner, "sqs", "GetQueueUrl", self._name)
        return str(found["QueueUrl"]).rstrip("/").split("/")[-2]

    @property
    def _name(self) -> dict[str, str]:
        return {"QueueName": self._queued.queue}

    async def _settle(self, called: Called, messages: list[dict[str, Any]], lost: set[str]) -> None:
        done = [one for one in messages if one["MessageId"] not in lost]
        if done:
            entries = [
                {"Id": str(number), "ReceiptHandle": one["ReceiptHandle"]}
                for number, one in enumerate(done)
            ]
            remove = {"QueueUrl": self._queued.queue, "Entries": entries}
            await self._aws.ask(called.owner, "sqs", "DeleteMessageBatch", remove)
        if not lost:
            return
        pause = self._queued.visibility
        if self._queued.is_calls:
            times = int(messages[0].get("Attributes", {}).get("ApproximateReceiveCount", "1"))
            pause = AGAIN_AFTER_S[min(times, len(AGAIN_AFTER_S)) - 1]
            again = {
                "QueueUrl": self._queued.queue,
                "ReceiptHandle": messages[0]["ReceiptHandle"],
                "VisibilityTimeout": pause,
            }
            await self._aws.ask(called.owner, "sqs", "ChangeMessageVisibility", again)
        asyncio.get_running_loop().call_later(pause + _LATER_S, self.wake.set)
