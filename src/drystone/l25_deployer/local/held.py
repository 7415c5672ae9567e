"""A release that was brought up and waits beside the one that serves: it is given a share, settled or withdrawn.

Up to its settling everything can be undone. The record says what is held and which share it has, so that whoever comes after a
death routes exactly as before.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, get_args

import msgspec

from drystone.l00_kernel.errors import Invalid, PlatformError
from drystone.l10_engines.proxy.edge import WHOLE, Cohort
from drystone.l25_deployer.api import Outcome
from drystone.l25_deployer.errors import (
    CanaryHeld,
    DeployAborted,
    DeployFailed,
    NoCanary,
    PlanRefused,
)
from drystone.l25_deployer.local import places
from drystone.l25_deployer.local.conclusion import finish, undo
from drystone.l25_deployer.local.deploy import Deploy
from drystone.l25_deployer.local.ending import to_the_end
from drystone.l25_deployer.local.records import MOST_ENDED, Canary, Ended, Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord
    from drystone.l25_deployer.local.telling import Teller
    from drystone.l25_deployer.stacks.model import Stacks

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_HEADER = re.compile(r"[a-z][a-z0-9-]{0,63}")
_SPOKEN_FOR = frozenset(["host", "cookie", "connection", "content-length", "transfer-encoding"])


def require_key(key: str | None) -> None:
    """Refuse what cannot be a key.

    Raises:
        Invalid: It is empty, too long, or has characters that are not to be seen.
    """
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid("a key is 1 to 200 printable ASCII characters without spaces")


def require_none(record: ServiceRecord) -> None:
    """Begin nothing that a held release stands in the way of.

    Raises:
        CanaryHeld: One is held; the message says what to do.
    """
    held = record.canary
    if held is not None:
        raise CanaryHeld(
            f"release {held.release} of {record.service}.{record.environment} is held under the key {held.key!r}"
            f" with {held.share:.4g} of the requests; settle or withdraw it first",
            release=str(held.release),
        )


def outcome(record: ServiceRecord, key: str) -> Outcome:
    """Tell what became of the operation that has a key."""
    operation, held = record.operation, record.canary
    if operation is not None and key in {operation.key, operation.asked}:
        return Outcome("running", operation.release or 0, f"a {operation.kind} is in progress")
    if held is not None and held.key == key:
        return Outcome("holding", held.release, f"{held.share:.4g} of the requests go to it")
    for one in record.ended:
        if one.key == key:
            return Outcome(one.state, one.release, one.detail)
    return Outcome("unknown")


def is_known(record: ServiceRecord, key: str | None) -> bool:
    """Tell whether an operation with this key has begun before."""
    return key is not None and outcome(record, key).state != "unknown"


def require_holdable(kept: KeptService, stacks: Stacks, *, hold: bool) -> None:
    """Refuse to hold what never runs beside another release.

    Raises:
        Invalid: It is a cutover.
    """
    if hold and stacks.route.strategy == "cutover" and kept.record.active is not None:
        raise Invalid(
            f"two releases of {kept.name} never run together (deploy.strategy is cutover), so none can be held"
            " beside the other; deploy without a hold"
        )


def require_quota(
    kept: KeptService, stacks: Stacks, confirmed: frozenset[str], *, hold: bool
) -> None:
    """Refuse to hold what the quota of the host has no room for beside the release that serves.

    Raises:
        PlanRefused: It has none.
    """
    if hold:
        refused = kept.machine.quotas.refusals(kept, stacks, confirmed, beside=True)
        if refused:
            raise PlanRefused("\n".join(refused))


async def withdraw_for_rollback(
    kept: KeptService, tell: Teller, *, by: str, number: int | None, key: str | None
) -> bool:
    """Withdraw what is held before somebody goes back; returns whether nothing else is to do."""
    if kept.record.canary is None:
        return False
    is_all = number in {None, kept.record.active}
    tell.info("check", f"release {kept.record.canary.release} is held; it is withdrawn")
    reason = f"rolled back by {by}"
    await withdraw(kept, tell, reason=reason, by=by, asked=key if is_all else None)
    return is_all


def report(kept: KeptService, key: str | None, tell: Teller) -> None:
    """Tell whoever repeats an operation what became of it.

    Raises:
        DeployFailed: It failed, or was withdrawn; the message says why.
    """
    found = outcome(kept.record, key or "")
    tell.release = found.release
    if found.state in {"failed", "withdrawn"}:
        raise DeployFailed(f"release {found.release} {found.state} earlier: {found.detail}")
    if found.state == "holding":
        tell.info("hold", f"release {found.release} is held already; {found.detail}")
        return
    url = kept.machine.url(kept.hosts[0]) if kept.hosts else None
    tell.info("done", f"release {found.release} of {kept.name} was brought up before", url=url)


def require_held(kept: KeptService, key: str) -> Canary:
    """Return what is held under a key.

    Raises:
        NoCanary: Nothing is; the message says what became of the key.
    """
    held = kept.record.canary
    if held is None or held.key != key:
        found = outcome(kept.record, key)
        what = f"release {found.release} is {found.state}" if found.release else found.state
        raise NoCanary(
            f"{kept.name} holds nothing under the key {key!r} ({what}); deploy with a hold and a new key"
        )
    return held


def hold(kept: KeptService, release: ReleaseRecord) -> None:
    """Write that a release is held, which ends its deploy.

    Raises:
        DiskFull: There is no room to write it; everything can be undone.
    """
    operation = kept.record.operation
    assert operation is not None  # noqa: S101 - a deploy is in progress
    kept.save_release(msgspec.structs.replace(release, state="canary"))
    places.HOLD_BEGUN.reach()
    canary = Canary(
        release=release.number,
        key=operation.key or f"release-{release.number}",
        since=kept.machine.clock.now(),
        fresh=operation.fresh,
        unwanted=operation.unwanted,
        before=operation.before,
    )
    kept.save(operation=None, canary=canary)
    places.HELD.reach()


async def follow_hold(kept: KeptService, tell: Teller, note_end: Callable[[], None]) -> None:
    """Do what follows once a release is held."""
    note_end()
    places.HELD_TOLD.reach()
    held = kept.record.canary
    if held is not None and held.release in kept.running:
        await kept.running[held.release].rest()  # what works without requests has no share of them
    with tell.step("hold", "it gets no requests yet"):
        await _publish(kept, tell)
    places.HELD_PUBLISHED.reach()
    await kept.counting.begin()


async def shift(
    kept: KeptService,
    key: str,
    *,
    share: float,
    cohort: str,
    header: str | None,
    by: str | None = None,
) -> None:
    """Give a held release a share of the requests; the lock is held.

    Raises:
        Invalid: There is no such share, cohort or header.
        NoCanary: Nothing is held under this key.
        PlatformError: The edge does not follow yet; it will.
    """
    known: tuple[Cohort, ...] = get_args(Cohort)
    chosen = next((one for one in known if one == cohort), None)
    apart = next((one for one in known if one == (by or cohort)), None)
    if not 0 <= share <= 1:
        raise Invalid(f"a share lies between 0 and 1, not at {share:g}")
    if chosen is None or apart is None:
        wrong = cohort if chosen is None else by
        raise Invalid(f"there is no cohort {wrong!r}; there are: {', '.join(known)}")
    if header is not None and (not _HEADER.fullmatch(header) or header in _SPOKEN_FOR):
        raise Invalid(f"{header!r} cannot choose a release; name a header such as x-release")
    held = require_held(kept, key)
    share = round(share * WHOLE) / WHOLE
    shifted = msgspec.structs.replace(held, share=share, cohort=chosen, header=header, by=apart)
    if shifted != held:
        kept.save(canary=shifted)
        places.SHIFT_WRITTEN.reach()
        text = f"{share * 100:.4g} % of the requests go to it, by {chosen}"
        kept.write_history("shifted", text, release=kept.release(held.release))
    await kept.publish()
    places.SHIFTED.reach()


async def settle(kept: KeptService, key: str, tell: Teller, *, by: str) -> None:
    """Give a held release all requests, for good; the lock is held.

    Raises:
        NoCanary: Nothing is held under this key, nor was settled.
        DeployFailed: It is not healthy; it stays held.
        DeployAborted: Somebody aborted it before the switch; it stays held.
    """
    if outcome(kept.record, key).state == "serving":
        report(kept, key, tell)
        return
    held = require_held(kept, key)
    release = kept.release(held.release)
    tell.release = release.number
    begun = kept.machine.clock.monotonic()
    running = kept.canary
    try:
        await kept.machine.edge.until_ready()
        if running is None:
            raise DeployFailed(
                f"release {release.number} does not run; withdraw it, and deploy again"
            )
        with tell.step("health", f"release {release.number}"):
            await running.until_healthy(kept.active_release())
    except asyncio.CancelledError as e:
        raise DeployAborted(f"aborted; release {release.number} is held as before") from e
    way = Deploy(kept, release, tell, None)
    operation = Operation(
        "settle",
        release.number,
        kept.machine.clock.now(),
        by,
        held.fresh,
        held.unwanted,
        held.before,
        key=held.key,
    )
    way.commit(operation)
    kept.write_history("settle began", f"version {release.version}", by=by, release=release)
    places.SETTLE_TOLD.reach()

    def note_end() -> None:
        seconds = (kept.machine.clock.monotonic() - begun).total_seconds()
        text = f"version {release.version}"
        kept.write_history("settle done", text, by=by, release=release, seconds=seconds)

    async def conclude() -> None:
        await way.switch()
        await finish(kept, tell, note_end)

    await to_the_end(conclude())
    url = kept.machine.url(kept.hosts[0]) if kept.hosts else None
    tell.info("done", f"{kept.name} serves version {release.version}", url=url)


async def withdraw(
    kept: KeptService, tell: Teller, *, reason: str, by: str, asked: str | None = None
) -> None:
    """Take away what is held; the lock is held.

    Args:
        kept: The service; it holds something.
        tell: Hears how it goes.
        reason: Why, for the record.
        by: Who asked.
        asked: Key of the operation that ends with it, if that is another one.
    """
    held = kept.record.canary
    assert held is not None  # noqa: S101 - the caller has looked
    release = kept.release(held.release)
    tell.release = release.number
    operation = Operation(
        "withdraw",
        held.release,
        kept.machine.clock.now(),
        by,
        held.fresh,
        before=held.before,
        key=held.key,
        reason=reason,
        asked=asked,
    )
    kept.save(operation=operation, canary=None)
    places.WITHDRAW_WRITTEN.reach()
    kept.write_history("withdraw began", reason, by=by, release=release)
    places.WITHDRAW_TOLD.reach()
    note_end = partial(kept.write_history, "withdraw done", reason, by=by, release=release)
    await to_the_end(finish_withdraw(kept, operation, tell, note_end))
    active = kept.record.active
    tell.info("done", f"release {release.number} is withdrawn; release {active} serves as before")


async def finish_withdraw(
    kept: KeptService, operation: Operation, tell: Teller, note_end: Callable[[], None]
) -> None:
    """Carry out a withdrawal that has begun, in this life of the agent or in an earlier one."""
    number = operation.release
    assert number is not None  # noqa: S101 - a withdrawal is of a release
    with tell.step("drain", f"release {number}, then stop it"):
        await _publish(kept, tell)
        places.WITHDRAW_CLOSED.reach()
        if number in kept.running:
            try:
                await kept.drain(kept.running[number])
            except PlatformError as e:
                tell.info("drain", f"its last requests are not waited for: {e}")
        places.WITHDRAW_DRAINED.reach()
    await undo(kept, number, operation.reason, tell, note_end)
    await _publish(kept, tell)


async def _publish(kept: KeptService, tell: Teller) -> None:
    try:
        await kept.publish()
    except PlatformError as e:
        tell.info("route", f"the edge has not followed yet, it will: {e}")


def note_served(kept: KeptService, key: str | None, number: int) -> None:
    """Write that the operation of a key left a release serving, of which nothing had to change."""
    if key is not None:
        kept.save(ended=(*kept.record.ended, Ended(key, number, "serving"))[-MOST_ENDED:])
