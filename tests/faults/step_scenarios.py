"""The operations in the midst of which an agent dies, each with what comes before it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from drystone.l00_kernel import fault_points
from drystone.l00_kernel.errors import PlatformError
from faults.one_home import KEEP_WARM, NEXT, OneHome
from l25_deployer.agents import AgentEnded, until_it_listens
from l25_deployer.small_platform import ASKING

REACHED = Path(__file__).with_name("reached.json")
SWITCH = "switch.record.written"

Work = Callable[[OneHome], Awaitable[None]]


class Scenario(msgspec.Struct, frozen=True):
    """An operation that a fault meets.

    Attributes:
        name: What happens.
        prepare: Brings the home, in any calm state, to where the operation begins.
        act: Asks the agent, which has the fault, for the operation; None when its start is all.
        fails: Whether the operation is to fail by itself.
    """

    name: str
    prepare: Work
    act: Work | None = None
    fails: bool = False


async def serving(one: OneHome, *, warm: bool = True) -> None:
    """Let a release serve, with an earlier one that is warm or, on demand, cold."""
    async with one.up() as api:
        record = one.record()
        if record is None or record.active is None or record.operation is not None:
            await one.deploy(api)
        record = one.record()
        if not warm:
            await one.deploy(api, deploy="keep_warm: 0s")
        elif record is None or not record.warm:
            await one.deploy(api)


async def served_cold(one: OneHome) -> None:
    await serving(one, warm=False)


async def stopped(one: OneHome) -> None:
    await serving(one)
    async with one.up() as api:
        await one.stop(api)


async def gone(one: OneHome) -> None:
    async with one.up() as api:
        record = one.record()
        if record is not None and (record.active is not None or record.eternal):
            await one.destroy(api, record.eternal)


async def gone_with_data_left(one: OneHome) -> None:
    await serving(one)
    async with one.up() as api:
        await one.destroy(api, ())


def dead_at(fault: str, act: Work) -> Work:
    """Prepare an agent's death in the midst of an operation."""

    async def prepare(one: OneHome) -> None:
        await serving(one)
        one.kill()
        agent = one.start(f"{fault}:kill")
        until_it_listens(agent, one.home)
        with contextlib.suppress(PlatformError):
            await act(one)
        await one.dies()

    return prepare


async def deploy(one: OneHome) -> None:
    async with one.up() as api:
        await one.deploy(api, NEXT)


async def deploy_cutover(one: OneHome) -> None:
    async with one.up() as api:
        await one.deploy(api, NEXT, f"strategy: cutover, {KEEP_WARM}")


async def deploy_broken(one: OneHome) -> None:
    async with one.up() as api:
        await one.deploy(api, NEXT, smoke="/broken")


async def deploy_broken_cutover(one: OneHome) -> None:
    async with one.up() as api:
        await one.deploy(api, NEXT, f"strategy: cutover, {KEEP_WARM}", smoke="/broken")


async def roll_back(one: OneHome) -> None:
    async with one.up() as api:
        await one.roll_back(api)


async def destroy(one: OneHome) -> None:
    async with one.up() as api:
        record = one.record()
        await one.destroy(api, sorted(record.eternal)[:1] if record else ())


async def down(one: OneHome) -> None:
    async with one.up() as api:
        _ = [step async for step in api.stop(ASKING)]


SCENARIOS = (
    Scenario("first deploy", gone, deploy),
    Scenario("deploy onto data", gone_with_data_left, deploy),
    Scenario("deploy", serving, deploy),
    Scenario("cutover", serving, deploy_cutover),
    Scenario("failing deploy", serving, deploy_broken, fails=True),
    Scenario("failing cutover", serving, deploy_broken_cutover, fails=True),
    Scenario("warm rollback", serving, roll_back),
    Scenario("cold rollback", served_cold, roll_back),
    Scenario("destroy", serving, destroy),
    Scenario("up", stopped),
    Scenario("adoption", serving),
    Scenario("recovery before the switch", dead_at("health.instances.well", deploy)),
    Scenario("recovery after the switch", dead_at(SWITCH, deploy)),
    Scenario("recovery of a cutover", dead_at("cutover.old.ended", deploy_cutover)),
    Scenario("recovery of a rollback", dead_at("rollback.beginning.told", roll_back)),
    Scenario("recovery of a destroy", dead_at("destroy.releases.ended", destroy)),
    Scenario("recovery of an unrecorded start", dead_at("start.process.found", deploy)),
    Scenario("down", serving, down),
)


async def act(one: OneHome, scenario: Scenario, fault: str) -> PlatformError | None:
    """Carry the operation out, with an agent that has a fault; return how it failed, if it did."""
    one.kill()
    agent = one.start(fault)
    try:
        until_it_listens(agent, one.home)
        if scenario.act is not None:
            await scenario.act(one)
        else:
            async with one.up():
                pass
    except PlatformError as e:
        return e
    except AgentEnded:
        pass
    return None


class Reached(msgspec.Struct, frozen=True):
    """The points that a scenario reaches, in their order.

    Attributes:
        start: While its agent starts.
        operation: In the operation itself.
    """

    start: list[str]
    operation: list[str]

    def times(self, name: str) -> range:
        """Return the numbers of the times that the operation reaches a point."""
        before = self.start.count(name)
        return range(before + 1, before + self.operation.count(name) + 1)


async def note(one: OneHome, scenario: Scenario) -> Reached:
    """Find out which points a scenario reaches."""
    noted = one.home / "run" / fault_points.REACHED
    await scenario.prepare(one)
    noted.unlink(missing_ok=True)
    one.kill()
    start: list[str] = []
    one.start(f"{fault_points.EVERYWHERE}:note")
    with contextlib.suppress(PlatformError):
        async with one.up():
            pass
        if scenario.act is not None:
            start = noted.read_text().split()
            await scenario.act(one)
    found = noted.read_text().split()
    if one.agent is not None and one.agent.poll() is not None:  # it was told to stop
        one.agent = None
    one.kill()
    return Reached(start, found[len(start) :])


def reached() -> dict[str, Reached]:
    """Return what each scenario reached when that was last noted."""
    if not REACHED.exists():
        return {}
    return msgspec.json.decode(REACHED.read_bytes(), type=dict[str, Reached])
