"""Deploy a release: bring it up beside the old one, prove it, switch, and only then let the old one go.

The steps, in order, each named as in :class:`~drystone.l25_deployer.api.Progress`:

``resources`` → ``build`` → ``migrate`` → ``start`` → ``health`` → ``warm-up`` → ``smoke`` → ``switch`` → ``drain`` →
``done``

Until ``switch`` writes the record that names the new release, everything can be undone and is: by :func:`undo`, in
this process after a failure or an abort, in the next one after a crash. From there on everything is finished
forward. With the strategy ``cutover`` the old release ends before the new one starts; undoing starts it again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.errors import DeployFailed
from drystone.l25_deployer.local import places
from drystone.l25_deployer.local.blueprints import lay_out, one_off
from drystone.l25_deployer.local.readiness import made_startable, require_artifact
from drystone.l25_deployer.local.records import ReleaseRecord, Warmth
from drystone.l25_deployer.stacks.model import (
    EmbeddedArtifact,
    ImageArtifact,
    ProcessArtifact,
    StaticArtifact,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from drystone.l25_deployer.builds.artifacts import Artifact
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.running import RunningRelease
    from drystone.l25_deployer.local.telling import Teller
    from drystone.l25_deployer.stacks.model import Resource

FAILED_KEPT = 5
"""How many failed releases a service keeps that has none that serves."""

MIGRATION_LIMIT = timedelta(minutes=15)


class Deploy:
    """One way of a release from its record to the traffic.

    Args:
        kept: The service.
        release: What is to serve.
        tell: Hears how it goes.
        folder: The descriptor's folder, where the artefact is built from; None when it was built before.
    """

    def __init__(
        self, kept: KeptService, release: ReleaseRecord, tell: Teller, folder: Path | None
    ) -> None:
        self._kept = kept
        self.release = release
        self._tell = tell
        self._folder = folder
        self._previous = kept.active_release()
        self._is_cutover = release.stacks.route.strategy == "cutover"

    async def bring_up(self) -> None:
        """Do all that comes before the switch.

        Raises:
            PlatformError: Something failed; :func:`undo` puts everything back.
        """
        await self._apply_resources()
        await self._build()
        await self._migrate()
        running = self._kept.running.get(self.release.number)
        if running is None:
            running = await self._start()
        with self._tell.step("health", _count(running)):
            await running.until_healthy(self._previous)
        places.HEALTHY.reach()
        with self._tell.step("warm-up", "first requests"):
            await running.warm_up()
        places.WARMED_UP.reach()
        if self.release.stacks.route.smoke:
            with self._tell.step("smoke", "smoke test"):
                await running.smoke()
            places.SMOKED.reach()

    async def _apply_resources(self) -> None:
        wanted = self.release.stacks.eternal.resources
        if self._folder is None:  # the way back is short: what has not changed is left alone
            existing = self._kept.record.eternal
            wanted = {name: r for name, r in wanted.items() if existing.get(name) != r}
        if not wanted:
            return
        with self._tell.step("resources", ", ".join(wanted)):
            for name, resource in wanted.items():
                self._kept.save(eternal={**self._kept.record.eternal, name: resource})
                places.INTENDED.reach()
                await self._kept.provide(name)
                places.PROVIDED.reach()

    async def _build(self) -> None:
        if self._folder is None:
            return
        artifact = self.release.stacks.resources.artifact
        machine = self._kept.machine
        with self._tell.step("build", _what(artifact)):
            match artifact:
                case ProcessArtifact():
                    folder = self._folder / artifact.dir
                    self._keep_built(
                        await machine.artifacts.build(
                            folder, runtime=artifact.runtime, setup=artifact.setup
                        )
                    )
                case StaticArtifact():
                    self._keep_built(await machine.artifacts.build(self._folder / artifact.dir))
                case ImageArtifact():
                    pinned = await machine.images.resolve_image(artifact.ref)
                    places.BUILT.reach()
                    self._keep(artifact=pinned, image=pinned)
                case EmbeddedArtifact():
                    raise DeployFailed("a part of the platform is not deployed; it starts with it")
                case _:
                    assert_never(artifact)

    def _keep_built(self, built: Artifact) -> None:
        runtime = None if built.runtime is None else str(built.runtime)
        places.BUILT.reach()
        self._keep(artifact=built.digest, source=str(built.source), runtime=runtime)

    async def _migrate(self) -> None:
        command = self.release.stacks.route.migrate
        if not command or self._folder is None:
            return
        with self._tell.step("migrate", "migration"):
            await self._run_migration()
        places.MIGRATED.reach()

    async def _run_migration(self) -> None:
        kept, release = self._kept, self.release
        written: list[bytes] = []
        spec = one_off(
            kept.record,
            release,
            kept.surroundings(release),
            release.stacks.route.migrate,
            "migrate",
        )
        runtime = kept.machine.runtime(release.isolation)
        ended = await runtime.run_once(spec, output=written.append, limit=MIGRATION_LIMIT)
        if not ended.is_success:
            lines = b"".join(written).decode(errors="replace").splitlines()[-40:]
            raise DeployFailed(
                "\n".join(
                    [
                        f"the migration {ended.sentence()}; its last lines:",
                        *(f"  {x}" for x in lines),
                    ]
                )
            )

    async def _start(self) -> RunningRelease:
        kept = self._kept
        if self._is_cutover and self._previous is not None:
            with self._tell.step("stop", f"release {self._previous.number} (cutover)"):
                await self._stand_down(self._previous)
        require_artifact(kept.machine, self.release)
        with self._tell.step("start", f"release {self.release.number}"):
            instances = lay_out(kept.record, self.release, kept.machine.ports.lend)
            places.PORTS_LENT.reach()
            self._keep(instances=instances)
            places.LAID_OUT.reach()
            running = kept.make_running(self.release)
            if self.release.stacks.environment.dependencies:
                await kept.machine.edge.refresh()
            await running.begin()
            places.BEGUN.reach()
            return running

    async def _stand_down(self, previous: ReleaseRecord) -> None:
        """End the old release of a cutover, which serves until its requests are answered."""
        kept = self._kept
        running = kept.running.get(previous.number)
        if running is not None:
            await kept.stand_down()
            await kept.drain(running)
            places.OLD_DRAINED.reach()
            await kept.end_release(previous.number, "active")
            places.OLD_ENDED.reach()

    def _keep(self, **changes: object) -> None:
        self.release = self._kept.save_release(msgspec.structs.replace(self.release, **changes))

    async def switch(self) -> None:
        """Give the traffic to the new release, which :meth:`commit` has decided."""
        with self._tell.step("switch", f"traffic to release {self.release.number}"):
            try:
                await self._kept.publish()
                places.FOLLOWED.reach()
            except PlatformError as e:
                self._tell.info("switch", f"the edge has not followed yet, it will: {e}")

    def commit(self) -> None:
        """Write that the new release serves: the point of no return.

        Raises:
            DiskFull: There is no room to write it; nothing was decided, and everything can be undone.
        """
        kept, number = self._kept, self.release.number
        going_back = kept.record.operation is not None and kept.record.operation.kind == "rollback"
        trail, old = kept.record.trail, self._previous
        if going_back:
            trail = trail[: trail.index(number)]
        elif old is not None:
            trail = (*(n for n in trail if n != old.number), old.number)
        warm = {n: w for n, w in kept.record.warm.items() if n != number}
        if old is not None and old.number in kept.running:
            keep_warm = self.release.stacks.route.keep_warm
            warm[old.number] = Warmth.lasting(keep_warm, kept.machine.clock)
        self._keep(state="active")
        places.SWITCH_BEGUN.reach()
        kept.save(active=number, trail=trail, warm=warm)
        places.SWITCHED.reach()


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
        last = max(kept.record.warm, default=None)
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
        await _remove_unwanted(kept, active, tell)
    note_end()
    kept.note(operation=None)
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
            await _try(remove_resource(kept, name), f"'{name}' stays", tell)


async def remove_resource(kept: KeptService, name: str) -> None:
    """Remove one resource with its data."""
    await kept.machine.provisioner.remove(kept.record, name, kept.record.eternal[name])
    places.REMOVED.reach()
    kept.note(eternal={n: r for n, r in kept.record.eternal.items() if n != name})
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
    state = "warm" if stays_warm else "stopped" if going_back else "failed"
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
    kept.note(operation=None)
    places.UNDONE.reach()
    prune(kept)


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
        previous = kept.note_release(await made_startable(kept.machine, previous))
        for one in previous.instances:
            if one.port is not None:
                kept.machine.ports.note(one.port)
        running = kept.make_running(previous)
        await running.begin()
        await running.until_healthy(None)
        kept.note_release(msgspec.structs.replace(previous, state="active"))
        await kept.publish()


def prune(kept: KeptService) -> None:
    """Forget releases beyond those that can be gone back to, with their instances' folders and artefacts."""
    record = kept.record
    active = kept.active_release()
    keep = active.stacks.route.keep if active else FAILED_KEPT
    back = record.trail[-keep:] if keep else ()
    needed = {record.active, *back, *record.warm}
    every = kept.machine.documents.releases(record.environment, record.service)
    failed = [r.number for r in every if r.state == "failed" and r.number not in needed]
    needed.update(sorted(failed)[-max(1, keep) :])
    kept.note(trail=back)
    places.TRAIL_CUT.reach()
    for release in every:
        if release.number not in needed and release.number not in kept.running:
            kept.machine.forget_instances(kept.record, release)
            places.FOLDERS_REMOVED.reach()
            kept.forget_release(release.number)


def _count(running: RunningRelease) -> str:
    count = len(running.instances)
    return "1 instance" if count == 1 else f"{count} instances"


def _what(artifact: object) -> str:
    match artifact:
        case ProcessArtifact():
            return artifact.dir if artifact.dir != "." else "the descriptor's folder"
        case StaticArtifact():
            return f"static files of {artifact.dir}"
        case ImageArtifact():
            return artifact.ref
        case _:
            return ""
