"""How a deploy or a rollback ends: finished forward after its switch, undone before it.

In the process that began it, after success, failure or an abort; in the next one after a crash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.local import places

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import ReleaseRecord
    from drystone.l25_deployer.local.telling import Teller
    from drystone.l25_deployer.stacks.model import Resource

FAILED_KEPT = 5
"""How many failed releases a service keeps that has none that serves."""


async def finish(kept: KeptService, tell: Teller, note_end: Callable[[], None]) -> None:
    """Do what follows a switch; also what a new agent does when it finds a switch that was not followed up.

    The old release is kept warm for a while, or drained and ended; what nobody needs is removed.

    Args:
        kept: The service.
        tell: Hears how it goes.
        note_end: Writes the operation's end into the history. It is called while the record still names the
            operation: whoever dies in between leaves what the next agent concludes.
    """
    active = kept.active_release()
    if active is not None:
        if active.number in kept.running:
            await kept.running[active.number].wake()
            places.WOKEN.reach()
        # The one that served before this one was written last; after a rollback its number may be the lower.
        last = next(reversed(kept.record.warm), None)
        for number in sorted(kept.record.warm):
            is_kept = number == last and active.stacks.route.keep_warm
            if not is_kept or _needs_what_goes(kept, number, active):
                with tell.step("drain", f"release {number}, then stop it"):
                    await _try(kept.cool(number), f"release {number} is kept warm", tell)
        if last in kept.running and last in kept.record.warm:
            await _try(kept.running[last].rest(), f"workers of release {last} still run", tell)
            places.RESTED.reach()
            kept.note_release(msgspec.structs.replace(kept.running[last].release, state="warm"))
            places.WARM_WRITTEN.reach()
            if kept.release(last).stacks.environment != active.stacks.environment:
                # What it alone declared is declared no more.
                kept.machine.edge.outdate()
                await _try(kept.publish(), "what the release before declared is still open", tell)
        await _remove_unwanted(kept, active, tell)
    note_end()
    kept.note(operation=None, ended=kept.record.with_end("serving"))
    places.CONCLUDED.reach()
    prune(kept)
    kept.tend()


def _unwanted(kept: KeptService, active: ReleaseRecord) -> set[str]:
    """Return the resources that the descriptor no longer names, those whose removal was confirmed."""
    operation = kept.record.operation
    unwanted = set(operation.unwanted) if operation else set[str]()
    return unwanted & kept.record.eternal.keys() - active.stacks.eternal.resources.keys()


def _needs_what_goes(kept: KeptService, number: int, active: ReleaseRecord) -> bool:
    """Tell whether a release runs with a resource that is removed now.

    Were it gone back to while it is warm, it would go on with the credentials of what is no more.
    """
    return (
        not kept.release(number).stacks.eternal.resources.keys().isdisjoint(_unwanted(kept, active))
    )


async def _remove_unwanted(kept: KeptService, active: ReleaseRecord, tell: Teller) -> None:
    for name in sorted(_unwanted(kept, active)):
        with tell.step("resources", f"remove {name}"):
            # The new release serves; what cannot be removed now is in the plan of the next deploy again.
            await _try(remove_resource(kept, name, keeps_last=True), f"'{name}' stays", tell)


async def remove_resource(kept: KeptService, name: str, *, keeps_last: bool = False) -> None:
    """Remove one resource with its data.

    Args:
        kept: The service.
        name: The resource.
        keeps_last: Whether a last backup of it is made before; it is not removed where there can be none.
    """
    if keeps_last:
        operation = kept.record.operation
        by = operation.by if operation else "platform"
        try:
            await kept.machine.copying.keep_last(kept.record, name, by)
        except PlatformError as e:
            raise type(e)(
                f"'{name}' stays, since no last backup of it can be made: {e}\nmake that possible and say the same"
                " again, or destroy with --no-final-backup",
                **e.details,
            ) from e
    await kept.machine.provisioner.remove(kept.record, name, kept.record.eternal[name])
    places.REMOVED.reach()
    record = kept.record
    kept.note(
        eternal={n: r for n, r in record.eternal.items() if n != name},
        rotated={n: at for n, at in record.rotated.items() if n != name},
    )
    kept.forget_values(name)
    places.UNNAMED.reach()


async def undo(
    kept: KeptService, number: int, reason: str, tell: Teller, note_end: Callable[[], None]
) -> None:
    """Put everything back to the release that serves; the failed one leaves nothing but its record.

    Args:
        kept: The service.
        number: The release that failed.
        reason: Why, for its record.
        tell: Hears how it goes.
        note_end: See :func:`finish`.
    """
    operation = kept.record.operation
    going_back = operation is not None and operation.kind == "rollback"
    with tell.step("stop", f"release {number}, which does not get the traffic"):
        stays_warm = going_back and number in kept.record.warm and number in kept.running
        if stays_warm:
            await kept.running[number].rest()
        else:
            await kept.end_release(number)
    places.UNDO_ENDED.reach()
    failed = kept.release(number)
    if not stays_warm:
        kept.give_ports_back(failed)  # those that it was given before it could start
    if not stays_warm and not going_back:
        kept.retire_keys(number)
    withdrawn = operation is not None and operation.kind == "withdraw"
    state = (
        "warm"
        if stays_warm
        else "stopped"
        if going_back
        else "withdrawn"
        if withdrawn
        else "failed"
    )
    kept.note_release(msgspec.structs.replace(failed, state=state, failure=reason))
    places.UNDO_WRITTEN.reach()
    for name in operation.fresh if operation is not None else ():
        if name in kept.record.eternal:
            await _try(remove_resource(kept, name), f"'{name}' stays, without data", tell)
    places.UNDO_FRESH.reach()
    for name, resource in operation.before.items() if operation is not None else ():
        await _try(_set_back(kept, name, resource), f"'{name}' is not as before", tell)
    places.UNDO_BEFORE.reach()
    previous = kept.active_release()
    if previous is not None and previous.number not in kept.running:
        await _try(_start_again(kept, previous, tell), "the old release is not as before", tell)
    places.UNDO_SERVES.reach()
    note_end()
    kept.note(
        operation=None,
        ended=kept.record.with_end("withdrawn" if withdrawn else "failed", reason),
    )
    places.UNDONE.reach()
    if previous is None or failed.stacks.environment != previous.stacks.environment:
        # While it was begun, what it declares was open: its ways out, and a proxy of its own before the service.
        await _try(kept.surround(), "what it declared is still open", tell)
    prune(kept)
    kept.tend()


async def _try(work: Awaitable[None], otherwise: str, tell: Teller) -> None:
    """Do one part of an undoing; its failure must not keep the rest from being done."""
    try:
        await work
    except PlatformError as e:
        tell.info("undo", f"{otherwise}: {e}")


async def _set_back(kept: KeptService, name: str, resource: Resource) -> None:
    """Give a resource the settings that it had."""
    if kept.record.eternal.get(name) != resource:
        kept.note(eternal={**kept.record.eternal, name: resource})
        await kept.provide(name)


async def _start_again(kept: KeptService, previous: ReleaseRecord, tell: Teller) -> None:
    """Start the old release of a cutover, or adopt what still runs of it."""
    with tell.step("start", f"release {previous.number} again"):
        previous = await kept.made_startable(previous)
        for one in previous.instances:
            if one.port is not None:
                kept.machine.ports.note(one.port)
        running = kept.make_running(previous)
        # What cannot start now, on a full disk, is tried again for as long as this release is to serve.
        await running.wake()
        kept.note_release(msgspec.structs.replace(previous, state="active"))
        await running.until_healthy(None)
        await kept.publish()


def prune(kept: KeptService) -> None:
    """Forget releases beyond those that can be gone back to, with their instances' folders and artefacts."""
    record = kept.record
    active = kept.active_release()
    keep = active.stacks.route.keep if active else FAILED_KEPT
    back = record.trail[-keep:] if keep else ()
    needed = {record.active, *back, *record.warm, *kept.beside.values()}
    if record.canary is not None:
        needed.add(record.canary.release)
    # As they are, which on a full disk is not yet what it says of them.
    every = [kept.release(release.number) for release in kept.releases()]
    failed = [
        r.number for r in every if r.state in {"failed", "withdrawn"} and r.number not in needed
    ]
    needed.update(sorted(failed)[-max(1, keep) :])
    kept.note(trail=back)
    places.TRAIL_CUT.reach()
    for release in every:
        if release.number not in needed and release.number not in kept.running:
            kept.machine.forget_instances(kept.record, release)
            places.FOLDERS_REMOVED.reach()
            kept.retire_keys(release.number)
            kept.forget_release(release.number)
