"""Bring a service back to what its record says, after whatever happened to the platform."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.errors import ReleaseNotFound, ServiceNotFound
from drystone.l25_deployer.local import places
from drystone.l25_deployer.local.conclusion import finish, undo
from drystone.l25_deployer.local.documents import UnreadableDocument
from drystone.l25_deployer.local.held import finish_withdraw, withdraw
from drystone.l25_deployer.local.operations import finish_destroy
from drystone.l25_deployer.local.templates import ValueUnknown

if TYPE_CHECKING:
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import Canary, Operation, ReleaseRecord
    from drystone.l25_deployer.local.running import RunningRelease
    from drystone.l25_deployer.local.telling import Teller

_ENDS = ("done", "failed", "aborted", "undone", "held")
"""How an operation that began can end, as the history says."""


async def recover(kept: KeptService, tell: Teller) -> bool:
    """Bring a service to what its record says, after whatever happened; the lock is held.

    What still runs is adopted; what does not is started; an operation that was cut short is finished when its
    switch was written, and undone otherwise.

    Returns:
        Whether every instance of the active release was found running.

    Raises:
        PlatformError: Something that it needs does not work; the next attempt may.
    """
    record = kept.record
    places.RECOVER_BEGUN.reach()
    _forget_unbegun(kept)
    for name in record.eternal:
        await kept.provide(name)
        if await kept.machine.copying.bring_back(record, name):
            await kept.provide(name)
    places.RECOVER_PROVIDED.reach()
    if record.eternal and record.is_apart:
        await kept.surround()  # an engine may be somewhere else than it was
    for number in (*record.warm, *_unfinished(kept)):
        await _find_again(kept, number)
    places.RECOVER_FOUND.reach()
    operation = record.operation
    if operation is not None and operation.kind == "destroy":
        held = record.canary.release if record.canary is not None else None
        for number in filter(None, (record.active, held)):
            await _find_again(kept, number)
        await finish_destroy(kept, tell)
        return True
    for number in _to_end(kept):
        await kept.end_release(number)
    places.RECOVER_ENDED.reach()
    adopted = record.active is None or await _take_up(kept, record.active)
    places.RECOVER_TAKEN.reach()
    if record.canary is not None:
        await _hold_again(kept, record.canary, tell)
    await _conclude(kept, operation, tell)
    places.RECOVERED.reach()
    return adopted


async def _conclude(kept: KeptService, operation: Operation | None, tell: Teller) -> None:
    """Finish an operation that an earlier life of the agent began, or undo it."""
    if operation is None:
        kept.tend()
    elif operation.release is None or operation.release == kept.record.active:
        text = "finished after the platform had stopped in the middle of it"
        await finish(kept, tell, partial(_note_once, kept, operation, "done", text))
    elif operation.kind == "withdraw":
        note_end = partial(_note_once, kept, operation, "done", operation.reason)
        await finish_withdraw(kept, operation, tell, note_end)
    else:
        reason = "the platform stopped in the middle of it"
        note_end = partial(_note_once, kept, operation, "undone", reason)
        await undo(kept, operation.release, reason, tell, note_end)


def _note_once(kept: KeptService, operation: Operation, what: str, text: str) -> None:
    """Write how an operation ended that an earlier life of the agent began, unless that one did.

    It may have died before it wrote the beginning, or after it wrote the end.
    """
    record = kept.record
    try:
        events = kept.documents.history(record.environment, record.service)
    except ServiceNotFound:
        events = []
    written = {event.event for event in events if event.at >= operation.since}
    release = None if operation.release is None else kept.release(operation.release)
    if f"{operation.kind} began" not in written:
        kept.write_history(f"{operation.kind} began", "", by=operation.by, release=release)
    if not written & {f"{operation.kind} {end}" for end in _ENDS}:
        kept.write_history(f"{operation.kind} {what}", text, release=release)


def _forget_unbegun(kept: KeptService) -> None:
    """Remove releases that were written down just before a death kept their deploys from beginning."""
    record = kept.record
    for release in kept.releases():
        if release.number >= record.next_release:
            kept.documents.remove_release(record, release.number)


def _unfinished(kept: KeptService) -> tuple[int, ...]:
    operation = kept.record.operation
    number = operation.release if operation else None
    return () if number is None or number == kept.record.active else (number,)


def _to_end(kept: KeptService) -> tuple[int, ...]:
    """Return what ends before the release that serves is taken up: the two releases of a cutover never run together."""
    operation = kept.record.operation
    if operation is not None and operation.kind == "withdraw":
        return ()  # it may still have requests to answer
    return tuple(number for number in _unfinished(kept) if number not in kept.record.warm)


async def _take_up(kept: KeptService, number: int) -> bool:
    """Adopt the instances of the release that serves, and start those that do not run."""
    if number in kept.running:
        return True
    running = _known_again(kept, await kept.made_startable(kept.release(number)))
    try:
        return await running.begin() == len(running.instances)
    except PlatformError:
        await running.leave()  # the next attempt adopts what was started
        kept.running.pop(number)
        raise


async def _hold_again(kept: KeptService, held: Canary, tell: Teller) -> None:
    """Adopt the instances of what is held, and start those that do not run; what cannot be started is withdrawn."""
    release = kept.release(held.release)
    events = kept.documents.history(kept.record.environment, kept.record.service)
    if not any(e.event == "deploy held" and e.at >= held.since for e in events):
        kept.write_history("deploy held", f"version {release.version}", release=release)
    if release.state != "canary":  # a settling had begun, in vain
        release = kept.note_release(msgspec.structs.replace(release, state="canary"))
    if held.release in kept.running:
        return
    try:
        running = _known_again(kept, await kept.made_startable(release))
    except PlatformError as e:
        await withdraw(kept, tell, reason=f"it cannot be started again: {e}", by="platform")
        return
    await running.serve()
    await kept.counting.begin()
    places.HELD_AGAIN.reach()


async def _find_again(kept: KeptService, number: int) -> None:
    """Adopt what still runs of a release that need not run; start nothing."""
    try:
        release = kept.release(number)
    except (ReleaseNotFound, UnreadableDocument):
        kept.note(warm={n: w for n, w in kept.record.warm.items() if n != number})
        return
    if number in kept.running:
        return
    try:
        found = await _known_again(kept, release).find()
    except ValueUnknown:  # a resource of it was removed since, so it cannot be kept running either
        await kept.end_unnamed(release)
        found = 0
    if found == 0:
        kept.running.pop(number, None)
        kept.give_ports_back(release)
        kept.note(warm={n: w for n, w in kept.record.warm.items() if n != number})
        kept.note_release(msgspec.structs.replace(release, state="stopped"))


def _known_again(kept: KeptService, release: ReleaseRecord) -> RunningRelease:
    for one in release.instances:
        if one.port is not None:
            kept.machine.ports.note(one.port)
    return kept.make_running(release)
