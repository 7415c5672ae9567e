"""An operation dies at every third of its writes, quickly: in this process, with parts made by hand.

``tests/faults/test_every_step.py`` kills real agents, at every write and everywhere between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from typing_extensions import override

from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import HistoryEvent, Progress
from drystone.l25_deployer.local.documents import Documents
from drystone.l25_deployer.local.mesh import Member, NoMesh
from drystone.l25_deployer.local.ports import PortBook
from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord
from drystone.testing.faults.invariants import unpaired
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
)

if TYPE_CHECKING:
    from drystone.l10_engines.proxy.edge import EdgeService
    from drystone.l10_engines.proxy.snapshot import Snapshot

HOST = "greeter.dev.localhost"
RESOURCES = "resources: {notes: {type: volume}}"
MORE_RESOURCES = """
resources: {notes: {type: volume}, photos: {type: volume, protect: false}}
proxy: {placement: instance}
"""
CUTOVER = "deploy: {strategy: cutover}"


class Death(BaseException):
    """The agent is gone."""


class MortalDocuments(Documents):
    """Dies before its n-th write, as SIGKILL would; what is on the disk stays."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.left: int | None = None

    def _write(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Death

    @override
    def save_service(self, record: ServiceRecord) -> None:
        self._write()
        super().save_service(record)

    @override
    def save_release(self, record: ServiceRecord, release: ReleaseRecord) -> None:
        self._write()
        super().save_release(record, release)

    @override
    def remove_release(self, record: ServiceRecord, number: int) -> None:
        self._write()
        super().remove_release(record, number)

    @override
    def remove_service(self, record: ServiceRecord) -> None:
        self._write()
        super().remove_service(record)

    @override
    def append_history(self, environment: str, service: str, event: HistoryEvent) -> None:
        self._write()
        super().append_history(environment, service, event)


class NotingMesh(NoMesh):
    """Keeps what it was told last of every service."""

    def __init__(self, ports: PortBook) -> None:
        super().__init__(ports)
        self.members: Sequence[Member] = ()

    @override
    async def publish(
        self,
        edge: Snapshot,
        services: Sequence[EdgeService],
        members: Sequence[Member],
        lead: Callable[[Snapshot], Awaitable[object]],
    ) -> bool:
        self.members = members
        return await super().publish(edge, services, members, lead)


NOTING = Fakes(mesh=NotingMesh)
MORTAL = Fakes(mesh=NotingMesh, documents=MortalDocuments)


class Mortal:
    """One home and its successive agents."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "h"
        self.source = folder_of(folder / "source")
        self.port = free_port()

    async def deploy(self, p: ByHand, more: str) -> list[Progress]:
        return await deploy(p.deployer, descriptor(more=more), self.source)

    async def dies_during(self, n: int, operation: str, more: str) -> bool:
        """Let an agent die at the n-th write of an operation; returns whether it lived that long."""
        async with by_hand(self.home, self.port, MORTAL) as p:
            documents = p.services.machine.documents
            assert isinstance(documents, MortalDocuments)
            documents.left = n
            try:
                if operation == "deploy":
                    await self.deploy(p, more)
                else:
                    work = p.deployer.rollback if operation == "rollback" else p.deployer.destroy
                    async for _ in work(ASKING, environment="dev", service="greeter"):
                        pass
            except Death:
                return True
            return False


@pytest.fixture
def mortal() -> Iterator[Mortal]:
    with short_folder() as folder:
        yield Mortal(folder)


async def whole(p: ByHand, mortal: Mortal) -> int:
    """Hold a service to what must be true whenever no operation runs; returns the release that serves."""
    kept = p.kept()
    assert kept.problems == []
    assert kept.record.operation is None
    number = kept.record.active
    assert number is not None
    assert await ask(mortal.port, HOST) == f"200 {await _body(p, number)}"
    assert set(kept.running) == {number, *kept.record.warm}
    if kept.record.warm:  # then somebody waits for the moment at which it is to end
        assert kept._tending is not None
        assert not kept._tending.done()
    assert unpaired(p.services.machine.documents.history("dev", "greeter")[::-1]) == []
    assert await running_instances(p) == {
        one.id for n in kept.running for one in kept.release(n).instances
    }
    mesh = p.services.machine.mesh
    assert isinstance(mesh, NotingMesh)
    declared = [one for member in mesh.members for one in member.surroundings]
    assert all(one == kept.release(number).stacks.environment for one in declared)
    assert declared
    wanted = kept.release(number).stacks.eternal.resources
    assert kept.record.eternal == wanted
    volumes = mortal.home / "volumes/dev/greeter"
    assert {path.name for path in volumes.glob("*")} == set(wanted)
    assert kept.release(number).state == "active"
    assert {r.state for r in p.services.machine.documents.releases("dev", "greeter")} <= {
        "active",
        "warm",
        "stopped",
        "failed",
    }
    return number


async def _body(p: ByHand, number: int) -> str:
    (instance,) = p.kept().running[number].instances
    return f"hello from {instance.pid} release {number}"


EVERY = 3
"""At each of these writes an operation dies."""


async def crashes(mortal: Mortal, operation: str, more: str) -> AsyncIterator[tuple[int, ByHand]]:
    """Let the operation die at its writes, one after the other; yield the agent that follows each death."""
    for n in range(0, 1000, EVERY):
        died = await mortal.dies_during(n, operation, more)
        async with by_hand(mortal.home, mortal.port, NOTING) as p:
            yield n, p
        if not died:
            assert n > 3, "an operation writes more than that"
            return


@pytest.mark.parametrize("strategy", ["", CUTOVER])
async def test_a_death_during_a_deploy_leaves_the_old_release_or_the_new_one(
    mortal: Mortal, strategy: str
) -> None:
    async with by_hand(mortal.home, mortal.port, NOTING) as p:
        await mortal.deploy(p, RESOURCES)
        before = await whole(p, mortal)
    switched = []
    async for n, p in crashes(mortal, "deploy", f"{MORE_RESOURCES}\n{strategy}"):
        after = await whole(p, mortal)
        switched.append(after > before)
        # The way back: a deploy of the first descriptor takes `photos` away again.
        told = await mortal.deploy(p, RESOURCES)
        assert told[-1].step == "done", n
        before = await whole(p, mortal)
    assert switched == sorted(switched), "nothing is undone once the switch is written"
    assert switched[-1]
    assert not switched[0]


async def test_a_death_during_a_rollback_leaves_the_earlier_release_or_the_later_one(
    mortal: Mortal,
) -> None:
    async with by_hand(mortal.home, mortal.port, NOTING) as p:
        await mortal.deploy(p, RESOURCES)
        await mortal.deploy(p, RESOURCES)
        later = await whole(p, mortal)
    async for n, p in crashes(mortal, "rollback", ""):
        assert await whole(p, mortal) in {later, later - 1}, n
        await mortal.deploy(p, RESOURCES)
        await mortal.deploy(p, RESOURCES)
        later = await whole(p, mortal)


async def test_a_death_during_a_destroy_is_followed_by_the_rest_of_it(mortal: Mortal) -> None:
    more = "resources: {notes: {type: volume, protect: false}}"
    async with by_hand(mortal.home, mortal.port, NOTING) as p:
        await mortal.deploy(p, more)
    async for n, p in crashes(mortal, "destroy", ""):
        if n == 0:  # it died before anything was written
            await whole(p, mortal)
            continue
        assert await running_instances(p) == set(), n
        assert [s.state for s in (await p.deployer.services(ASKING)).items] in (
            [],
            ["not deployed"],
        ), n
        await mortal.deploy(p, more)
        await whole(p, mortal)


WARM = "deploy: {keep_warm: 1h}"
PHOTOS = "resources: {photos: {type: volume, protect: false}}"


async def test_a_release_whose_resource_goes_is_not_kept_warm(mortal: Mortal) -> None:
    async with by_hand(mortal.home, mortal.port, NOTING) as p:
        await mortal.deploy(p, f"{WARM}\n{PHOTOS}")
        await mortal.deploy(p, WARM)
        assert p.kept().record.warm == {}
        assert await whole(p, mortal) == 2


async def test_a_warm_release_whose_resource_is_gone_is_ended_by_the_next_agent(
    mortal: Mortal,
) -> None:
    async with by_hand(mortal.home, mortal.port, NOTING) as p:
        await mortal.deploy(p, f"{WARM}\n{PHOTOS}")
        await mortal.deploy(p, f"{WARM}\n{PHOTOS}")
        assert set(p.kept().record.warm) == {1}
    documents = Documents(mortal.home / "services")
    record = documents.service("dev", "greeter")
    second = documents.release("dev", "greeter", 2)
    none = msgspec.structs.replace(second.stacks.eternal, resources={})
    stacks = msgspec.structs.replace(second.stacks, eternal=none)
    documents.save_release(record, msgspec.structs.replace(second, stacks=stacks))
    documents.save_service(msgspec.structs.replace(record, eternal={}))
    async with by_hand(mortal.home, mortal.port, NOTING) as p:
        assert p.kept().record.warm == {}
        assert await running_instances(p) == {one.id for one in p.kept().release(2).instances}


async def test_after_a_rollback_it_is_still_the_release_before_that_is_kept_warm(
    mortal: Mortal,
) -> None:
    async with by_hand(mortal.home, mortal.port, NOTING) as p:
        for _ in range(2):
            await mortal.deploy(p, RESOURCES)
        async for _ in p.deployer.rollback(ASKING, environment="dev", service="greeter"):
            pass
        assert set(p.kept().record.warm) == {2}
        await mortal.deploy(p, RESOURCES)
        assert (p.kept().record.active, set(p.kept().record.warm)) == (3, {1})
        assert await whole(p, mortal) == 3


async def test_no_release_that_is_kept_warm_runs_beside_the_new_one_of_a_cutover(
    mortal: Mortal,
) -> None:
    async with by_hand(mortal.home, mortal.port, NOTING) as p:
        for _ in range(2):
            await mortal.deploy(p, RESOURCES)
        told = await mortal.deploy(p, f"{RESOURCES}\n{CUTOVER}")
        stopped = [n for n, progress in enumerate(told) if progress.step == "stop"]
        started = [n for n, progress in enumerate(told) if progress.step == "start"]
        assert len(stopped) >= 4, (
            "the one that serves and the one that is kept warm, begun and ended"
        )
        assert max(stopped) < min(started)
        assert set(p.kept().running) == {3}
        assert await whole(p, mortal) == 3
