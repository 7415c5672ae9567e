"""The operations on a service: one at a time, each finished, undone or resumed, never half done."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.shortage import DiskFull, full_disks
from drystone.l25_deployer.errors import (
    DeployAborted,
    DeployFailed,
    DeployInProgress,
    NothingToRollBackTo,
)
from drystone.l25_deployer.local import places
from drystone.l25_deployer.local.conclusion import finish, remove_resource, undo
from drystone.l25_deployer.local.deploy import Deploy
from drystone.l25_deployer.local.ending import to_the_end
from drystone.l25_deployer.local.held import follow_hold, hold, note_served
from drystone.l25_deployer.local.records import Operation, ReleaseRecord, ServiceRecord
from drystone.l25_deployer.stacks.ways import WAY_IN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.telling import Teller


async def exclusively(
    kept: KeptService,
    tell: Teller,
    work: Callable[[], Awaitable[None]],
    *,
    wait: bool = True,
    key: str | None = None,
) -> None:
    """Run an operation when no other one runs on the service.

    Args:
        kept: The service.
        tell: Hears when it has to wait, and for what.
        work: The operation.
        wait: Whether to wait at all.
        key: Of the operation; it waits in any case for one that has the same.

    Raises:
        DeployInProgress: Another operation runs and ``wait`` is false.
    """
    if not kept.recovered.is_set():
        with tell.step("wait", f"{kept.name} is being recovered"):
            await kept.recovered.wait()
    if kept.lock.locked():
        busy = describe(kept)
        running = kept.record.operation
        is_repeat = key is not None and running is not None and running.key == key
        if not wait and not is_repeat:
            raise DeployInProgress(
                f"{busy}; wait for it, or stop it with"
                f" `drystone abort {kept.record.service} --env {kept.record.environment}`"
            )
        with tell.step("wait", busy):
            await kept.lock.acquire()
    else:
        await kept.lock.acquire()
    kept.task = asyncio.current_task()
    try:
        await work()
    finally:
        kept.task = None
        kept.lock.release()


def describe(kept: KeptService) -> str:
    """Say what is being done to a service."""
    operation = kept.record.operation
    if operation is None:
        return f"another operation on {kept.name} is about to end"
    release = f" of release {operation.release}" if operation.release else ""
    since = operation.since.strftime("%H:%M:%S")
    return f"a {operation.kind}{release} of {kept.name}, begun by {operation.by} at {since} UTC, is in progress"


async def deploy(
    kept: KeptService,
    release: ReleaseRecord,
    tell: Teller,
    *,
    folder: Path,
    by: str,
    confirmed: frozenset[str] = frozenset(),
    holds: bool = False,
    artifact: str | None = None,
) -> None:
    """Deploy a new release; the lock is held.

    Args:
        kept: The service.
        release: The release, numbered with the record's next number.
        tell: Hears how it goes.
        folder: The descriptor's folder.
        by: Who asked.
        confirmed: Resources that may go with their data.
        holds: Whether it gets no traffic yet; without a release that serves it gets all.
        artifact: Digest of the artefact that it must be; any when omitted.

    Raises:
        DiskFull: There is too little room for it; nothing has begun.
        DeployFailed: It did not come up.
        DeployAborted: It was aborted before the switch.
        PlatformError: Something it needs does not work.
    """
    require_room(kept)
    existing, wanted = kept.record.eternal, release.stacks.eternal.resources
    fresh = tuple(name for name in wanted if name not in existing)
    unwanted = tuple(
        name
        for name, resource in existing.items()
        if name not in wanted and (name in confirmed or not resource.protect)
    )
    now = kept.machine.clock.now()
    if holds and kept.record.active is None:
        tell.info("hold", "nothing serves that it could wait beside: it serves at once")
        holds = False
    release = msgspec.structs.replace(release, slot=kept.slot_beside(is_tried=holds))
    operation = Operation(
        "deploy", release.number, now, by, fresh, unwanted, existing, key=release.key, holds=holds
    )
    kept.documents.save_release(kept.record, release)
    places.DEPLOY_RELEASE.reach()
    kept.save(next_release=release.number + 1, operation=operation)
    places.DEPLOY_WRITTEN.reach()
    kept.write_history("deploy began", f"version {release.version}", by=by, release=release)
    places.DEPLOY_TOLD.reach()
    way = Deploy(kept, release, tell, folder, artifact=artifact)
    await _carry_out(kept, way, tell, event="deploy", by=by)


def require_room(kept: KeptService) -> None:
    """Begin nothing that a full disk would end half-way; an old release may have been stopped for it by then.

    Raises:
        DiskFull: The message names each disk and what to do.
    """
    full = [room.sentence() for room in full_disks(kept.machine.disks)]
    if full:
        raise DiskFull("\n".join([*full, "then deploy again; nothing has changed"]))


async def roll_back(
    kept: KeptService,
    tell: Teller,
    *,
    by: str,
    number: int | None = None,
    key: str | None = None,
) -> None:
    """Return to the release that served before, or to another one that is kept; the lock is held.

    Raises:
        NothingToRollBackTo: No earlier release is kept.
        ReleaseNotFound: The one that was named is not kept.
        DeployFailed: The earlier release does not come up any more.
    """
    active = kept.active_release()
    if active is not None and number == active.number:
        tell.release = number
        note_served(kept, key, number)
        tell.info("done", f"{kept.name} serves release {number} already")
        return
    release = _earlier(kept, number)
    if active is None or release is None:
        raise NothingToRollBackTo(
            f"{kept.name} has no earlier release that is kept; deploy the version that you want"
        )
    tell.release = release.number
    existing = kept.record.eternal
    fresh = tuple(name for name in release.stacks.eternal.resources if name not in existing)
    now = kept.machine.clock.now()
    operation = Operation("rollback", release.number, now, by, fresh, before=existing, key=key)
    kept.save(operation=operation)
    places.ROLLBACK_WRITTEN.reach()
    text = f"from release {active.number} (version {active.version})"
    kept.write_history("rollback began", text, by=by, release=release)
    places.ROLLBACK_TOLD.reach()
    await _carry_out(kept, Deploy(kept, release, tell, None), tell, event="rollback", by=by)


def _earlier(kept: KeptService, number: int | None) -> ReleaseRecord | None:
    """Return the release to go back to.

    Raises:
        ReleaseNotFound: The one that was named is not kept.
        NothingToRollBackTo: It never served.
    """
    if number is None:
        return kept.release(kept.record.trail[-1]) if kept.record.trail else None
    release = kept.release(number)
    if number not in kept.record.trail and release.state not in {"warm", "stopped"}:
        raise NothingToRollBackTo(
            f"release {number} of {kept.name} never served ({release.state}); these did:"
            f" {', '.join(map(str, kept.record.trail)) or 'none'}"
        )
    return release


async def _carry_out(kept: KeptService, way: Deploy, tell: Teller, *, event: str, by: str) -> None:
    release = way.release
    begun = kept.machine.clock.monotonic()

    def note(what: str, text: str) -> None:
        seconds = (kept.machine.clock.monotonic() - begun).total_seconds()
        kept.write_history(f"{event} {what}", text, by=by, release=release, seconds=seconds)

    try:
        await kept.machine.edge.until_ready()
        places.EDGE_READY.reach()
        await way.bring_up()
        holds = kept.record.operation is not None and kept.record.operation.holds
        if holds:
            hold(kept, way.release)
        else:
            way.commit()
    except (PlatformError, OSError, asyncio.CancelledError) as e:
        aborted = isinstance(e, asyncio.CancelledError)
        reason = _reason(kept, e)
        note_end = partial(note, "aborted" if aborted else "failed", reason)
        await to_the_end(undo(kept, release.number, reason, tell, note_end))
        raise _verdict(kept, e, reason) from e
    if holds:
        await to_the_end(
            follow_hold(kept, tell, partial(note, "held", f"version {release.version}"))
        )
        active = kept.record.active
        tell.info("done", f"release {release.number} is held beside release {active}, which serves")
        return
    await to_the_end(
        _conclude(kept, way, tell, partial(note, "done", f"version {release.version}"))
    )
    url = kept.machine.url(kept.hosts[0]) if kept.hosts else None
    tell.info("done", f"{kept.name} serves version {release.version}", url=url)


async def _conclude(
    kept: KeptService, way: Deploy, tell: Teller, note_end: Callable[[], None]
) -> None:
    await way.switch()
    await finish(kept, tell, note_end)


def serving(kept: KeptService) -> str:
    """Say what serves now."""
    active = kept.active_release()
    if active is None:
        return "nothing serves; there was no release before"
    return f"release {active.number} (version {active.version}) serves as before"


def _verdict(kept: KeptService, cause: BaseException, reason: str) -> PlatformError:
    if isinstance(cause, asyncio.CancelledError):
        return DeployAborted(f"aborted; {serving(kept)}")
    if isinstance(cause, DeployFailed | OSError):
        return DeployFailed(f"{reason}\n{serving(kept)}")
    assert isinstance(cause, PlatformError)  # noqa: S101 - no other kind is caught
    return type(cause)(f"{reason}\n{serving(kept)}", **cause.details)


def _reason(kept: KeptService, cause: BaseException) -> str:
    """Say why it failed; a disk that is full is named, whoever it was that stumbled over it."""
    if isinstance(cause, asyncio.CancelledError):
        return "aborted"
    said = str(cause)
    full = [room.sentence() for room in full_disks(kept.machine.disks)]
    return "\n".join([said, *(sentence for sentence in full if sentence not in said)])


async def destroy(
    kept: KeptService,
    tell: Teller,
    *,
    with_data: frozenset[str],
    by: str,
    keeps_last: bool = True,
) -> None:
    """Remove the service; the lock is held. Resources whose names are not given keep their data.

    Args:
        kept: The service.
        tell: Hears how it goes.
        with_data: Resources to remove with their data.
        by: Who asked.
        keeps_last: Whether a last backup of that data is made.
    """
    nothing_lost = {n for n, one in kept.record.eternal.items() if isinstance(one, WAY_IN)}
    operation = Operation(
        "destroy",
        None,
        kept.machine.clock.now(),
        by,
        unwanted=tuple(sorted(with_data | nothing_lost)),
        keeps_last=keeps_last,
    )
    kept.save(operation=operation)
    places.DESTROY_WRITTEN.reach()
    await to_the_end(finish_destroy(kept, tell))


async def finish_destroy(kept: KeptService, tell: Teller) -> None:
    """Carry out a destroy that has begun, in this life of the agent or in an earlier one."""
    operation = kept.record.operation
    by = operation.by if operation else "platform"
    with tell.step("route", "no more requests"):
        await kept.stand_down()
    places.STOOD_DOWN.reach()
    for number in list(kept.running):
        with tell.step("stop", f"release {number}"):
            await kept.drain(kept.running[number])
            await kept.end_release(number)
    places.RELEASES_ENDED.reach()
    for name in operation.unwanted if operation else ():
        if name in kept.record.eternal:
            with tell.step("resources", f"remove {name} and its data"):
                await remove_resource(
                    kept, name, keeps_last=operation is None or operation.keeps_last
                )
    places.DATA_REMOVED.reach()
    await kept.machine.edge.route(kept.name, None)
    places.ROUTE_REMOVED.reach()
    await kept.machine.provisioner.suspend(kept.record)
    left = _left(kept)
    kept.write_history("destroyed", left, by=by)
    places.DESTROY_TOLD.reach()
    _forget(kept)
    await kept.leave_mesh()
    tell.info("done", f"{kept.name} is gone; {left}")


def _left(kept: KeptService) -> str:
    left = ", ".join(sorted(kept.record.eternal))
    return f"data is kept of: {left}" if left else "no data is left"


def _forget(kept: KeptService) -> None:
    """Remove the releases, but first their names, so that no record ever names what is not there."""
    kept.note(active=None, trail=(), warm={}, canary=None)
    places.NAMES_FORGOTTEN.reach()
    record = kept.record
    keys = kept.machine.keys
    kept.owed.do(lambda: keys.forget(*record.key))
    places.KEYS_REVOKED.reach()
    for release in kept.releases():
        kept.machine.forget_instances(record, release)
        kept.forget_release(release.number)
    places.RELEASES_REMOVED.reach()
    if record.eternal:
        kept.note(operation=None)
    else:
        kept.owed.do(lambda: kept.documents.remove_service(record))
        kept.record = ServiceRecord(record.service, record.environment)
