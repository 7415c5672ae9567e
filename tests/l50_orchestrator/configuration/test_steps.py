"""Laws of differences: what is applied is there, what is there is not applied again, and the order can be gone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.contract import Caller, Context
from drystone.l25_deployer.descriptor.block import Block
from drystone.l50_orchestrator.configuration.reading import Key
from drystone.l50_orchestrator.configuration.steps import Step, difference, words
from drystone.testing.configured import (
    GrantBlock,
    GrantsInMemory,
    InMemory,
    TeamBlock,
    TeamsInMemory,
)

CTX = Context(Caller("root"))
NAMES = st.sampled_from("abcdef")


@st.composite
def worlds(draw: st.DrawFn) -> dict[Key, Block]:
    """Draw items that need only what is there, and in no circle."""
    world: dict[Key, Block] = {}
    teams = sorted(draw(st.sets(NAMES, max_size=5)))
    for team in teams:
        world["teams", team] = TeamBlock(members=tuple(draw(st.lists(NAMES, max_size=2))))
    names = draw(st.permutations("abcdef")) if teams else []
    earlier: list[str] = []
    for name in names[: draw(st.integers(0, 6))]:
        unless = draw(st.none() | st.sampled_from(earlier)) if earlier else None
        team = draw(st.sampled_from(teams))
        world["grants", name] = GrantBlock(team=team, unless=unless, reason=draw(NAMES))
        earlier.append(name)
    return world


class World:
    """Teams and grants in memory."""

    def __init__(self, items: Mapping[Key, Block]) -> None:
        self.kinds: dict[str, InMemory] = {}  # type: ignore[type-arg]
        TeamsInMemory(self.kinds)
        GrantsInMemory(self.kinds)
        for (kind, name), item in items.items():
            self.kinds[kind].items[name] = item

    def items(self) -> dict[Key, Block]:
        return {
            (k, name): item for k, kind in self.kinds.items() for name, item in kind.items.items()
        }

    def plan(self, wanted: Mapping[Key, Block], *, prune: bool = False) -> list[Step]:
        return difference(wanted, self.items(), self.kinds, prune=self.kinds if prune else ())

    def apply(self, steps: list[Step]) -> None:
        async def go() -> None:
            for step in steps:
                kind, name = step.key
                if step.item is None:
                    await self.kinds[kind].remove(CTX, name)
                else:
                    await self.kinds[kind].put(CTX, name, step.item)

        asyncio.run(go())


@given(worlds())
def test_a_world_does_not_differ_from_itself(world: dict[Key, Block]) -> None:
    assert World(world).plan(world) == World(world).plan(world, prune=True) == []


@given(worlds(), worlds())
def test_applied_and_pruned_exactly_what_was_wanted_is_there(
    present: dict[Key, Block], wanted: dict[Key, Block]
) -> None:
    world = World(present)
    world.apply(world.plan(wanted, prune=True))
    assert world.items() == wanted


@given(worlds(), worlds())
def test_applied_twice_there_is_nothing_to_do(
    present: dict[Key, Block], wanted: dict[Key, Block]
) -> None:
    world = World(present)
    if _is_circle(present | wanted):
        return
    world.apply(world.plan(wanted))
    assert world.plan(wanted) == []
    assert world.items() == present | wanted


@given(worlds(), worlds(), st.integers(0, 12))
def test_an_apply_that_ended_half_way_goes_on(
    present: dict[Key, Block], wanted: dict[Key, Block], done: int
) -> None:
    world = World(present)
    first = world.plan(wanted, prune=True)
    world.apply(first[:done])
    second = world.plan(wanted, prune=True)
    assert {step.key for step in second} == {step.key for step in first[done:]}
    world.apply(second)
    assert world.items() == wanted


@given(worlds(), worlds(), st.randoms())
def test_the_order_of_what_is_given_does_not_matter(
    present: dict[Key, Block], wanted: dict[Key, Block], random: st.DrawFn
) -> None:
    shuffled = list(wanted.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert World(present).plan(dict(shuffled), prune=True) == World(present).plan(
        wanted, prune=True
    )


@given(worlds(), worlds(), worlds())
def test_removals_are_confirmed_by_words_of_their_own(
    present: dict[Key, Block], one: dict[Key, Block], other: dict[Key, Block]
) -> None:
    first, second = World(present).plan(one, prune=True), World(present).plan(other, prune=True)
    gone = [{step.key for step in steps if step.item is None} for steps in (first, second)]
    assert (words(first) == words(second)) == (gone[0] == gone[1])
    assert (words(first) == "") == (not gone[0])


def _is_circle(items: dict[Key, Block]) -> bool:
    """Tell whether grants need themselves."""
    for start in items.values():
        at, steps = start, 0
        while isinstance(at, GrantBlock) and at.unless is not None:
            at, steps = items["grants", at.unless], steps + 1
            if steps > len(items):
                return True
    return False


def test_a_change_says_what_differs() -> None:
    world = World({("teams", "a"): TeamBlock(members=("ada",))})
    (step,) = world.plan({("teams", "a"): TeamBlock(members=("ada", "max"))})
    assert step.view().changes == ('members: ["ada"] → ["ada","max"]',)
    assert step.view().action == "change"


def test_ten_thousand_items_are_compared() -> None:
    wanted: dict[Key, Block] = {("teams", f"t{n}"): TeamBlock(members=()) for n in range(5_000)}
    wanted |= {("grants", f"g{n}"): GrantBlock(team=f"t{n}") for n in range(5_000)}
    steps = World({}).plan(wanted)
    assert [step.key[0] for step in steps] == ["teams"] * 5_000 + ["grants"] * 5_000


def test_what_is_present_in_a_circle_can_be_removed_from_the_plan() -> None:
    circle: dict[Key, Block] = {
        ("grants", "a"): GrantBlock(team="t", unless="b"),
        ("grants", "b"): GrantBlock(team="t", unless="a"),
    }
    assert [step.key[1] for step in World(circle).plan({}, prune=True)] == ["a", "b"]
