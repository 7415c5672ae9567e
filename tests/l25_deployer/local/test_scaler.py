"""The number of instances follows what is asked of them, in this process and with a real Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from typing_extensions import override

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import ServiceView
from drystone.l25_deployer.local.instances import State
from drystone.l25_deployer.local.quotas import Quotas
from drystone.l25_deployer.local.scaler import Scaler
from drystone.l25_deployer.quota import Amounts
from drystone.l25_deployer.scaling.queues import Queues
from drystone.l25_deployer.stacks.model import WEB
from drystone.testing.load import Load, run
from l25_deployer.reached import at
from l25_deployer.small_platform import (
    ASKING,
    SERVER,
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

HOST = "greeter.dev.localhost"
SCALED = "scale: {min: 1, max: 3, cooldown: 0s}"
SLOW = SERVER.replace(
    "    body =",
    """    if asked == ["/slow"]:
        print("begun", flush=True)
        time.sleep(0.7)
    body =""",
)
LIMPING = SERVER.replace(
    "port = int(sys.argv[1])",
    "port = int(sys.argv[1])\nif os.environ['DRYSTONE_INSTANCE'].endswith('-1'): time.sleep(3600)",
)


class Told(Queues):
    """Queues of which the test says how much waits in them."""

    waiting: int | None = 0

    @override
    async def depth(self, environment: str, service: str, queue: str) -> int | None:
        if self.waiting is None:
            raise Unavailable("the queue does not answer")
        return self.waiting

    @override
    async def send(self, environment: str, service: str, queue: str, body: str) -> str:
        raise NotImplementedError


class Stand(msgspec.Struct):
    """A platform, and what scales its services."""

    p: ByHand
    scaler: Scaler
    queues: Told
    folder: Path
    port: int

    async def deploy(self, more: str = SCALED, server: str = SLOW) -> None:
        folder = folder_of(self.folder / "source", {"server.py": server})
        await deploy(self.p.deployer, descriptor(more=more), folder)
        self.aim_at_the_queue()

    def aim_at_the_queue(self) -> None:
        """Let the number follow a queue that no resource of the platform need be."""
        kept = self.p.kept()
        release = kept.active_release()
        assert release is not None
        web = release.stacks.deployment.groups[WEB]
        assert web.scaling is not None
        scaling = msgspec.structs.replace(web.scaling, queues={"work": 10})
        groups = {WEB: msgspec.structs.replace(web, scaling=scaling)}
        deployment = msgspec.structs.replace(release.stacks.deployment, groups=groups)
        stacks = msgspec.structs.replace(release.stacks, deployment=deployment)
        kept.save_release(msgspec.structs.replace(release, stacks=stacks))

    async def view(self) -> ServiceView:
        return await self.p.deployer.show(ASKING, **at("greeter"))

    async def looks_until(self, holds: Callable[[], object], what: str) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await self.scaler.look()
                await asyncio.sleep(0.01)

    def numbers(self) -> list[str]:
        running = self.p.kept().active
        assert running is not None
        return [one.blueprint.spec.id[-1] for one in running.instances]

    def well(self) -> int:
        running = self.p.kept().active
        assert running is not None
        return sum(one.state is State.HEALTHY for one in running.of_group("web"))

    def has_at_least(self, count: int) -> bool:
        return self.well() >= count

    def is_at(self, count: int) -> bool:
        return len(self.numbers()) == count == self.well()

    async def events(self, *names: str) -> list[str]:
        page = await self.p.deployer.history(ASKING, **at("greeter"))
        return [one.text for one in page.items if one.event in names][::-1]

    async def gone(self) -> None:
        """Leave nothing for the next test."""
        self.queues.waiting = 0
        _ = [one async for one in self.p.deployer.destroy(ASKING, **at("greeter"))]


@pytest.fixture
def home() -> Iterator[tuple[Path, int]]:
    with short_folder() as folder:
        yield folder, free_port()


@pytest_asyncio.fixture
async def s(home: tuple[Path, int]) -> AsyncIterator[Stand]:
    folder, port = home
    async with by_hand(folder / "h", port) as p:
        queues = Told()
        stand = Stand(p, Scaler(p.services, queues), queues, folder, port)
        yield stand
        await stand.scaler.leave()
        await stand.gone()


async def test_more_come_when_more_waits_and_go_when_it_is_done(s: Stand) -> None:
    await s.deploy()
    s.queues.waiting = 28
    await s.looks_until(lambda: s.is_at(3), "three instances")
    answers = {await ask(s.port, HOST) for _ in range(12)}
    assert len(answers) == 3
    [scaling] = (await s.view()).scaling
    assert (scaling.instances, scaling.least, scaling.most) == (3, 1, 3)
    assert "queue work 28 of 10 each" in scaling.text

    s.queues.waiting = 0
    slow = [asyncio.create_task(ask(s.port, HOST, "/slow")) for _ in range(3)]
    running = s.p.kept().active
    assert running is not None
    logs = [one.log for one in running.instances]
    await until(
        lambda: all(b"begun" in log.read_bytes() for log in logs), "every instance has a request"
    )
    await s.looks_until(lambda: s.is_at(1), "one instance")
    assert [answer[:3] for answer in await asyncio.gather(*slow)] == ["200"] * 3
    assert s.numbers() == ["0"]
    assert len(await running_instances(s.p)) == 1
    scaled = await s.events("scaled")
    assert scaled[0] == "web 1 → 3: queue work 28 of 10 each"
    assert [text.partition(":")[0] for text in scaled[1:]] == ["web 3 → 2", "web 2 → 1"]
    assert (await s.view()).summary.state == "serving"


async def test_more_than_there_may_be_is_told_once(s: Stand) -> None:
    await s.deploy()
    s.queues.waiting = 500
    await s.looks_until(lambda: s.is_at(3), "three instances")
    for _ in range(5):
        await s.scaler.look()
    told = "web has all 3 instances that it may have: queue work 500 of 10 each"
    assert (await s.view()).problems == [told]
    assert await s.events("scale held") == [told]


@pytest_asyncio.fixture
async def bounded(home: tuple[Path, int]) -> AsyncIterator[Stand]:
    folder, port = home
    quotas = Quotas(Amounts(instances=3))
    async with by_hand(folder / "h", port, Fakes(quotas=quotas)) as p:
        queues = Told()
        stand = Stand(p, Scaler(p.services, queues), queues, folder, port)
        yield stand
        await stand.scaler.leave()
        await stand.gone()


async def test_what_the_quota_leaves_no_room_for_does_not_come_and_is_told_once(
    bounded: Stand,
) -> None:
    s = bounded
    await s.deploy("scale: {min: 1, max: 9, cooldown: 0s}")
    s.queues.waiting = 80
    await s.looks_until(lambda: s.is_at(3), "three instances")
    for _ in range(5):
        await s.scaler.look()
    said = (
        "web is to have 8 instances: the quota of this host, 3 instances, leaves room for 0 more and not for 5, 3 instances of"
        " greeter.dev; scale another one down, or let the owner of the home raise quota.instances"
    )
    assert s.is_at(3)
    assert (await s.view()).problems == [said]
    [told] = await s.events("scale held")  # when there was room for two of seven
    assert told.startswith("web is to have 8 instances: the quota of this host, 3 instances")


async def test_one_that_never_becomes_healthy_goes_and_no_other_is_tried_for_a_while(
    s: Stand,
) -> None:
    text = descriptor(more="scale: {min: 1, max: 3, cooldown: 60s}")
    folder = folder_of(s.folder / "limping", {"server.py": LIMPING})
    await deploy(s.p.deployer, text.replace("grace: 15s", "grace: 2s"), folder)
    s.aim_at_the_queue()
    s.queues.waiting = 20
    kept = s.p.kept()
    await s.looks_until(lambda: kept.active and len(kept.active.instances) == 2, "two instances")
    await s.looks_until(lambda: s.is_at(1), "one instance")
    await s.looks_until(lambda: kept.standings["web"].problem, "it is said that no more come")
    for _ in range(5):
        await s.scaler.look()
    assert s.is_at(1)
    [failed] = await s.events("scale failed")
    assert failed.startswith("web: greeter-dev-r1-web-1 did not become healthy and went")
    [problem] = (await s.view()).problems
    assert problem.startswith("no more for a while: greeter-dev-r1-web-1")
    assert (await ask(s.port, HOST))[:3] == "200"


async def test_a_queue_that_does_not_answer_holds_the_number(s: Stand) -> None:
    await s.deploy()
    s.queues.waiting = 20
    await s.looks_until(lambda: s.is_at(2), "two instances")
    s.queues.waiting = None
    for _ in range(5):
        await s.scaler.look()
    assert s.is_at(2)
    s.queues.waiting = 0
    await s.looks_until(lambda: s.is_at(1), "one instance")


async def test_nothing_changes_while_something_is_done_to_the_service(s: Stand) -> None:
    await s.deploy()
    s.queues.waiting = 20
    async with s.p.kept().lock:
        for _ in range(5):
            await s.scaler.look()
        assert s.is_at(1)
        [scaling] = (await s.view()).scaling
        assert scaling.text == "stays while something is done to the service"
    await s.looks_until(lambda: s.is_at(2), "two instances")


async def test_the_next_release_begins_with_as_many_as_carry_the_load(s: Stand) -> None:
    await s.deploy()
    s.queues.waiting = 30
    await s.looks_until(lambda: s.is_at(3), "three instances")
    await s.deploy()
    assert s.is_at(3)
    await s.deploy("scale: {min: 1, max: 2}")
    assert s.is_at(2)


async def test_a_release_that_was_kept_warm_takes_over_with_as_many_as_carry_the_load(
    s: Stand,
) -> None:
    warm = "deploy: {keep_warm: 5m}"
    await s.deploy(f"{SCALED}\n{warm}")
    await s.deploy(f"{SCALED}\n{warm}")
    s.queues.waiting = 30
    await s.looks_until(lambda: s.is_at(3), "three instances")
    told = [one async for one in s.p.deployer.rollback(ASKING, **at("greeter"))]
    assert "2 more of 'web'" in [one.text for one in told]
    record = s.p.kept().record
    assert (record.active, s.is_at(3)) == (1, True)
    assert len({await ask(s.port, HOST) for _ in range(12)}) == 3


async def test_another_agent_finds_as_many_as_there_were(home: tuple[Path, int]) -> None:
    folder, port = home
    async with by_hand(folder / "h", port) as p:
        queues = Told()
        s = Stand(p, Scaler(p.services, queues), queues, folder, port)
        await s.deploy()
        queues.waiting = 30
        await s.looks_until(lambda: s.is_at(3), "three instances")
        before = await running_instances(p)
        await s.scaler.leave()
    async with by_hand(folder / "h", port) as p:
        s = Stand(p, Scaler(p.services, queues), queues, folder, port)
        assert await running_instances(p) == before
        assert s.is_at(3)
        queues.waiting = 0
        await s.looks_until(lambda: s.is_at(1), "one instance")
        await s.gone()
        assert await running_instances(p) == set()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_load_that_grows_tenfold_is_followed_and_left_and_no_request_fails(
    home: tuple[Path, int],
) -> None:
    folder, port = home
    async with by_hand(folder / "h", port) as p:
        more = "scale: {min: 1, max: 8, requests: 20/s, cooldown: 2s}\nsize: {cpu: 1}"
        await deploy(p.deployer, descriptor(more=more), folder_of(folder / "source"))
        scaler = Scaler(p.services)
        stand = Stand(p, scaler, Told(), folder, port)
        url = f"http://{HOST}:{port}/"
        scaler.begin()
        failed = []
        for rate, count in ((10, 1), (100, 5), (10, 1)):
            stop = asyncio.Event()
            load = asyncio.create_task(
                run(Load(url=url, rate=rate, length=timedelta(minutes=2)), stop=stop)
            )
            holds = stand.has_at_least if count > 1 else stand.is_at
            await until(partial(holds, count), f"{count} instances at {rate}/s", within=60)
            stop.set()
            failed.append((await load).failures())
        await scaler.leave()
        await stand.gone()
    assert failed == [{}, {}, {}]
