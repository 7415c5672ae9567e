"""Replaces credentials under a service that goes on serving.

First the engine takes the new ones beside the former; then the instances are replaced one after the other, each by one that has the new
ones; when all have them, the former open nothing any more. The record says how far it has come: whoever dies in the middle leaves
credentials that both work, and the next agent goes on. Nothing is taken away that an instance may have.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.errors import (
    NotRenewable,
    RestartFailed,
    RotationFailed,
    RotationRefused,
)
from drystone.l25_deployer.local import rotation_places as places
from drystone.l25_deployer.local.instances import State
from drystone.l25_deployer.local.records import Rotation
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.local.steering import replace_each

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.resources.port import ResourceDriver
    from drystone.l25_deployer.local.telling import Teller
    from drystone.l25_deployer.stacks.model import Resource


async def rotate(
    kept: KeptService,
    tell: Teller,
    *,
    resources: Iterable[str] | None,
    by: str,
    adds_versions: bool = True,
) -> None:
    """Replace the credentials of resources; the lock is held.

    Args:
        kept: The service.
        tell: Hears how it goes.
        resources: Of which; of all that have any when None.
        by: Who asked.
        adds_versions: Whether keys among them get new versions, too, which they do by themselves at their age.

    Raises:
        RotationRefused: There is no such resource, or a release is tried beside the one that serves.
        NotRenewable: A resource that was named has no credential, or none of the platform's.
        RotationFailed: See :func:`carry_on`.
    """
    if kept.record.canary is not None:
        raise RotationRefused(
            f"{kept.name} has release {kept.record.canary.release} beside the one that serves; promote or abort it first"
        )
    going = kept.record.rotation
    if going is not None:
        tell.info("rotate", f"what {going.by} began is finished first: {', '.join(going.names)}")
        await carry_on(kept, tell)
        if going.phase != "withdrawing" and (resources is None or set(resources) <= {*going.names}):
            return
    names = _chosen(kept, resources)
    keys = await _add_versions(kept, names, tell, by=by) if adds_versions else ()
    if resources is not None:  # a key that somebody names is replaced; it is reached as before
        names = tuple(name for name in names if name not in keys)
        if not names:
            return
    now = kept.machine.clock.now()
    kept.save(rotation=Rotation(names, now, by))
    places.WRITTEN.reach()
    kept.write_history("rotate began", ", ".join(names), by=by, release=kept.active_release())
    await carry_on(kept, tell)


def _chosen(kept: KeptService, resources: Iterable[str] | None) -> tuple[str, ...]:
    eternal = kept.record.eternal
    if resources is None:
        names = tuple(name for name in sorted(eternal) if _why_not(kept, name) is None)
        if not names:
            raise RotationRefused(
                f"{kept.name} has no resource with a credential that could be replaced"
            )
        return names
    names = tuple(dict.fromkeys(resources))
    for name in names:
        if name not in eternal:
            there = ", ".join(sorted(eternal)) or "none"
            raise RotationRefused(f"{kept.name} has no resource '{name}'; there are: {there}")
        if (refusal := _why_not(kept, name)) is not None:
            raise refusal
    return names


def _why_not(kept: KeptService, name: str) -> NotRenewable | None:
    owner = Owner(*kept.record.key, name)
    try:
        kept.machine.provisioner.driver(kept.record, owner).require_renewable(owner)
    except NotRenewable as e:
        return e
    return None


async def _add_versions(
    kept: KeptService, names: tuple[str, ...], tell: Teller, *, by: str
) -> tuple[str, ...]:
    """Let keys among resources encrypt with new versions; nothing that uses them notices. Return which these are."""
    keys = []
    for name in names:
        owner, resource = Owner(*kept.record.key, name), kept.record.eternal[name]
        try:
            is_key = await kept.machine.provisioner.driver(kept.record, owner).add_version(
                owner, resource
            )
        except (PlatformError, OSError) as e:
            raise RotationFailed(f"the key '{name}' has no new version: {e}") from e
        if is_key:
            keys.append(name)
    if keys:
        text = f"{', '.join(keys)}: a new version encrypts; the earlier ones decrypt as ever"
        kept.write_history("rotate done", text, by=by, release=kept.active_release())
        tell.info("done", text)
    return tuple(keys)


async def carry_on(kept: KeptService, tell: Teller) -> None:
    """Bring the replacement that the record names to its end; the lock is held.

    Raises:
        RotationFailed: It cannot be, for now: either no instance has new credentials, and they are gone again; or some have, and both
            work until it is carried on.
    """
    rotation = kept.record.rotation
    if rotation is None:
        return
    try:
        await _carry_on(kept, rotation, tell)
    except asyncio.CancelledError:
        kept.rotation_trouble = (kept.record.active, _outcome(kept, rotation, "it was stopped"))
        raise
    except (PlatformError, OSError) as e:
        text = _outcome(kept, rotation, str(e))
        kept.rotation_trouble = (kept.record.active, text)
        left = kept.record.rotation
        if left is not None:
            kept.note(rotation=msgspec.structs.replace(left, trouble=str(e)))
        kept.write_history("rotate failed", text, release=kept.active_release())
        raise RotationFailed(text) from e
    kept.rotation_trouble = (None, "")
    names = ", ".join(rotation.names)
    if rotation.phase != "withdrawing":
        kept.write_history("rotate done", names, by=rotation.by, release=kept.active_release())
        tell.info(
            "done", f"{kept.name} has new credentials for {names}; the former ones open nothing"
        )


def _outcome(kept: KeptService, rotation: Rotation, why: str) -> str:
    names = ", ".join(rotation.names)
    left = kept.record.rotation
    if left is None:
        return f"the credentials of {names} were not replaced, and are as before: {why}"
    service, environment = kept.record.service, kept.record.environment
    how = {
        "making": "no instance has new ones",
        "withdrawing": "no instance has new ones; those are taken away again later",
        "replacing": "the new and the former ones both work",
        "ending": "every instance has the new ones; the former ones still work",
    }[left.phase]
    return (
        f"the credentials of {names} are not all replaced ({how}): {why}\nit is tried again in a while, and by"
        f" `drystone rotate {service} --env {environment}`"
    )


async def _carry_on(kept: KeptService, rotation: Rotation, tell: Teller) -> None:
    tell.release = kept.record.active
    is_fresh = rotation.phase == "making"
    if rotation.phase == "making":
        try:
            with tell.step("resources", f"new credentials for {', '.join(rotation.names)}"):
                for driver, owner, resource in _each(kept, rotation):
                    await driver.begin_renewal(owner, resource)
        except (PlatformError, OSError):
            await _withdraw(kept, rotation, tell)
            raise
        places.MADE.reach()
        rotation = _go_to(kept, rotation, "replacing")
    if rotation.phase == "replacing":
        await _provide(kept)
        try:
            await _replace_instances(kept, tell)
        except RestartFailed as e:
            if is_fresh and e.details.get("replaced") == "0":
                await _withdraw(kept, rotation, tell)
            raise
        places.HANDED_OUT.reach()
        rotation = _go_to(kept, rotation, "ending")
    if rotation.phase == "ending":
        with tell.step("resources", f"the former credentials of {', '.join(rotation.names)} end"):
            for driver, owner, resource in _each(kept, rotation):
                await driver.end_renewal(owner, resource)
            await _provide(kept)
        places.ENDED.reach()
        now = kept.machine.clock.now()
        made = dict.fromkeys(rotation.names, now)
        kept.note(rotation=None, rotated={**kept.record.rotated, **made})
    elif rotation.phase == "withdrawing":
        # What started since it was tried last may have been given the new ones.
        await _withdraw(kept, rotation, tell, everything=True)


def _go_to(
    kept: KeptService, rotation: Rotation, phase: Literal["replacing", "ending", "withdrawing"]
) -> Rotation:
    rotation = msgspec.structs.replace(rotation, phase=phase, trouble="")
    kept.save(rotation=rotation)
    return rotation


def _each(
    kept: KeptService, rotation: Rotation
) -> Iterator[tuple[ResourceDriver[Resource], Owner, Resource]]:
    """Give the resources that are still there."""
    for name in rotation.names:
        resource = kept.record.eternal.get(name)
        if resource is not None:
            owner = Owner(*kept.record.key, name)
            yield kept.machine.provisioner.driver(kept.record, owner), owner, resource


async def _provide(kept: KeptService) -> None:
    """Learn the values of every resource anew: some share a credential."""
    for name in kept.record.eternal:
        await kept.provide(name)


async def _replace_instances(kept: KeptService, tell: Teller) -> None:
    running = kept.active
    if running is not None:
        await replace_each(kept, running, running.settled, tell)
    for name, resource in kept.record.eternal.items():
        owner = Owner(*kept.record.key, name)
        await kept.machine.provisioner.driver(kept.record, owner).take_over(owner, resource)
    for number in tuple(kept.record.warm):
        with tell.step("stop", f"release {number}, kept warm with the former credentials"):
            await kept.cool(number)


async def _withdraw(
    kept: KeptService, rotation: Rotation, tell: Teller, *, everything: bool = False
) -> None:
    """Take new credentials away that no instance has that serves.

    Args:
        kept: The service.
        rotation: What is taken back.
        tell: Hears how it goes.
        everything: Whether every instance is replaced, and not only one that was started again in its place and is ill.
    """
    rotation = _go_to(kept, rotation, "withdrawing")
    with tell.step("undo", f"the former credentials of {', '.join(rotation.names)} stay"):
        failures: list[Exception] = []
        for driver, owner, resource in _each(kept, rotation):
            try:
                await driver.withdraw_renewal(owner, resource)
            except (PlatformError, OSError) as e:  # the others are not to be handed out any more
                failures.append(e)
        if failures:
            raise failures[0]
        await _provide(kept)
        running = kept.active
        if running is not None:
            chosen = tuple(o for o in running.settled if everything or o.state is not State.HEALTHY)
            await replace_each(kept, running, chosen, tell)
    places.WITHDRAWN.reach()
    kept.note(rotation=None)
