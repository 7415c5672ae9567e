"""What people do to the instances of the release that serves: set their number, and replace them one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.errors import NumberRefused, RestartFailed, ScalingFailed
from drystone.l25_deployer.local import resizing, resizing_places
from drystone.l25_deployer.local.blueprints import blueprints, groups_of
from drystone.l25_deployer.local.instances import State
from drystone.l25_deployer.operations.api import MOST_INSTANCES
from drystone.l25_deployer.stacks.model import WEB, StaticArtifact

if TYPE_CHECKING:
    from drystone.l25_deployer.local.instances import KeptInstance
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import ReleaseRecord
    from drystone.l25_deployer.local.running import RunningRelease
    from drystone.l25_deployer.local.telling import Teller
    from drystone.l25_deployer.stacks.model import Group


def chosen_group(release: ReleaseRecord, name: str | None) -> tuple[str, Group]:
    """Return a group of a release by its name; without one the group that serves, or else the only one.

    Raises:
        NumberRefused: There is no such group, or more than one.
    """
    groups = groups_of(release)
    if name is None:
        name = WEB if WEB in groups else next(iter(groups)) if len(groups) == 1 else None
    if name is None or name not in groups:
        raise NumberRefused(
            f"{release.stacks.environment.service} has {'no group ' + repr(name) if name else 'several groups'};"
            f" name one of: {', '.join(groups)}"
        )
    return name, groups[name]


def require_number(release: ReleaseRecord, name: str, group: Group, count: int) -> None:
    """Make sure that a group can have so many instances.

    Raises:
        NumberRefused: It cannot.
    """
    if isinstance(release.stacks.resources.artifact, StaticArtifact) and name == WEB:
        raise NumberRefused("static files are served by one instance, whatever the load")
    least = 1 if group.serves else 0
    most = group.scaling.most if group.scaling is not None else max(MOST_INSTANCES, group.instances)
    if not least <= count <= most:
        what = (
            "'scale.max' of its descriptor says so"
            if group.scaling
            else "the descriptor says otherwise with 'scale.max'"
        )
        raise NumberRefused(f"'{name}' can have {least} to {most} instances, not {count}; {what}")


async def scale(
    kept: KeptService, tell: Teller, *, count: int | None, group: str | None, by: str
) -> None:
    """Set how many instances a group has, or let it be as many as its load asks for; the lock is held.

    Args:
        kept: The service.
        tell: Hears how it goes.
        count: How many; None gives the number back to its load.
        group: Of which group.
        by: Who asked.

    Raises:
        NoInstance: Nothing serves.
        NumberRefused: There can be no such number.
        QuotaExceeded: The quota of the host has no room for it.
        ScalingFailed: A new instance did not become healthy.
    """
    release, running = resizing.active_of(kept)
    name, wanted = chosen_group(release, group)
    tell.release = release.number
    before = kept.record.fixed
    others = {key: number for key, number in before.items() if key != name}
    have = len(running.of_group(name))
    if count is None:
        kept.save(fixed=others)
        resizing_places.NUMBER_WRITTEN.reach()
        kept.write_history("scale", f"{name} follows its load again", by=by, release=release)
        to = wanted.instances if wanted.scaling is None else have
    else:
        require_number(release, name, wanted, count)
        if count > have:
            kept.machine.quotas.require_room(release, name, count - have)
        kept.save(fixed={**others, name: count})
        resizing_places.NUMBER_WRITTEN.reach()
        kept.write_history("scale", f"{name} {have} → {count} by hand", by=by, release=release)
        to = count
    if to > have:
        try:
            await _more(kept, running, name, to - have, tell)
        except PlatformError as e:
            kept.note(fixed=before)
            kept.write_history("scale failed", f"{name}: {e}", by=by, release=release)
            raise ScalingFailed(f"{e}\n{name} has {have} instances as before") from e
    elif to < have:
        ids = resizing.to_go(running, name, have - to)
        with tell.step("drain", f"{', '.join(sorted(ids))}, then stop"):
            await _away(kept, running, ids)
    after = len(running.of_group(name))
    how = "as its load asks for" if count is None else "until the next release"
    tell.info("done", f"{kept.name} has {after} of '{name}', {how}")


async def restart(kept: KeptService, tell: Teller, *, group: str | None, by: str) -> None:
    """Replace instances one after the other; the lock is held.

    Args:
        kept: The service.
        tell: Hears how it goes.
        group: Only those of this group.
        by: Who asked.

    Raises:
        NoInstance: Nothing serves.
        NumberRefused: There is no such group.
        RestartFailed: A new instance did not become healthy.
    """
    release, running = resizing.active_of(kept)
    tell.release = release.number
    chosen = running.settled
    if group is not None:
        name, _ = chosen_group(release, group)
        chosen = running.of_group(name)
    kept.write_history("restart began", f"{len(chosen)} instances", by=by, release=release)
    try:
        await replace_each(kept, running, chosen, tell)
    except RestartFailed as e:
        kept.write_history("restart failed", str(e), by=by, release=release)
        raise
    kept.write_history("restart done", f"{len(chosen)} instances", by=by, release=release)
    tell.info("done", f"{len(chosen)} of {kept.name} were replaced")


async def replace_each(
    kept: KeptService, running: RunningRelease, chosen: tuple[KeptInstance, ...], tell: Teller
) -> None:
    """Replace instances of the release that serves, one after the other; the lock is held.

    Raises:
        RestartFailed: A new instance did not become healthy; its detail ``replaced`` tells how many were replaced before.
    """
    beside = running.release.stacks.route.strategy != "cutover"
    for done, one in enumerate(chosen):
        try:
            if beside and one.blueprint.port is not None:
                await _replace(kept, running, one, tell)
            else:
                await _again(kept, running, one, tell)
        except PlatformError as e:
            text = f"{done} of {len(chosen)} instances were replaced; {e}"
            raise RestartFailed(text, replaced=str(done)) from e


async def _more(
    kept: KeptService, running: RunningRelease, name: str, count: int, tell: Teller
) -> frozenset[str]:
    """Add instances and wait until they are healthy; those that do not get so go again."""
    with tell.step("start", f"{count} more of '{name}'"):
        new = await resizing.add(kept, name, count)
    ids = frozenset(one.blueprint.spec.id for one in new)
    try:
        with tell.step("health", ", ".join(sorted(ids))):
            await running.until_healthy(None, new)
    except BaseException:
        await resizing.end(kept, running, ids)
        raise
    resizing.arrived(running, ids)
    await kept.publish()
    return ids


async def _away(kept: KeptService, running: RunningRelease, ids: frozenset[str]) -> None:
    await resizing.close(kept, running, ids)
    await resizing.drain(kept, running, ids)
    await resizing.end(kept, running, ids)


async def _replace(
    kept: KeptService, running: RunningRelease, one: KeptInstance, tell: Teller
) -> None:
    await _more(kept, running, one.blueprint.group, 1, tell)
    id_ = one.blueprint.spec.id
    with tell.step("drain", f"{id_}, then stop"):
        await _away(kept, running, frozenset((id_,)))


async def _again(
    kept: KeptService, running: RunningRelease, one: KeptInstance, tell: Teller
) -> None:
    """End an instance and start it again in its place."""
    id_ = one.blueprint.spec.id
    with tell.step("restart", id_):
        if one.blueprint.port is not None:
            await resizing.close(kept, running, frozenset((id_,)))
            await resizing.drain(kept, running, frozenset((id_,)))
        await one.end()
        running.leaving -= {id_}
        every = blueprints(kept.record, running.release, kept.surroundings(running.release))
        now = next(blueprint for blueprint in every if blueprint.spec.id == id_)
        new = running.exchange(one, now)  # what it is given may have changed since it was laid out
        await new.persist()
        await running.until_healthy(None, (new,))
    if new.state is State.HEALTHY:
        await kept.publish()
