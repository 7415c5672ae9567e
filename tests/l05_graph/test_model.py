from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from drystone.l05_graph.arrays import BITS, graph_of, graph_of_edges
from drystone.l05_graph.errors import ComponentNotFound, ModelInvalid
from drystone.l05_graph.model import (
    BreakGlass,
    Component,
    Dependency,
    Estimate,
    Group,
    Model,
    Pillar,
    checked,
    phases,
)
from drystone.l05_graph.words import Phase, Risk, Strength

HOUR = timedelta(hours=1)


def need(source: str, target: str, **more: Any) -> Dependency:
    return Dependency(source=source, target=target, **{"strength": Strength.HARD, **more})


def component(name: str, **more: Any) -> Component:
    return Component(name=name, **more)


def mistakes(*parts: Component | Dependency | Group) -> list[str]:
    """Return what is wrong with a model of two sound components and these parts."""
    components = [component("shop"), component("users")]
    with pytest.raises(ModelInvalid) as refused:
        checked(
            [*components, *(p for p in parts if isinstance(p, Component))],
            [p for p in parts if isinstance(p, Dependency)],
            [p for p in parts if isinstance(p, Group)],
        )
    return [mistake.message for mistake in refused.value.mistakes]


def test_a_model_knows_who_needs_whom() -> None:
    a, b = need("shop", "users"), need("shop", "mail", strength=Strength.SOFT)
    model = checked([component("shop"), component("users"), component("mail")], [a, b])
    assert model.needs == {"shop": (a, b)}
    assert model.users == {"users": (a,), "mail": (b,)}
    assert model.numbers == {"shop": 0, "users": 1, "mail": 2}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (component("shop"), "the component 'shop' is there twice; remove one"),
        (component(" "), "a component has no name"),
        (
            component("x", slo=99.9),
            "x: slo is 99.9; it lies above 0 and at most at 1, such as 0.999",
        ),
        (component("x", availability=0.0), "x: availability is 0.0; it lies above 0"),
        (component("x", tier=-1), "x: tier is -1; the most important is 0"),
        (
            component("x", recovery=Estimate(HOUR, HOUR * 3, HOUR * 2)),
            "x: recovery takes at least, likely and at most so long: they must not fall",
        ),
        (
            component("x", break_glass=BreakGlass(takes=HOUR, cost=-1)),
            "x: the cost of break_glass is -1; a cost is a number and not negative",
        ),
        (component("x", pillar=Pillar(cost=float("nan"))), "x: the cost of pillar is nan"),
        (need("shop", "shop"), "shop depends on itself"),
        (
            need("shop", "user"),
            "shop → user: there is no component 'user'; did you mean 'users'?",
        ),
        (need("shop", "zzz"), "shop → zzz: there is no component 'zzz'; declare it"),
        (need("shop", "users", at=()), "shop → users: say when it is needed"),
        (need("shop", "users", cost_remove=-2.0), "shop → users: cost_remove is -2.0"),
        (
            need("shop", "users", group="any"),
            "shop names the group 'any', which is not declared",
        ),
        (
            Group(component="shop", name="any"),
            "the group 'any' of shop needs 1 of 0 dependencies",
        ),
    ],
)
def test_each_contradiction_is_told_with_what_to_do(
    part: Component | Dependency | Group, message: str
) -> None:
    found = mistakes(part)
    assert [one[: len(message)] for one in found] == [message]


def test_the_same_dependency_twice_is_refused_and_says_whether_it_differs() -> None:
    assert "is there again" in mistakes(need("shop", "users"), need("shop", "users"))[0]
    other = need("shop", "users", strength=Strength.SOFT)
    assert "is there with other attributes" in mistakes(need("shop", "users"), other)[0]
    checked(  # what for, and when, tell them apart
        [component("shop"), component("users")],
        [
            need("shop", "users"),
            need("shop", "users", risk=Risk.AUTH),
            need("shop", "users", at=(Phase.DEPLOY,)),
        ],
    )


def test_every_mistake_is_told_and_a_flood_of_them_is_cut() -> None:
    parts = [need("shop", f"missing-{number}") for number in range(500)]
    with pytest.raises(ModelInvalid) as refused:
        checked([component("shop")], parts)
    assert len(refused.value.mistakes) == 500
    assert "and 480 more" in str(refused.value)


def test_the_digest_depends_on_what_is_said_alone() -> None:
    a, b = component("a"), component("b", tier=1)
    one = checked([a, b], [need("a", "b")], title="one")
    assert one.digest == checked([b, a], [need("a", "b")], title="two").digest
    assert one.digest != checked([a, b], [need("a", "b", strength=Strength.SOFT)]).digest
    assert Model().digest == checked([], []).digest


def test_a_component_that_is_not_there_is_refused_with_one_that_is_like_it() -> None:
    model = checked([component("orders")], [])
    assert model.component("orders").name == "orders"
    with pytest.raises(ComponentNotFound, match="did you mean 'orders'"):
        model.component("order")


def test_phases_stand_in_their_order() -> None:
    assert phases([Phase.RUN, Phase.BUILD, Phase.RUN]) == (Phase.BUILD, Phase.RUN)


def test_the_numbers_of_a_model_say_the_same() -> None:
    model = checked(
        [component("a", tier=0), component("b")],
        [
            need("a", "b", risk=Risk.DEPLOYMENTS, at=(Phase.DEPLOY, Phase.RUN)),
            need("b", "a", strength=Strength.SOFT, cost_remove=3.0, can_change=False),
            need("b", "a", strength=Strength.UNKNOWN, at=(Phase.START,), cost_soften=1.0),
        ],
    )
    graph = graph_of(model)
    assert (graph.source.tolist(), graph.target.tolist()) == ([0, 1, 1], [1, 0, 0])
    assert graph.cost.tolist() == [16.0, 3.0, 4.0]
    assert graph.soften.tolist() == [8.0, 1.5, 1.0]
    assert graph.hard.tolist() == [True, False, True]
    assert graph.can_change.tolist() == [True, False, True]
    assert graph.at.tolist() == [
        BITS[Phase.DEPLOY] + BITS[Phase.RUN],
        BITS[Phase.RUN],
        BITS[Phase.START],
    ]
    assert graph.needed_at(Phase.RUN).tolist() == [True, True, False]
    assert graph.number("b") == 1
    assert graph.only(np.array([2])).cost.tolist() == [4.0]


@pytest.mark.parametrize(
    ("edges", "more", "message"),
    [
        (([0], [2]), {}, "leads out of the graph of 2 vertices"),
        (([-1], [0]), {}, "leads out"),
        (([1], [1]), {}, "to itself"),
        (([0], [1]), {"cost": [-1]}, "negative"),
        (([0], [1]), {"cost": [float("inf")]}, "no number"),
        (([0], [1, 0]), {}, "different lengths"),
        (([0], [1]), {"hard": [True, False]}, "different lengths"),
    ],
)
def test_edges_that_cannot_be_are_refused(
    edges: tuple[list[int], list[int]], more: dict[str, list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        graph_of_edges(["a", "b"], *edges, **more)
