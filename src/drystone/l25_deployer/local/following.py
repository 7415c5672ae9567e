"""Read the logs of a service's instances, past and coming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.runtimes.logs import LogFile
from drystone.l10_engines.runtimes.port import LOG_NAME
from drystone.l25_deployer.api import LogRecord
from drystone.l25_deployer.errors import ReleaseNotFound
from drystone.l25_deployer.local.documents import UnreadableDocument
from drystone.l25_deployer.local.functions.describing import workers_of

if TYPE_CHECKING:
    from drystone.l10_engines.runtimes.log_lines import LogLine
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import InstanceRecord, ReleaseRecord

LOOK_FOR_RELEASES = 0.5


class Asked(msgspec.Struct, frozen=True):
    """Whose lines are asked for, and since when.

    Attributes:
        group: Only this one.
        release: Only this one; the active one and those that come after it when None.
        instance: Only this one, by its id.
        since: No line before.
    """

    group: str | None = None
    release: int | None = None
    instance: str | None = None
    since: datetime | None = None


async def read_logs(
    kept: KeptService, asked: Asked, *, lines: int, follow: bool
) -> AsyncIterator[LogRecord]:
    """Yield the last lines of the instances in question; when following, every further line too."""
    ends: dict[str, int] = {}
    for number, one in _instances(kept, asked):
        log = LogFile(kept.machine.instances / one.id / LOG_NAME)
        for line in await asyncio.to_thread(past, log, lines, asked.since):
            if follow and not line.is_complete:
                ends[one.id] = line.offset  # it comes whole when the rest of it is written
                continue
            ends[one.id] = line.end
            yield LogRecord(one.id, number, line.text)
    if not follow:
        return
    queue: asyncio.Queue[LogRecord] = asyncio.Queue(1000)
    followers: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            for number, one in _instances(kept, asked):
                if one.id not in followers:
                    followers[one.id] = asyncio.create_task(
                        _follow(kept, one, number, ends.get(one.id, 0), queue)
                    )
            try:
                yield await asyncio.wait_for(queue.get(), LOOK_FOR_RELEASES)
            except TimeoutError:
                continue
    finally:
        for task in followers.values():
            task.cancel()
        await asyncio.gather(*followers.values(), return_exceptions=True)


def past(log: LogFile, lines: int, since: datetime | None) -> list[LogLine]:
    """Return the last lines of a log.

    Args:
        log: The log.
        lines: How many at most.
        since: None before; times are known to some seconds.
    """
    found = log.tail(lines)
    if since is None:
        return found
    first = log.offset_at(since)
    return [line for line in found if line.offset >= first]


async def _follow(
    kept: KeptService,
    one: InstanceRecord,
    number: int,
    offset: int,
    queue: asyncio.Queue[LogRecord],
) -> None:
    log = LogFile(kept.machine.instances / one.id / LOG_NAME)
    async for line in log.follow(offset):
        await queue.put(LogRecord(one.id, number, line.text))


def _since(kept: KeptService, first: int) -> list[ReleaseRecord]:
    """Return the releases from this number on; those that are known are not read again, for hundreds may follow."""
    found = []
    for number in range(first, kept.record.next_release):
        with suppress(ReleaseNotFound, UnreadableDocument):
            found.append(kept.release(number))
    return found


def _instances(kept: KeptService, asked: Asked) -> list[tuple[int, InstanceRecord]]:
    chosen = kept.release(asked.release) if asked.release is not None else None
    releases = [chosen] if chosen else _since(kept, kept.record.active or 1)
    return [
        (r.number, one)
        for r in releases
        for one in (*r.instances, *workers_of(kept.record, r))
        if asked.group in {None, one.group} and asked.instance in {None, one.id}
    ]
