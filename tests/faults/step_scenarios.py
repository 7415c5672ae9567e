"""The operations in the midst of which an agent dies, each with what comes before it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import msgspec

from drystone.l00_kernel import fault_points
from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.local.ports import PortBook
from faults.kinds import BUCKET, CONTAINER, POSTGRES, VOLUMES, Kind
from faults.one_home import KEEP_WARM, OneHome
from l25_deployer.agents import AgentEnded, until_it_listens
from l25_deployer.small_platform import ASKING

REACHED = Path(__file__).with_name("reached.json")
SWITCH = "switch.record.written"

EVERY_WRITE = "document.partial.written"
WRITES = {
    "document.write.begun",
    EVERY_WRITE,
    "document.rename.done",
    "history.line.begun",
    "history.line.written",
}
"""The places that every write passes, whatever it writes."""

Work = Callable[[OneHome], Awaitable[None]]


class Twin(msgspec.Struct, frozen=True):
    """A stretch of an operation in which every state is that of another operation, for all that recovery reads.

    Attributes:
        of: The scenario in which these states are met.
        last: The point with which the stretch ends.
        first: The point with which it begins; empty where it does so with the operation.
    """

    of: str
    last: str
    first: str = ""


class Scenario(msgspec.Struct, frozen=True):
    """An operation that a fault meets.

    Attributes:
        name: What happens.
        prepare: Brings the home, in any calm state, to where the operation begins.
        act: Asks the agent, which has the fault, for the operation; None when its start is all.
        fails: Whether the operation is to fail by itself.
        twin: The part of it that need not be met again.
        every_write: Whether it is met at each of its documents, even where nothing but the half-written
            document is new.
        kind: What its service needs.
        about: How the points begin at which it is met, and that each time; empty for all, the first time.
    """

    name: str
    prepare: Work
    act: Work | None = None
    fails: bool = False
    twin: Twin | None = None
    every_write: bool = False
    kind: Kind = VOLUMES
    about: tuple[str, ...] = ()


async def serving(one: OneHome, *, warm: bool = True) -> None:
    """Let a release serve, with an earlier one that is warm or, on demand, cold."""
    async with one.up() as api:
        record = one.record()
        if record is None or record.active is None or record.operation is not None:
            await one.deploy(api)
        await one.let_go(api)
        record = one.record()
        if not warm:
            await one.deploy(api, deploy="keep_warm: 0s")
        elif record is None or not record.warm:
            await one.deploy(api)


async def serving_without_failures(one: OneHome) -> None:
    """Let a release serve of which no failed successor is kept: with enough of them a failure removes one more."""
    if any(release.state == "failed" for release in one.releases()):
        await gone(one)
    await serving(one)


async def served_cold(one: OneHome) -> None:
    await serving(one, warm=False)


async def stopped(one: OneHome) -> None:
    await serving(one)
    async with one.up() as api:
        await one.stop(api)


async def gone(one: OneHome) -> None:
    async with one.up() as api:
        if one.record() is None:  # so that what serves keys runs, as it does ever after
            await one.deploy(api)
        record = one.record()
        if record is not None and (record.active is not None or record.eternal):
            await one.destroy(api, record.eternal)
    # The port at which others reach a service is promised once and for all; a first deploy promises it.
    one.kill()
    PortBook.forget(one.home / "ports.json")


async def gone_with_data_left(one: OneHome) -> None:
    await serving(one)
    async with one.up() as api:
        await one.destroy(api, ())


def dead_at(fault: str, act: Work) -> Work:
    """Prepare an agent's death in the midst of an operation."""
    return _dead_at(serving, fault, act)


def dead_at_held(fault: str, act: Work) -> Work:
    """Prepare an agent's death in the midst of an operation on what is held."""
    return _dead_at(held, fault, act)


def _dead_at(before: Work, fault: str, act: Work) -> Work:
    async def prepare(one: OneHome) -> None:
        await before(one)
        one.kill()
        agent = one.start(f"{fault}:kill")
        until_it_listens(agent, one.home)
        with contextlib.suppress(PlatformError):
            await act(one)
        await one.dies()

    return prepare


async def deploy(one: OneHome) -> None:
    async with one.up() as api:
        await one.deploy(api, one.kind.next)


async def held(one: OneHome) -> None:
    """Let a release be held beside the one that serves, with a part of the requests."""
    await serving(one)
    async with one.up() as api:
        await one.deploy(api, one.kind.next, hold=True)
        await one.shift(api, 0.5)


async def deploy_held(one: OneHome) -> None:
    async with one.up() as api:
        await one.deploy(api, one.kind.next, hold=True)


async def shift(one: OneHome) -> None:
    async with one.up() as api:
        await one.shift(api, 0.75)


async def settle(one: OneHome) -> None:
    async with one.up() as api:
        await one.settle(api)


async def withdraw(one: OneHome) -> None:
    async with one.up() as api:
        await one.let_go(api)


async def alone(one: OneHome) -> None:
    """Let one instance serve."""
    await serving(one)
    async with one.up():
        await one.scale(None)


async def three(one: OneHome) -> None:
    """Let three instances serve."""
    await serving(one)
    async with one.up():
        await one.scale(3)


async def scale_up(one: OneHome) -> None:
    async with one.up():
        await one.scale(3)


async def scale_down(one: OneHome) -> None:
    async with one.up():
        await one.scale(1)


async def restart(one: OneHome) -> None:
    async with one.up():
        await one.restart()


async def stopped_while_held(one: OneHome) -> None:
    await held(one)
    async with one.up() as api:
        await one.stop(api)


async def deploy_cutover(one: OneHome) -> None:
    async with one.up() as api:
        await one.deploy(api, one.kind.next, f"strategy: cutover, {KEEP_WARM}")


async def deploy_broken(one: OneHome) -> None:
    async with one.up() as api:
        await one.deploy(api, one.kind.next, smoke="/broken")


async def deploy_broken_cutover(one: OneHome) -> None:
    async with one.up() as api:
        await one.deploy(api, one.kind.next, f"strategy: cutover, {KEEP_WARM}", smoke="/broken")


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


# Its release brings another strategy, which nothing reads before the old release is to end.
AS_DEPLOY = Twin("deploy", "migrate.command.ended")
# Another smoke test, which nothing reads before it is asked.
FAILS = Twin("deploy", "warm-up.requests.done")
FAILS_CUTOVER = Twin("cutover", "warm-up.requests.done")
# What was left of data has been settled by then, and what is made here does not depend on it.
ONTO_DATA = Twin("first deploy", "smoke.tests.passed", "build.place.made")
# No service has been looked at by then: its state is that of the death before.
ADOPTS = Twin("adoption", "up.parts.started")


# Nothing but the operation's record says that it is to be held.
HOLDS = Twin("deploy", "warm-up.requests.done")


def with_engine(kind: Kind, *about: str) -> tuple[Scenario, ...]:
    """Return the operations that change what an engine or a runtime of containers holds.

    Args:
        kind: What the service needs.
        about: How the points begin at which that changes.
    """

    def scenario(name: str, prepare: Work, work: Work | None = None, *more: str) -> Scenario:
        met = (*about, *more, SWITCH)
        fails = work is deploy_broken_cutover
        return Scenario(f"{name} with {kind.name}", prepare, work, fails, kind=kind, about=met)

    unfinished = dead_at("health.instances.well", deploy)
    return (
        scenario("first deploy", gone, deploy),
        scenario("deploy", serving, deploy, "document.write.begun"),
        scenario("failing cutover", serving_without_failures, deploy_broken_cutover),
        scenario("cold rollback", served_cold, roll_back),
        scenario("destroy", serving, destroy),
        scenario("up", stopped),
        scenario("recovery before the switch", unfinished),
        scenario("recovery after the switch", dead_at(SWITCH, deploy)),
        scenario("recovery of a destroy", dead_at("destroy.releases.ended", destroy)),
    )


OF_DATA = ("resources.", "remove.", "undo.resources.", "undo.settings.", "recover.resources.")
OF_INSTANCES = ("start.", "stop.", "end.", "recover.releases.", "recover.active.")

SCENARIOS = (
    Scenario("first deploy", gone, deploy, every_write=True),
    Scenario("deploy onto data", gone_with_data_left, deploy, twin=ONTO_DATA),
    Scenario("deploy", serving, deploy, every_write=True),
    Scenario("cutover", serving, deploy_cutover, twin=AS_DEPLOY),
    Scenario("failing deploy", serving_without_failures, deploy_broken, fails=True, twin=FAILS),
    Scenario(
        "failing cutover",
        serving_without_failures,
        deploy_broken_cutover,
        fails=True,
        twin=FAILS_CUTOVER,
    ),
    Scenario("warm rollback", serving, roll_back),
    Scenario("cold rollback", served_cold, roll_back),
    Scenario("destroy", serving, destroy),
    Scenario("up", stopped, every_write=True),
    Scenario("adoption", serving),
    Scenario("recovery before the switch", dead_at("health.instances.well", deploy), twin=ADOPTS),
    Scenario("recovery after the switch", dead_at(SWITCH, deploy), twin=ADOPTS),
    Scenario("recovery of a cutover", dead_at("cutover.old.ended", deploy_cutover), twin=ADOPTS),
    Scenario("recovery of a rollback", dead_at("rollback.beginning.told", roll_back), twin=ADOPTS),
    Scenario("recovery of a destroy", dead_at("destroy.releases.ended", destroy), twin=ADOPTS),
    Scenario(
        "recovery of an unrecorded start", dead_at("start.process.found", deploy), twin=ADOPTS
    ),
    Scenario("down", serving, down),
    Scenario("deploy with a hold", serving, deploy_held, twin=HOLDS),
    Scenario("shift", held, shift),
    Scenario("settle", held, settle),
    Scenario("withdraw", held, withdraw),
    Scenario("adoption of what is held", held, twin=ADOPTS),
    Scenario("up with what is held", stopped_while_held, twin=ADOPTS),
    Scenario(
        "recovery of a withdrawal", dead_at_held("withdraw.edge.published", withdraw), twin=ADOPTS
    ),
    Scenario("recovery of a settling", dead_at_held(SWITCH, settle), twin=ADOPTS),
    Scenario("scale up", alone, scale_up),
    Scenario("scale down", three, scale_down),
    Scenario("restart", alone, restart),
    *with_engine(POSTGRES, "postgres.", *OF_DATA),
    *with_engine(BUCKET, "objects.", *OF_DATA),
    *with_engine(CONTAINER, *OF_INSTANCES),
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

    def deaths(self, scenario: Scenario) -> list[tuple[str, int]]:
        """Return at which points, and which time of each, a death leaves what it leaves nowhere else.

        A named point is met when it is reached for the first time. Of the places that every write passes, those
        before it leave what the point before left, and those after it what the point that follows leaves. A
        half-written document is met where what it follows has no point that is met.
        """
        found = []
        twins = self._twins(scenario.twin)
        for i, name in enumerate(self.operation):
            is_first = name not in self.operation[:i]
            if scenario.about:
                wanted = name not in WRITES
            elif name == EVERY_WRITE:
                # Between the two lies nothing but the beginning of the write.
                before = self.operation[max(0, i - 2)]
                is_met = before not in WRITES and before not in self.operation[: max(0, i - 2)]
                wanted = scenario.every_write or not is_met
            else:
                wanted = is_first and (name not in WRITES or scenario.name == "deploy")
            if wanted and i not in twins:
                found.append((name, self.times(name)[self.operation[:i].count(name)]))
        return found

    def failures(self, scenario: Scenario, writing: Collection[str]) -> list[tuple[str, int]]:
        """Return at which points, and which time of each, a write is to fail, of those in ``writing``.

        In what people ask for every time; in what an agent does by itself, the first.
        """
        found = []
        twins = self._twins(scenario.twin)
        for i, name in enumerate(self.operation):
            is_met = scenario.act is not None or name not in self.operation[:i]
            if name in writing and is_met and i not in twins:
                found.append((name, self.times(name)[self.operation[:i].count(name)]))
        return found

    def _twins(self, twin: Twin | None) -> range:
        if twin is None:
            return range(0)
        first = self.operation.index(twin.first) if twin.first else 0
        return range(first, self.operation.index(twin.last) + 1)


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
    told = scenario.about or ("",)
    others = ("backup.", "rotate.", "job.")  # they have tests of their own
    return Reached(
        [name for name in start if name.startswith(told) and not name.startswith(others)],
        [
            name
            for name in found[len(start) :]
            if name.startswith(told) and not name.startswith(others)
        ],
    )


def reached() -> dict[str, Reached]:
    """Return what each scenario reached when that was last noted."""
    if not REACHED.exists():
        return {}
    return msgspec.json.decode(REACHED.read_bytes(), type=dict[str, Reached])
