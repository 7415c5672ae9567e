"""Whatever fails before the switch leaves the release that served, with its resources as they were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import Progress
from drystone.l25_deployer.errors import DeployAborted, DeployFailed, NothingToAbort
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.local.resources.volume import Volumes
from drystone.l25_deployer.stacks.model import Volume
from l25_deployer.local.small_instances import FailingProcesses
from l25_deployer.small_platform import (
    ASKING,
    ByHand,
    Fakes,
    ask,
    by_hand,
    deploy,
    descriptor,
    folder_of,
    running_instances,
    short_folder,
    source,
    until,
)

HOST = "greeter.dev.localhost"
ONE = "resources: {notes: {type: volume}}\n"
TWO = "resources: {notes: {type: volume, protect: false}, photos: {type: volume, protect: false}}\n"


class BreakableVolumes(Volumes):
    """Volumes of which some cannot be made.

    Args:
        root: Folder that holds them.
    """

    refused = ""
    stays = ""

    @override
    async def remove(self, owner: Owner, wanted: Volume) -> None:
        if owner.resource == self.stays:
            raise Unavailable(f"{owner.resource} is in use")
        await super().remove(owner, wanted)

    @override
    async def apply(self, owner: Owner, wanted: Volume) -> dict[str, str]:
        if owner.resource == self.refused:
            raise Unavailable(f"no room for {owner.resource}")
        return await super().apply(owner, wanted)


class Stage:
    """A platform with a service that serves, and everything that can be made to fail."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "h"
        self.source = folder_of(folder / "source")
        self.port = free_port()
        self.runtime = FailingProcesses()
        self.volumes: list[BreakableVolumes] = []
        self.platform: ByHand | None = None

    def fakes(self) -> Fakes:
        def volumes(root: Path) -> BreakableVolumes:
            self.volumes.append(BreakableVolumes(root))
            return self.volumes[-1]

        return Fakes(runtime=self.runtime, volumes=volumes)

    @property
    def p(self) -> ByHand:
        assert self.platform is not None
        return self.platform

    async def deploy(self, more: str, **changes: str) -> list[Progress]:
        return await deploy(self.p.deployer, descriptor(more=more, **changes), self.source)

    async def hear(self, more: str, told: list[Progress]) -> None:
        """Deploy, and note what is told until it fails."""
        what = source(descriptor(more=more), self.source)
        async for progress in self.p.deployer.deploy(ASKING, source=what, environment="dev"):
            told.append(progress)  # noqa: PERF401 - what was told before the failure counts

    async def holds(self, *, release: int = 1, instances: int = 1) -> None:
        """Hold the service to what it was before."""
        kept = self.p.kept()
        assert kept.record.operation is None
        assert kept.record.active == release
        assert (await ask(self.port, HOST)).startswith("200 hello")
        assert list(kept.running) == [release]
        assert len(await running_instances(self.p)) == instances
        assert kept.record.eternal == {"notes": Volume()}
        assert {path.name for path in (self.home / "volumes/dev/greeter").glob("*")} == {"notes"}

    async def events(self) -> list[str]:
        page = await self.p.deployer.history(ASKING, environment="dev", service="greeter")
        return [event.event for event in page.items]


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as path:
        yield path


@pytest_asyncio.fixture
async def stage(folder: Path) -> AsyncIterator[Stage]:
    made = Stage(folder)
    async with by_hand(made.home, made.port, made.fakes()) as made.platform:
        await made.deploy(ONE)
        yield made


def break_resource(stage: Stage) -> None:
    stage.volumes[-1].refused = "photos"


def break_build(stage: Stage) -> None:
    (stage.source / "out").symlink_to("/etc")


def break_start(stage: Stage) -> None:
    stage.runtime.refused = ("-r2-web-0",)


def break_second_start(stage: Stage) -> None:
    stage.runtime.refused = ("-r2-web-1",)


def break_program(stage: Stage) -> None:
    (stage.source / "server.py").write_text("raise SystemExit('no such table: guests')")


NOTHING: Callable[[Stage], None] = lambda _: None  # noqa: E731 - the value of a table below

FAILURES = [
    (break_resource, "", "no room for photos", "resources"),
    (break_build, "", "leads to '/etc'", "build"),
    (
        NOTHING,
        'deploy: {migrate: [python3, -c, "import sys; sys.exit(5)"]}',
        "exit code 5",
        "migrate",
    ),
    (break_start, "", "refused by the test", "start"),
    (break_second_start, "scale: 2", "refused by the test", "start"),
    (break_program, "", "no such table: guests", "health"),
    (break_program, "deploy: {strategy: cutover}", "no such table: guests", "health"),
    (NOTHING, "deploy: {smoke: [GET /hang], strategy: cutover}", "the smoke test failed", "smoke"),
]


@pytest.mark.parametrize(
    ("breaks", "more", "message", "step"),
    FAILURES,
    ids=[f"{f[3]}-{i}" for i, f in enumerate(FAILURES)],
)
async def test_a_failure_leaves_the_old_release_and_nothing_else(
    stage: Stage, breaks: Callable[[Stage], None], more: str, message: str, step: str
) -> None:
    if step == "smoke":
        hang = (stage.source / "server.py").read_text()
        (stage.source / "server.py").write_text(hang.replace("time.sleep(3600)", "continue"))
    breaks(stage)
    told: list[Progress] = []

    with pytest.raises(PlatformError, match=message) as failed:
        await stage.hear(TWO + more, told)

    assert "release 1 (version 1) serves as before" in failed.value.message
    assert next(p.step for p in told if p.state == "failed") == step
    await stage.holds()
    events = [event for event in await stage.events() if event != "backing-off"]
    assert events[:2] == ["deploy failed", "deploy began"]
    failure = stage.p.kept().release(2)
    assert failure.state == "failed"
    assert message in (failure.failure or "")

    stage.runtime.refused = ()
    stage.volumes[-1].refused = ""
    (stage.source / "out").unlink(missing_ok=True)
    folder_of(stage.source)
    assert (await stage.deploy(ONE))[-1].step == "done"
    await until(lambda: stage.p.kept().record.active == 3, "release 3")


async def test_a_first_release_that_fails_leaves_nothing_but_its_record(folder: Path) -> None:
    stage = Stage(folder)
    async with by_hand(stage.home, stage.port, stage.fakes()) as stage.platform:
        break_program(stage)

        for number in (1, 2):
            with pytest.raises(DeployFailed, match="nothing serves"):
                await stage.deploy(ONE)
            assert stage.p.services.all() == []
            assert await running_instances(stage.p) == set()
            assert not list((stage.home / "volumes").glob("*/*/*"))
            numbers = [
                r.number for r in stage.p.services.machine.documents.releases("dev", "greeter")
            ]
            assert max(numbers) == number, "numbers are used once"
        folder_of(stage.source)
        await stage.deploy(ONE)
        await stage.holds(release=3)


async def test_an_abort_ends_what_was_begun_and_says_what_serves(stage: Stage) -> None:
    idle = "import time\nprint('waiting', flush=True)\ntime.sleep(3600)"
    (stage.source / "server.py").write_text(idle)
    deploying = asyncio.create_task(stage.deploy(TWO))
    await until(lambda: len(stage.runtime.started) == 2, "the new instance")
    await until(lambda: 2 in stage.p.kept().running, "the new release")

    said = await stage.p.deployer.abort(ASKING, environment="dev", service="greeter")

    assert said == "release 1 (version 1) serves as before"
    with pytest.raises(DeployAborted, match="aborted; release 1"):
        await deploying
    await stage.holds()
    assert (await stage.events())[0] == "deploy aborted"
    with pytest.raises(NothingToAbort):
        await stage.p.deployer.abort(ASKING, environment="dev", service="greeter")


async def test_an_abort_ends_a_set_up_with_all_its_processes(stage: Stage) -> None:
    slow = 'import subprocess; subprocess.run(["sleep", "3600"])'
    (stage.source / "setup.py").write_text(slow)
    text = descriptor(more=ONE).replace("]}\nhealth", "], setup: [python3, setup.py]}\nhealth")
    deploying = asyncio.create_task(deploy(stage.p.deployer, text, stage.source))
    await until(lambda: list(stage.home.glob("artifacts/*/build.log")), "a build")

    await stage.p.deployer.abort(ASKING, environment="dev", service="greeter")

    with pytest.raises(DeployAborted):
        await deploying
    await stage.holds()


async def test_a_rollback_does_not_wait_for_a_worker_that_does_not_start(stage: Stage) -> None:
    worker = "workers: {digest: {command: [python3, worker.py]}}"
    idle = "import time\ntime.sleep(3600)"
    folder_of(stage.source, {"worker.py": idle})
    await stage.deploy(ONE + worker)
    folder_of(stage.source, {"worker.py": idle + "\n"})
    await stage.deploy(ONE + worker)
    kept = stage.p.kept()
    stage.runtime.refused = ("-r2-digest-0",)

    async for _ in stage.p.deployer.rollback(ASKING, environment="dev", service="greeter"):
        pass

    assert kept.record.active == 2
    assert "release 2" in await ask(stage.port, HOST)
    view = await stage.p.deployer.show(ASKING, environment="dev", service="greeter")
    assert view.summary.state == "serving" or "refused" in str(view.problems)
    assert "greeter-dev-r3-digest-0" not in await running_instances(stage.p)

    stage.runtime.refused = ()
    async with asyncio.timeout(20):
        while "greeter-dev-r2-digest-0" not in await running_instances(stage.p):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_settings_of_kept_data_are_as_before_when_nothing_served(stage: Stage) -> None:
    async for _ in stage.p.deployer.destroy(ASKING, environment="dev", service="greeter"):
        pass
    assert stage.p.kept().record.eternal == {"notes": Volume()}
    break_program(stage)

    with pytest.raises(DeployFailed):
        await stage.deploy(TWO)

    assert stage.p.kept().record.eternal == {"notes": Volume()}


async def test_what_cannot_be_removed_after_the_switch_is_told_and_removed_the_next_time(
    stage: Stage,
) -> None:
    await stage.deploy(TWO)
    stage.volumes[-1].stays = "photos"

    told = await stage.deploy(ONE)

    assert told[-1].text == "greeter.dev serves version 3"
    assert "'photos' stays: photos is in use" in [progress.text for progress in told]
    kept = stage.p.kept()
    assert kept.record.operation is None
    assert set(kept.record.eternal) == {"notes", "photos"}

    stage.volumes[-1].stays = ""
    await stage.deploy(ONE)
    assert set(kept.record.eternal) == {"notes"}
    assert not (stage.home / "volumes/dev/greeter/photos").exists()
