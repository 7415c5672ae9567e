"""Read the logs of a service's instances, past and coming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from drystone.l10_engines.runtimes.logs import LogFile
from drystone.l10_engines.runtimes.port import LOG_NAME
from drystone.l25_deployer.api import LogRecord
from drystone.l25_deployer.errors import ReleaseNotFound
from drystone.l25_deployer.local.documents import UnreadableDocument

if TYPE_CHECKING:
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import InstanceRecord, ReleaseRecord

LOOK_FOR_RELEASES = 0.5


async def read_logs(
    kept: KeptService, *, group: str | None, release: int | None, lines: int, follow: bool
) -> AsyncIterator[LogRecord]:
    """Yield the last lines of the instances in question; when following, every further line too.

    Without a release, the active one and those that come after it are meant.
    """
    ends: dict[str, int] = {}
    for number, one in _instances(kept, group, release):
        log = LogFile(kept.machine.instances / one.id / LOG_NAME)
        for line in await asyncio.to_thread(log.tail, lines):
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
            for number, one in _instances(kept, group, release):
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


def _instances(
    kept: KeptService, group: str | None, release: int | None
) -> list[tuple[int, InstanceRecord]]:
    record = kept.record
    chosen = kept.release(release) if release is not None else None
    releases = [chosen] if chosen else _since(kept, record.active or 1)
    return [(r.number, one) for r in releases for one in r.instances if group in {None, one.group}]
