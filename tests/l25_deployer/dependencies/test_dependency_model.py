"""The order in which services start."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.words import Kind, Phase, Strength
from drystone.l25_deployer.dependencies.model import (
    StartOrder,
    model_of_deployed,
    model_of_descriptors,
    start_problems,
    waves,
)
from drystone.l25_deployer.dependencies.model import start_order as order_of
from drystone.l25_deployer.descriptor import Descriptor, read
from drystone.l25_deployer.stacks.model import Dependency, EnvironmentStack

NAMES = [f"s{number}" for number in range(8)]


def service(name: str, *needs: str, layer: int | None = None) -> Descriptor:
    """Each need is a name, ``name=soft`` or ``name@deploy``."""
    lines = [f"schema: 1\nservice: {name}\nowner: x\nprocess: {{command: [x]}}\ndependencies:"]
    for need in needs:
        if need.endswith("=soft"):
            lines.append(f"  {need.removesuffix('=soft')}: {{needs: soft, without: less}}")
        elif "@" in need:
            other, _, when = need.partition("@")
            lines.append(f"  {other}: {{needs: hard, at: [{when}]}}")
        else:
            lines.append(f"  {need}: hard")
    if layer is not None:
        lines.append(f"layer: {layer}")
    reading = read("\n".join(lines))
    assert reading.descriptor is not None, reading.report()
    return reading.descriptor


def start_order(descriptors: Iterable[Descriptor]) -> StartOrder:
    return order_of(model_of_descriptors(descriptors))


def problems(*descriptors: Descriptor) -> list[str]:
    return start_problems(model_of_descriptors(descriptors))


def test_services_start_after_what_they_need_and_together_when_they_can() -> None:
    found = start_order(
        [
            service("shop", "orders", "stock"),
            service("orders", "billing"),
            service("stock"),
            service("billing"),
        ]
    )
    assert found == StartOrder((("billing", "stock"), ("orders",), ("shop",)))


def test_soft_dependencies_and_those_of_other_times_hold_nothing_up() -> None:
    found = start_order(
        [
            service("a", "b=soft", "c@deploy", "d@start"),
            service("b", "a"),
            service("c"),
            service("d"),
        ]
    )
    assert found.waves == (("d", "c"), ("a",), ("b",))


def test_a_tangle_at_start_time_is_cut_open_and_what_stands_on_it_waits_for_its_members() -> None:
    tangle = [
        service("a", "b"),
        service("b", "c@start"),
        service("c", "a"),
        service("top", "a"),
        service("free"),
    ]
    found = start_order(tangle)
    assert found == StartOrder((("a", "b", "c", "free"), ("top",)), (("a", "b", "c", "a"),))
    assert problems(*tangle) == ["these services wait for each other: a → b → c → a"]


def test_a_tangle_at_run_time_comes_up_together_and_is_a_problem_all_the_same() -> None:
    found = start_order([service("a", "b"), service("b", "a"), service("top", "a")])
    assert found == StartOrder((("a", "b"), ("top",)), (("a", "b", "a"),))


def test_two_tangles_are_two_problems() -> None:
    tangles = [service("a", "b"), service("b", "a"), service("c", "d@start"), service("d", "c")]
    assert problems(*tangles) == [
        "these services wait for each other: a → b → a",
        "these services wait for each other: c → d → c",
    ]


def test_a_dependency_that_is_not_there_is_a_problem_and_holds_nothing_up() -> None:
    assert start_order([service("a", "nowhere"), service("b")]).waves == (("a", "b"),)
    assert problems(service("a", "nowhere")) == ["a needs nowhere, which is not deployed here"]


def test_hard_dependencies_between_pinned_layers_lead_down() -> None:
    found = problems(
        service("a", "b", "c", layer=10), service("b", layer=10), service("c", layer=5)
    )
    assert found == [
        "a (layer 10) needs b on the same layer (10); a hard dependency leads downwards",
    ]


EDGES = st.sets(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(
        lambda edge: edge[0] != edge[1]
    )
)


@given(EDGES, st.sampled_from(["", "@start"]))
def test_every_service_is_in_one_wave_after_all_that_it_needs_and_is_in_no_circle_with(
    edges: set[tuple[str, str]], when: str
) -> None:
    needs = {name: sorted(other for first, other in edges if first == name) for name in NAMES}
    found = start_order([service(name, *(other + when for other in needs[name])) for name in NAMES])
    place = {name: number for number, wave in enumerate(found.waves) for name in wave}
    assert sorted(place) == sorted(NAMES)
    assert sum(len(wave) for wave in found.waves) == len(place)
    below = {name: reachable(name, needs) for name in NAMES}
    for name, number in place.items():
        for need in needs[name]:
            assert place[need] < number or name in below[need]
            assert place[need] <= number or when, "at run time they come up together"
    on_a_circle = {name for name in NAMES if name in below[name]}
    assert bool(found.circles) == bool(on_a_circle)
    for path in found.circles:
        assert path[0] == path[-1]
        assert all(other in needs[name] for name, other in itertools.pairwise(path))


def reachable(name: str, needs: dict[str, list[str]]) -> set[str]:
    """Follow needs, at least one, until nothing new is found."""
    found = set(needs[name])
    while new := {other for one in found for other in needs[one]} - found:
        found |= new
    return found


@given(st.permutations(NAMES))
def test_the_order_of_the_descriptors_does_not_matter(names: list[str]) -> None:
    made = {
        name: service(name, *([NAMES[number - 1]] if number else []))
        for number, name in enumerate(NAMES)
    }
    assert start_order([made[name] for name in names]).waves == tuple((name,) for name in NAMES)


def test_the_model_of_descriptors_says_what_they_say() -> None:
    model = model_of_descriptors(
        [service("shop", "users", "mail=soft", "tax@build", layer=30), service("users")]
    )
    assert [(one.name, one.kind, one.layer) for one in model.components] == [
        ("shop", Kind.SERVICE, 30),
        ("users", Kind.SERVICE, None),
        ("mail", Kind.EXTERNAL, None),
        ("tax", Kind.EXTERNAL, None),
    ]
    assert {(one.target, one.strength, one.at) for one in model.dependencies} == {
        ("users", Strength.HARD, (Phase.RUN,)),
        ("mail", Strength.SOFT, (Phase.RUN,)),
        ("tax", Strength.HARD, (Phase.BUILD,)),
    }


def test_services_of_two_environments_are_two_components() -> None:
    dependency = Dependency("hard", ("start",), timedelta(seconds=1), environment="prod")
    every = {
        (name, "shop"): EnvironmentStack(
            service="shop",
            name=name,
            owner="tests",
            tier=3,
            hosts=(),
            timeout=timedelta(seconds=1),
            public=True,
            dependencies={"shop": dependency},
        )
        for name in ("dev", "prod")
    }
    model = model_of_deployed(every)
    assert [one.name for one in model.components] == ["dev/shop", "prod/shop"]
    assert [one.sentence() for one in model.dependencies] == [
        "dev/shop → prod/shop (hard, at start, other)"
    ]
    assert waves(every) == [[("prod", "shop")], [("dev", "shop")]]
