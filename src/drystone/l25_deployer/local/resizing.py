"""Change how many instances the release that serves has: more begin beside those that serve, fewer go when they are idle.

What is written is what there is to be: an agent that dies while instances come finds them in the release and starts them, and one
that dies while instances go finds them there still, and lets them serve until it takes them away again. Every step holds the lock
of its service for a short while only; waiting for health or for the end of requests holds nothing.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.errors import NoInstance
from drystone.l25_deployer.local import resizing_places as places
from drystone.l25_deployer.local.blueprints import blueprints, lay_out_more
from drystone.l25_deployer.local.instances import State
from drystone.l25_deployer.local.running import together

if TYPE_CHECKING:
    from drystone.l25_deployer.local.instances import KeptInstance
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import ReleaseRecord
    from drystone.l25_deployer.local.running import RunningRelease


def active_of(kept: KeptService) -> tuple[ReleaseRecord, RunningRelease]:
    """Return the release that serves and its instances.

    Raises:
        NoInstance: Nothing serves.
    """
    release, running = kept.active_release(), kept.active
    if release is None or running is None:
        raise NoInstance(f"{kept.name} has no release that serves; deploy it first")
    return release, running


async def add(
    kept: KeptService, group: str, count: int, to: RunningRelease | None = None
) -> tuple[KeptInstance, ...]:
    """Start more instances; they get requests as soon as they are healthy. The lock is held.

    Args:
        kept: The service.
        group: Of which group.
        count: How many.
        to: Of which release; of the one that serves when omitted.

    Raises:
        PlatformError: They cannot be started; there are as many as before.
    """
    release, running = active_of(kept) if to is None else (to.release, to)
    more = lay_out_more(kept.record, release, group, count, kept.machine.ports.lend)
    ids = frozenset(one.id for one in more)
    gone = tuple(id_ for id_ in release.gone if id_ not in ids)
    release = msgspec.structs.replace(release, instances=(*release.instances, *more), gone=gone)
    try:
        release = kept.save_release(release)
    except PlatformError:
        for one in more:
            _give_back(kept, one.port)
        raise
    places.MORE_WRITTEN.reach()
    try:
        await kept.surround()
        every = blueprints(kept.record, release, kept.surroundings(release))
        new = running.grow(tuple(one for one in every if one.spec.id in ids))
        await together(one.begin() for one in new)
    except (PlatformError, OSError):
        await end(kept, running, ids)
        raise
    places.MORE_BEGUN.reach()
    return new


def arrived(running: RunningRelease, ids: frozenset[str]) -> None:
    """Take note that instances that were added are healthy."""
    running.coming -= ids
    places.MORE_WELL.reach()


async def close(kept: KeptService, running: RunningRelease, ids: frozenset[str]) -> None:
    """Let instances get nothing new; what they have goes on. The lock is held.

    Raises:
        PlatformError: The edge does not confirm it; they serve as before.
    """
    running.leaving |= ids
    try:
        await kept.publish()
        await kept.machine.edge.require_kept()
    except PlatformError:
        running.leaving -= ids
        with suppress(PlatformError):
            await kept.publish()
        raise
    places.FEWER_CLOSED.reach()


async def drain(kept: KeptService, running: RunningRelease, ids: frozenset[str]) -> None:
    """Wait until instances that get nothing new have answered what they have, within their limit."""
    chosen = [one.blueprint for one in running.instances if one.blueprint.spec.id in ids]
    ports = tuple(one.port for one in chosen if one.port is not None)
    if ports:
        limit = max((one.stop.drain for one in chosen), default=timedelta(0))
        left = await kept.machine.edge.until_idle(kept.name, ports, limit)
        if left:
            text = f"{left} requests were cut at the limit of {limit}: {', '.join(sorted(ids))}"
            kept.write_history("cut", text, release=running.release)
    places.FEWER_DRAINED.reach()


async def end(kept: KeptService, running: RunningRelease, ids: frozenset[str]) -> None:
    """End instances and forget them; those of a release that has ended meanwhile are gone already. The lock is held."""
    number = running.release.number
    if kept.running.get(number) is not running:
        return
    chosen = [one for one in running.instances if one.blueprint.spec.id in ids]
    await together(one.end() for one in chosen)
    running.shed(ids)
    places.FEWER_ENDED.reach()
    release = kept.release(number)
    going = [one for one in release.instances if one.id in ids]
    if going:
        staying = tuple(one for one in release.instances if one.id not in ids)
        gone = (*release.gone, *(one.id for one in going))
        kept.note_release(msgspec.structs.replace(release, instances=staying, gone=gone))
    for one in going:
        _give_back(kept, one.port)
    places.FEWER_WRITTEN.reach()
    kept.machine.edge.outdate()
    with suppress(PlatformError):  # it follows with the next that is published
        await kept.publish()


def to_go(running: RunningRelease, group: str, count: int) -> frozenset[str]:
    """Choose which instances go: those first that are not well, then those that came last.

    Args:
        running: Of which.
        group: Of which group.
        count: How many go.
    """
    every = running.of_group(group)
    order = sorted(range(len(every)), key=lambda i: (every[i].state is State.HEALTHY, -i))
    return frozenset(every[i].blueprint.spec.id for i in order[:count])


def _give_back(kept: KeptService, port: int | None) -> None:
    if port is not None:
        kept.machine.ports.give_back(port)
