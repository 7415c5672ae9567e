"""The order in which services start."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.descriptor import Descriptor, read
from drystone.l25_deployer.stacks.order import order

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


def test_services_start_after_what_they_need_and_together_when_they_can() -> None:
    found = order(
        [
            service("shop", "orders", "stock"),
            service("orders", "billing"),
            service("stock"),
            service("billing"),
        ]
    )
    assert found.waves == (("billing", "stock"), ("orders",), ("shop",))
    assert found.problems == ()


def test_soft_dependencies_and_those_of_other_times_hold_nothing_up() -> None:
    found = order(
        [
            service("a", "b=soft", "c@deploy", "d@start"),
            service("b", "a"),
            service("c"),
            service("d"),
        ]
    )
    assert found.waves == (("c", "d"), ("a",), ("b",))


def test_a_tangle_is_shown_as_the_way_around_and_what_stands_on_it_waits() -> None:
    found = order(
        [
            service("a", "b"),
            service("b", "c"),
            service("c", "a"),
            service("top", "a"),
            service("free"),
        ]
    )
    assert found.waves == (("free",),)
    assert found.tangles == (("a", "b", "c", "a"),)
    assert found.problems == ("these services wait for each other: a → b → c → a",)


def test_two_tangles_are_two_findings() -> None:
    found = order([service("a", "b"), service("b", "a"), service("c", "d"), service("d", "c")])
    assert found.tangles == (("a", "b", "a"), ("c", "d", "c"))


def test_a_dependency_that_is_not_there_is_reported_and_holds_nothing_up() -> None:
    found = order([service("a", "nowhere")])
    assert found.waves == (("a",),)
    assert found.problems == ("a needs nowhere, which is not deployed here",)


def test_hard_dependencies_between_pinned_layers_lead_down() -> None:
    found = order([service("a", "b", "c", layer=10), service("b", layer=10), service("c", layer=5)])
    assert found.problems == (
        "a (layer 10) has a hard dependency on b (layer 10); hard dependencies lead to lower layers only",
    )


EDGES = st.sets(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(
        lambda edge: edge[0] != edge[1]
    )
)


@given(EDGES)
def test_every_service_is_in_one_wave_after_all_that_it_needs_or_stands_on_a_tangle(
    edges: set[tuple[str, str]],
) -> None:
    needs = {name: sorted(other for first, other in edges if first == name) for name in NAMES}
    found = order([service(name, *needs[name]) for name in NAMES])
    place = {name: number for number, wave in enumerate(found.waves) for name in wave}
    assert sum(len(wave) for wave in found.waves) == len(place)
    for name, number in place.items():
        assert all(place[need] < number for need in needs[name])
    assert (len(place) == len(NAMES)) == (found.tangles == ())
    for path in found.tangles:
        assert path[0] == path[-1]
        assert all(other in needs[name] for name, other in itertools.pairwise(path))


@given(st.permutations(NAMES))
def test_the_order_of_the_descriptors_does_not_matter(names: list[str]) -> None:
    made = {
        name: service(name, *([NAMES[number - 1]] if number else []))
        for number, name in enumerate(NAMES)
    }
    assert order([made[name] for name in names]).waves == tuple((name,) for name in NAMES)
