"""The agent dies at every step of every operation, and its successor brings everything to a whole state.

Every fault point that an operation reaches is met by SIGKILL, when it is reached for the first time; documents are met
at each of their writes. ``reached.json`` says which operation reaches which points, and is
written anew by ``pytest tests/faults/test_every_step.py -m slow --update``. The default run takes a few, around the
point of no return and of every operation.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel import fault_points
from drystone.l00_kernel.fault_points import declared, of_agent
from drystone.l90_assembly import life  # so that every point has been declared
from drystone.testing.python_image import python_image
from faults.kinds import Kind
from faults.one_home import SERVER, OneHome, hold
from faults.step_scenarios import REACHED, SCENARIOS, SWITCH, act, note, reached
from l25_deployer.small_platform import short_folder

pytestmark = pytest.mark.timeout(300)

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}

QUICK_KILLS = {
    ("deploy", "switch.record.written"),
    ("warm rollback", "switch.edge.published"),
    ("withdraw", "withdraw.edge.published"),
    ("scale down", "scale.fewer.drained"),
}
QUICK_FAILURES = {
    ("cutover", "start.folder.begun"),
}


def cases(quick: set[tuple[str, str]], *, only_writes: bool) -> Sequence[object]:
    """Return every scenario with the points at which a fault meets it, and which time of each."""
    can_fail = {point.name for point in declared() if point.writes}
    found = []
    for scenario, places in reached().items():
        known = BY_NAME[scenario]
        met = places.failures(known, can_fail) if only_writes else places.deaths(known)
        for i, (name, n) in enumerate(met):
            is_quick = (scenario, name) in quick and name not in [earlier for earlier, _ in met[:i]]
            marks = () if is_quick else (pytest.mark.slow,)
            found.append(pytest.param(scenario, name, n, marks=marks, id=f"{scenario}-{name}@{n}"))
    return found


class Homes:
    """Hands out one home after the other for each kind; a home that a test left broken is not used again."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[OneHome, contextlib.ExitStack]] = {}

    @contextlib.contextmanager
    def lend(self, kind: Kind) -> Iterator[OneHome]:
        if kind.name not in self._kept:
            self._kept[kind.name] = self._new(kind)
        one, _ = self._kept[kind.name]
        try:
            yield one
        except BaseException:
            self._end(kind.name)
            raise

    def _new(self, kind: Kind) -> tuple[OneHome, contextlib.ExitStack]:
        kept = contextlib.ExitStack()
        folder = kept.enter_context(short_folder())
        image = ""
        if kind.runs_image:
            (folder / "image.py").write_text(SERVER)
            image = kept.enter_context(python_image(folder / "image.py"))
        return OneHome(folder, kind, image), kept

    def _end(self, name: str) -> None:
        one, kept = self._kept.pop(name)
        one.kill()
        kept.close()

    async def close(self) -> None:
        """Stop the platforms that are well, with their engines, and remove every home."""
        for name, (one, _) in list(self._kept.items()):
            try:
                async with one.up() as api:
                    await one.stop(api)
            finally:
                self._end(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def homes() -> AsyncIterator[Homes]:
    kept = Homes()
    yield kept
    await kept.close()


def serves_after_death(one: OneHome) -> int | None:
    """Return the release that has to serve, as the documents of the dead agent say."""
    record = one.record()
    if record is None or (record.operation is not None and record.operation.kind == "destroy"):
        return None
    return record.active


def is_past_the_switch(scenario: str, name: str) -> bool | None:
    """Tell whether a point lies after the point of no return; None where its name does not tell."""
    places = reached()[scenario].operation
    if places.count(name) > 1:
        return None
    return SWITCH in places and places.index(name) >= places.index(SWITCH)


@pytest.mark.parametrize(("scenario", "point", "n"), cases(QUICK_KILLS, only_writes=False))
async def test_an_agent_that_dies_leaves_the_old_release_or_the_new_one(
    scenario: str, point: str, n: int, homes: Homes
) -> None:
    with homes.lend(BY_NAME[scenario].kind) as one:
        await BY_NAME[scenario].prepare(one)
        before = one.record()
        await act(one, BY_NAME[scenario], f"{point}:kill@{n}")
        await one.dies()
        serves = serves_after_death(one)
        past = is_past_the_switch(scenario, point)
        if past is not None and serves is not None and before is not None:
            assert (serves != before.active) == past
        async with one.up() as api:
            await hold(one, api, serves)
            assert (await one.deploy(api))[-1] == "done"
            await hold(one, api, serves_after_death(one))


@pytest.mark.parametrize(("scenario", "point", "n"), cases(QUICK_FAILURES, only_writes=True))
async def test_an_operation_that_cannot_write_ends_with_a_reason_and_leaves_no_trace(
    scenario: str, point: str, n: int, homes: Homes
) -> None:
    with homes.lend(BY_NAME[scenario].kind) as one:
        await BY_NAME[scenario].prepare(one)
        before = one.record()
        error = await act(one, BY_NAME[scenario], f"{point}:fail@{n}")
        assert (one.home / "run" / fault_points.FIRED).exists(), "the fault point was not reached"
        assert one.agent is not None
        if scenario == "down":
            assert one.agent.wait(20) == 0
            one.agent = None
        else:
            assert one.agent.poll() is None, one.log()
        async with one.up() as api:
            await hold(one, api, serves_after_death(one))
            is_switched = serves_after_death(one) != (before and before.active)
            if error is not None and not is_switched and not BY_NAME[scenario].fails:
                assert "No space left on device" in str(error) or "is full" in str(error)
            assert (await one.deploy(api))[-1] == "done"
            await hold(one, api, serves_after_death(one))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [one.name for one in SCENARIOS if one.act and not one.about])
async def test_an_agent_that_stands_still_at_every_step_is_only_late(
    scenario: str, homes: Homes
) -> None:
    known = BY_NAME[scenario]
    with homes.lend(known.kind) as one:
        await known.prepare(one)
        points = dict.fromkeys(reached()[scenario].operation)
        error = await act(one, known, ",".join(f"{name}:stall=0.5" for name in points))
        fired = (one.home / "run" / fault_points.FIRED).read_text().split()
        assert {wish.partition(":")[0] for wish in fired} == set(points)
        assert (error is not None) == known.fails, error
        assert one.agent is not None
        if scenario == "down":
            assert one.agent.wait(20) == 0
            one.agent = None
        async with one.up() as api:
            await hold(one, api, serves_after_death(one))
            assert (await one.deploy(api))[-1] == "done"


def test_every_point_is_reached_by_an_operation() -> None:
    found = {name for places in reached().values() for name in places.operation}
    ours = {point.name for point in of_agent()}
    assert sorted(ours ^ found) == []
    assert set(reached()) == set(BY_NAME)
    assert life.LISTENS.name in ours


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_the_table_tells_which_points_every_operation_reaches(
    request: pytest.FixtureRequest, homes: Homes
) -> None:
    found = {}
    for scenario in SCENARIOS:
        with homes.lend(scenario.kind) as one:
            found[scenario.name] = await note(one, scenario)
    if request.config.getoption("--update"):
        REACHED.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    assert {name: set(places.operation) for name, places in found.items()} == {
        name: set(places.operation) for name, places in reached().items()
    }
