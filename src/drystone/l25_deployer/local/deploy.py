"""Deploy a release: bring it up beside the old one, prove it, switch, and only then let the old one go.

The steps, in order, each named as in :class:`~drystone.l25_deployer.api.Progress`:

``resources`` → ``build`` → ``migrate`` → ``start`` → ``health`` → ``warm-up`` → ``smoke`` → ``switch`` → ``drain`` →
``done``

Until ``switch`` writes the record that names the new release, everything can be undone and is; from there on
everything is finished forward: :mod:`~drystone.l25_deployer.local.conclusion`. With the strategy ``cutover`` the old
release, and one that is kept warm, end before the new one starts; undoing starts the old one again.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.errors import DeployFailed
from drystone.l25_deployer.local import places, resizing
from drystone.l25_deployer.local.blueprints import groups_of, lay_out, one_off
from drystone.l25_deployer.local.functions.describing import require_code
from drystone.l25_deployer.local.readiness import require_artifact
from drystone.l25_deployer.local.records import ReleaseRecord, Warmth
from drystone.l25_deployer.stacks.model import (
    EmbeddedArtifact,
    ImageArtifact,
    ProcessArtifact,
    StaticArtifact,
)

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l25_deployer.builds.artifacts import Artifact
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import Operation
    from drystone.l25_deployer.local.running import RunningRelease
    from drystone.l25_deployer.local.telling import Teller

MIGRATION_LIMIT = timedelta(minutes=15)


class Deploy:
    """One way of a release from its record to the traffic.

    Args:
        kept: The service.
        release: What is to serve.
        tell: Hears how it goes.
        folder: The descriptor's folder, where the artefact is built from; None when it was built before.
        artifact: Digest of the artefact that it must be; any when omitted.
    """

    def __init__(
        self,
        kept: KeptService,
        release: ReleaseRecord,
        tell: Teller,
        folder: Path | None,
        *,
        artifact: str | None = None,
    ) -> None:
        self._kept = kept
        self.release = release
        self._tell = tell
        self._folder = folder
        self._artifact = artifact
        self._previous = kept.active_release()
        self._is_cutover = release.stacks.route.strategy == "cutover"

    async def bring_up(self) -> None:
        """Do all that comes before the switch.

        Raises:
            PlatformError: Something failed; :func:`~drystone.l25_deployer.local.conclusion.undo` puts everything back.
        """
        await self._apply_resources()
        await self._build()
        self._require_artifact_asked_for()
        require_code(self.release)
        await self._kept.provide_keys(self.release)
        await self._kept.choose_network()
        await self._migrate()
        running = self._kept.running.get(self.release.number)
        if running is None:
            running = await self._start()
        else:
            await self._catch_up(running)
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
                record, now = self._kept.record, self._kept.machine.clock.now()
                self._kept.save(
                    eternal={**record.eternal, name: resource},
                    rotated={name: now, **record.rotated},
                )
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
                            folder,
                            self._kept.record.key,
                            runtime=artifact.runtime,
                            setup=artifact.setup,
                        )
                    )
                case StaticArtifact():
                    folder = self._folder / artifact.dir
                    self._keep_built(await machine.artifacts.build(folder, self._kept.record.key))
                case ImageArtifact():
                    pinned = await machine.images.resolve_image(artifact.ref)
                    places.BUILT.reach()
                    self._keep(artifact=pinned, image=pinned)
                case EmbeddedArtifact():
                    raise DeployFailed("a part of the platform is not deployed; it starts with it")
                case _:
                    assert_never(artifact)

    def _require_artifact_asked_for(self) -> None:
        built = self.release.artifact
        if self._artifact and built != self._artifact:
            raise DeployFailed(
                f"what was built is {built}, and not {self._artifact} as was asked for: its folder has changed"
            )

    def _keep_built(self, built: Artifact) -> None:
        runtime = None if built.runtime is None else str(built.runtime)
        places.BUILT.reach()
        self._keep(artifact=built.digest, source=str(built.source), runtime=runtime)

    async def _migrate(self) -> None:
        command = self.release.stacks.route.migrate
        if not command or self._folder is None:
            return
        with self._tell.step("migrate", "migration"):
            await self._kept.surround()
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
        spec = kept.with_keys(release.number, spec)
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
        if self._is_cutover:
            for number in tuple(kept.record.warm):
                with self._tell.step("stop", f"release {number}, kept warm (cutover)"):
                    await kept.cool(number)
        if self._is_cutover and self._previous is not None:
            with self._tell.step("stop", f"release {self._previous.number} (cutover)"):
                await self._stand_down(self._previous)
        require_artifact(kept.machine, self.release)
        with self._tell.step("start", f"release {self.release.number}"):
            counts = self._counts()
            instances = lay_out(kept.record, self.release, kept.machine.ports.lend, counts)
            places.PORTS_LENT.reach()
            self._keep(instances=instances)
            places.LAID_OUT.reach()
            await kept.surround()
            running = kept.make_running(self.release)
            await running.begin()
            places.BEGUN.reach()
            return running

    def _counts(self) -> dict[str, int]:
        """Return how many instances each group that follows its load begins with: as many as carry that load now."""
        now = Counter(one.group for one in self._previous.instances) if self._previous else {}
        return {
            name: min(max(now.get(name, 0), group.instances), group.scaling.most)
            for name, group in groups_of(self.release).items()
            if group.scaling is not None
        }

    async def _catch_up(self, running: RunningRelease) -> None:
        """Give a release that was kept warm as many instances as carry the load now."""
        for name, count in self._counts().items():
            lacking = count - len(running.of_group(name))
            if lacking > 0:
                with self._tell.step("start", f"{lacking} more of '{name}'"):
                    new = await resizing.add(self._kept, name, lacking, running)
                    await running.until_healthy(self._previous, new)
                    resizing.arrived(running, frozenset(one.blueprint.spec.id for one in new))
                self.release = running.release

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

    def commit(self, settling: Operation | None = None) -> None:
        """Write that the new release serves: the point of no return.

        Args:
            settling: The operation that begins with it, of a release that was held.

        Raises:
            DiskFull: There is no room to write it; nothing was decided, and everything can be undone.
        """
        kept, number = self._kept, self.release.number
        going_back = kept.record.operation is not None and kept.record.operation.kind == "rollback"
        trail, old = kept.record.trail, self._previous
        if going_back and number in trail:
            trail = trail[: trail.index(number)]
        elif old is not None:
            trail = (*(n for n in trail if n not in {old.number, number}), old.number)
        warm = {n: w for n, w in kept.record.warm.items() if n != number}
        if old is not None and old.number in kept.running:
            keep_warm = self.release.stacks.route.keep_warm
            warm[old.number] = Warmth.lasting(keep_warm, kept.machine.clock)
        self._keep(state="active")
        places.SWITCH_BEGUN.reach()
        changes: dict[str, object] = {"active": number, "trail": trail, "warm": warm, "fixed": {}}
        if settling is not None:
            changes |= {"operation": settling, "canary": None}
        kept.save(**changes)
        places.SWITCHED.reach()


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
