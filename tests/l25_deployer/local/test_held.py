"""A release is held beside the one that serves, in this process and with a real Envoy."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import Progress
from drystone.l25_deployer.errors import (
    NoCanary,
)
from l25_deployer.small_platform import (
    ASKING,
    ByHand,
    ask,
    by_hand,
    deploy,
    descriptor,
    folder_of,
    running_instances,
    short_folder,
)

HOST = "greeter.dev.localhost"
VOLUMES = "resources: {notes: {type: volume}}"
MORE_VOLUMES = "resources: {notes: {type: volume}, photos: {type: volume, protect: false}}"
PLACE: dict[str, Any] = {"environment": "dev", "service": "greeter"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


class At(msgspec.Struct):
    """A platform and where its service's folder is."""

    p: ByHand
    source: Path
    port: int

    async def deploy(self, more: str = VOLUMES, **how: object) -> list[Progress]:
        return await deploy(self.p.deployer, descriptor(more=more), self.source, **how)

    async def hold(self, key: str, more: str = VOLUMES) -> int:
        told = await self.deploy(more, key=key, hold=True)
        number = told[-1].release
        assert number is not None
        return number

    async def shift(self, key: str, share: float, **how: Any) -> None:
        await self.p.deployer.shift(ASKING, **PLACE, key=key, share=share, **how)

    async def settle(self, key: str) -> list[Progress]:
        return [one async for one in self.p.deployer.settle(ASKING, **PLACE, key=key)]

    async def withdraw(self, key: str, reason: str = "a test") -> list[Progress]:
        stream = self.p.deployer.withdraw(ASKING, **PLACE, key=key, reason=reason)
        return [one async for one in stream]

    async def rollback(self, **how: Any) -> list[Progress]:
        return [one async for one in self.p.deployer.rollback(ASKING, **PLACE, **how)]

    async def outcome(self, key: str) -> tuple[str, int]:
        found = await self.p.deployer.outcome(ASKING, **PLACE, key=key)
        return found.state, found.release

    async def answers(self, count: int = 1, headers: dict[str, str] | None = None) -> Counter[int]:
        """Return how often each release answered."""
        return Counter([await answerer(self.port, headers) for _ in range(count)])


async def answerer(port: int, headers: dict[str, str] | None = None) -> int:
    answer = await ask(port, HOST, headers=headers)
    assert answer.startswith("200 "), answer
    return int(answer.rpartition(" ")[2])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[At]:
    with short_folder() as folder:
        port = free_port()
        async with by_hand(folder / "h", port) as p:
            yield At(p, folder_of(folder / "source"), port)


@pytest_asyncio.fixture(loop_scope="module")
async def at(platform: At) -> AsyncIterator[At]:
    """Let a release serve, and nothing be held."""
    await platform.deploy()
    yield platform
    if platform.p.services.find("dev", "greeter") is not None:
        names = list(platform.p.kept().record.eternal)
        async for _ in platform.p.deployer.destroy(ASKING, **PLACE, confirm=names):
            pass
    assert await running_instances(platform.p) == set()


async def test_what_is_held_runs_and_gets_nothing_until_it_is_shifted_and_settled(at: At) -> None:
    before = at.p.kept().record.active
    number = await at.hold("k1")

    assert await at.outcome("k1") == ("holding", number)
    assert at.p.kept().record.operation is None
    assert await at.answers(20) == {before: 20}
    await at.shift("k1", 0.5)
    assert set(await at.answers(60)) == {before, number}
    await at.shift("k1", 1)
    assert await at.answers(20) == {number: 20}
    await at.shift("k1", 0)
    assert await at.answers(20) == {before: 20}
    told = await at.settle("k1")

    assert (told[-1].step, told[-1].release) == ("done", number)
    assert await at.answers(20) == {number: 20}
    record = at.p.kept().record
    assert (record.active, record.canary, record.trail[-1]) == (number, None, before)
    assert await at.outcome("k1") == ("serving", number)
    assert (await at.settle("k1"))[-1].step == "done"
    await at.rollback()
    assert await at.answers(5) == {before: 5}


async def test_a_withdrawal_takes_back_what_the_release_alone_declared(at: At) -> None:
    before = at.p.kept().record.active
    number = await at.hold("k1", MORE_VOLUMES)
    await at.shift("k1", 0.5)
    assert set(at.p.kept().record.eternal) == {"notes", "photos"}

    await at.withdraw("k1", "too slow")

    kept = at.p.kept()
    assert await at.answers(20) == {before: 20}
    assert set(kept.record.eternal) == {"notes"}
    assert (kept.release(number).state, kept.release(number).failure) == ("withdrawn", "too slow")
    assert await running_instances(at.p) == {
        one.id for n in kept.running for one in kept.release(n).instances
    }
    assert number not in kept.running
    assert await at.outcome("k1") == ("withdrawn", number)
    assert (await at.withdraw("k1"))[-1].step == "done"
    with pytest.raises(NoCanary, match="withdrawn"):
        await at.shift("k1", 0.5)
    with pytest.raises(NoCanary):
        await at.settle("k1")
