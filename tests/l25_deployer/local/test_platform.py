"""The start of a platform brings up what it can, whatever state single services are in."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.reserve import FILES
from drystone.l00_kernel.shortage import DiskFull
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.runtimes.processes import Processes
from drystone.l25_deployer.builds.artifacts import Artifacts
from drystone.l25_deployer.errors import DeployFailed
from drystone.l25_deployer.local.documents import Documents, UnreadableDocument
from drystone.l25_deployer.local.mesh import NoMesh
from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.local.resources.volume import Volumes
from drystone.l25_deployer.local.startup import Startup
from drystone.l25_deployer.stacks.model import Volume
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
    until,
)


class Sandbox(Processes):
    """A runtime that a later start does not find."""

    name = "sandbox"


class Cramped(Documents):
    """Documents on a disk that has no room for how a deploy failed, until it is given back."""

    has_room = False

    @override
    def save_release(self, record: ServiceRecord, release: ReleaseRecord) -> None:
        if release.state == "failed" and not self.has_room:
            raise DiskFull("no room")
        super().save_release(record, release)


class Hesitating(Artifacts):
    """Artefacts whose sweep has been told what to keep, and then waits before it looks at the files."""

    def __init__(self, root: Path, downloads: Path, environ: Mapping[str, str]) -> None:
        super().__init__(root, downloads, environ)
        self.begun, self.goes_on = threading.Event(), threading.Event()

    @override
    def sweep(
        self,
        keep: frozenset[str],
        owners: Iterable[tuple[str, str]],
        *,
        is_spared: Callable[[str], bool] = lambda _name: False,
    ) -> list[str]:
        self.begun.set()
        assert self.goes_on.wait(60)
        return super().sweep(keep, owners, is_spared=is_spared)


class Home:
    """A home and a service's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "h"
        self.source = folder_of(folder / "source")
        self.port = free_port()

    async def deploy(self, p: ByHand, name: str, more: str = "") -> None:
        await deploy(p.deployer, descriptor(name, more=more), self.source)

    async def answer(self, name: str) -> str:
        return await ask(self.port, f"{name}.dev.localhost")


@pytest.fixture
def home() -> Iterator[Home]:
    with short_folder() as folder:
        yield Home(folder)


async def suspended(p: ByHand) -> None:
    """End what runs, as a stop of the platform does."""
    for kept in p.services.all():
        await kept.suspend()


async def test_a_service_whose_runtime_is_gone_keeps_no_other_down(home: Home) -> None:
    async with by_hand(home.path, home.port, Fakes(runtime=Sandbox())) as p:
        await home.deploy(p, "boxed")
        await suspended(p)
    async with by_hand(home.path, home.port) as p:
        await home.deploy(p, "plain")
        await suspended(p)

    async with by_hand(home.path, home.port) as p:
        assert (await home.answer("plain")).startswith("200")
        (problem,) = p.kept("boxed").problems
        assert "the runtime 'sandbox' does not work on this machine" in problem
        status = await p.deployer.status(ASKING)
        assert [s.name for s in status.startup if s.state == "failed"] == ["boxed.dev"]
        await home.deploy(p, "boxed")
        assert (await home.answer("boxed")).startswith("200")


@pytest.mark.parametrize("document", ["service.json", "releases/1.json"])
async def test_a_service_with_a_damaged_document_is_reported_and_left_alone(
    home: Home, document: str
) -> None:
    async with by_hand(home.path, home.port) as p:
        await home.deploy(p, "harmed")
        await home.deploy(p, "plain")
        before = await running_instances(p)
    path = home.path / "services/dev/harmed" / document
    path.write_text("{")

    async with by_hand(home.path, home.port) as p:
        assert (await home.answer("plain")).startswith("200")
        assert await running_instances(p) == before
        status = await p.deployer.status(ASKING)
        assert [text.partition(" cannot be read")[0] for text in status.problems] == [str(path)]
        for call in (
            p.deployer.show(ASKING, environment="dev", service="harmed"),
            home.deploy(p, "harmed"),
        ):
            with pytest.raises(UnreadableDocument):
                await call
        await home.deploy(p, "plain")

    assert path.read_text() == "{"


async def test_data_that_a_destroyed_service_left_waits_for_its_return(home: Home) -> None:
    more = "resources: {notes: {type: volume}}"
    async with by_hand(home.path, home.port) as p:
        await home.deploy(p, "greeter", more)
        async for _ in p.deployer.destroy(ASKING, environment="dev", service="greeter"):
            pass
        page = home.path / "volumes/dev/greeter/notes/page"
        page.write_text("precious")

    async with by_hand(home.path, home.port) as p:
        (summary,) = (await p.deployer.services(ASKING)).items
        assert summary.state == "not deployed"
        await home.deploy(p, "greeter", more)

        assert page.read_text() == "precious"
        assert (await home.answer("greeter")).startswith("200")


async def test_a_service_that_cannot_start_is_tried_until_it_can(home: Home) -> None:
    async with by_hand(home.path, home.port) as p:
        await home.deploy(p, "greeter")
        await suspended(p)
        source = p.kept().release(1).source
        assert source is not None
    away = Path(f"{source}-away")
    Path(source).rename(away)

    async with by_hand(home.path, home.port) as p:
        assert p.kept().problems
        away.rename(source)
        await until(lambda: (running := p.kept().active) and running.is_healthy, "its recovery")
        await until(lambda: not p.kept().problems, "the edge knows of it")

        assert (await home.answer("greeter")).startswith("200")


async def test_services_that_need_each_other_come_up_in_waves(home: Home) -> None:
    needs = "dependencies: {{{0}: {{needs: hard, at: [start]}}}}"
    async with by_hand(home.path, home.port) as p:
        await home.deploy(p, "base")
        await home.deploy(p, "middle", needs.format("base"))
        await home.deploy(p, "top", needs.format("middle"))
        with pytest.raises(
            PlatformError, match="tangle: dev/base → dev/top → dev/middle → dev/base"
        ):
            await home.deploy(p, "base", needs.format("top"))
        await suspended(p)

    async with by_hand(home.path, home.port) as p:
        steps = (await p.deployer.status(ASKING)).startup
        ready = {step.name: step.layer for step in steps if step.state == "ready"}

    assert ready["base.dev"] < ready["middle.dev"] < ready["top.dev"]


async def test_room_for_the_hour_of_need_is_there_before_anything_can_be_asked_for(
    home: Home,
) -> None:
    async with by_hand(home.path, home.port) as p:
        assert (await p.deployer.status(ASKING)).ready
        assert len(list((home.path / "services/.reserve").iterdir())) == FILES


async def test_a_failed_release_that_found_no_room_is_remembered_when_there_is_some(
    home: Home,
) -> None:
    async with by_hand(home.path, home.port, Fakes(documents=Cramped)) as p:
        await home.deploy(p, "plain")
        with pytest.raises(DeployFailed):
            await home.deploy(p, "plain", 'deploy: {migrate: ["false"]}\n')
        kept = p.kept("plain")
        documents = kept.documents
        assert isinstance(documents, Cramped)
        assert kept.owed
        documents.has_room = True
        kept.owed.settle()
        assert [release.state for release in kept.releases()] == ["failed", "active"]


class OddVolumes(Volumes):
    """Volumes on a disk that fails."""

    @override
    async def apply(self, owner: Owner, wanted: Volume) -> dict[str, str]:
        if owner.service == "unlucky":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return await super().apply(owner, wanted)


async def test_a_service_whose_disk_fails_keeps_no_other_down(home: Home) -> None:
    async with by_hand(home.path, home.port) as p:
        for name in ("unlucky", "plain"):
            await home.deploy(p, name, "resources: {notes: {type: volume}}")
        await suspended(p)

    async with by_hand(home.path, home.port, Fakes(volumes=OddVolumes)) as p:
        assert (await home.answer("plain")).startswith("200")
        assert p.kept("unlucky").problems == ["[Errno 5] Input/output error"]
        status = await p.deployer.status(ASKING)
        assert [s.name for s in status.startup if s.state == "failed"] == ["unlucky.dev"]


async def test_a_sweep_asks_again_what_operations_need_before_it_removes_anything(
    home: Home,
) -> None:
    left_over = home.path / "artifacts/left-over"
    async with by_hand(home.path, home.port, Fakes(artifacts=Hesitating)) as p:
        store = p.services.machine.artifacts
        assert isinstance(store, Hesitating)
        left_over.mkdir(parents=True)
        sweeping = asyncio.create_task(p.platform.sweep())
        await until(store.begun.is_set, "the sweep")

        async with p.services.get("dev", "busy").lock:
            store.goes_on.set()
            await sweeping
        assert left_over.exists(), "what goes on may need it"

        store.begun.clear()
        store.goes_on.clear()
        sweeping = asyncio.create_task(p.platform.sweep())
        await until(store.begun.is_set, "the second sweep")
        await home.deploy(p, "late")
        store.goes_on.set()
        await sweeping

        assert not left_over.exists()
        needed = p.kept("late").artifact_folders()
        assert needed
        assert store.lacks(needed) == []
        await suspended(p)


async def test_who_watches_a_start_that_breaks_off_is_told(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mistaken(*_: object) -> None:
        raise LookupError("a mistake of ours")

    seen: list[Startup] = []
    end = Startup.end

    def ended(startup: Startup) -> None:
        seen.append(startup)
        end(startup)

    monkeypatch.setattr(NoMesh, "prepare", mistaken)
    monkeypatch.setattr(Startup, "run", lambda self, _: pytest.fail("it went on"))
    monkeypatch.setattr(Startup, "end", ended)

    with pytest.raises(LookupError):
        async with by_hand(home.path, home.port):
            pass

    (startup,) = seen
    async with asyncio.timeout(5):
        steps = [step async for step in startup.watch()]
    assert [(step.state, step.text) for step in steps] == [
        ("failed", "broke off: a mistake of ours")
    ]
