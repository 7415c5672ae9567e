"""The order in which deployed services start, held against the plain definition of reachability."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l25_deployer.dependencies.model import Deployed, Key, waves
from drystone.l25_deployer.stacks.model import Dependency, EnvironmentStack

NAMES = "abcdef"
EDGES = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda e: e[0] != e[1]),
    st.tuples(
        st.sampled_from(["hard", "soft"]),
        st.sampled_from([("runtime",), ("start",), ("build",), ("recovery",), ("build", "start")]),
    ),
    max_size=14,
)
Edges = dict[tuple[str, str], tuple[Literal["hard", "soft"], tuple[str, ...]]]


def stack(
    service: str,
    needs: dict[str, Dependency] | None = None,
    *,
    tier: int = 3,
    layer: int | None = None,
    environment: str = "dev",
) -> EnvironmentStack:
    return EnvironmentStack(
        service=service,
        name=environment,
        owner="tests",
        tier=tier,
        hosts=(),
        timeout=timedelta(seconds=1),
        public=True,
        layer=layer,
        dependencies=needs or {},
    )


def need(
    needs: Literal["hard", "soft"] = "hard",
    *at: str,
    environment: str | None = None,
) -> Dependency:
    return Dependency(needs, at or ("runtime",), timedelta(seconds=1), environment)


def deployed(edges: Edges, names: str = NAMES) -> dict[Key, EnvironmentStack]:
    return {
        ("dev", name): stack(
            name,
            {to: need(how, *at) for (start, to), (how, at) in edges.items() if start == name},
        )
        for name in names
    }


def hard_needs(one: EnvironmentStack) -> list[Key]:
    return [
        (need.environment or one.name, name)
        for name, need in one.dependencies.items()
        if need.needs == "hard" and {"start", "runtime"} & set(need.at)
    ]


def hard(every: Deployed) -> set[tuple[Key, Key]]:
    return {(key, to) for key, one in every.items() for to in hard_needs(one)}


def reachable(every: Deployed, start: Key) -> set[Key]:
    """Follow hard needs until nothing new is found."""
    found = {start}
    while new := {to for key, to in hard(every) if key in found and key in every} - found:
        found |= new
    return found


@settings(max_examples=50, deadline=None)
@given(EDGES)
def test_every_service_is_in_one_wave_after_what_it_cannot_do_without(edges: Edges) -> None:
    every = deployed(edges)

    order = waves(every)

    height = {key: n for n, wave in enumerate(order) for key in wave}
    assert sorted(key for wave in order for key in wave) == sorted(every)
    for key, to in hard(every):
        in_a_tangle = key in reachable(every, to)
        assert height[to] < height[key] or in_a_tangle


@settings(max_examples=50, deadline=None)
@given(EDGES)
def test_a_service_that_needs_nothing_waits_for_nothing(edges: Edges) -> None:
    every = deployed(edges)

    order = waves(every)

    assert {key for key, one in every.items() if not hard_needs(one)} <= set(order[0])


@settings(max_examples=50, deadline=None)
@given(EDGES, st.sampled_from(NAMES))
def test_a_need_of_what_is_not_there_comes_first_only_where_it_is_deployed(
    edges: Edges, missing: str
) -> None:
    every = deployed(edges, NAMES.replace(missing, ""))

    assert ("dev", missing) not in {key for wave in waves(every) for key in wave}


def test_no_services_make_no_waves() -> None:
    assert list(waves({})) == []
