"""What a deploy does to the dependencies: only what is new is told, with its proof, and only what must is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from drystone.l05_graph.words import Plane, Resilience
from drystone.l25_deployer.dependencies.deploy_check import check_deploy
from drystone.l25_deployer.dependencies.landscape import either
from drystone.l25_deployer.dependencies.live_model import own_part
from drystone.l25_deployer.dependencies.model import Part, declared
from drystone.l90_assembly.own_services import platform_descriptors
from l25_deployer.dependencies.landscapes import TODAY, accepted, deployed, need, stack, verdict

A_NEEDS_B = stack("a", {"b": need()})


def test_a_tangle_is_refused_with_the_whole_way_around_and_what_to_do() -> None:
    landscape = deployed(stack("b", {"c": need()}), stack("c", {"a": need()}))

    (refused,) = verdict(landscape, A_NEEDS_B).refused

    assert refused == (
        "tangle: dev/a → dev/b → dev/c → dev/a (co-start of 3 services: they could only come up together);"
        " remove or soften one of these dependencies"
    )


def test_an_alternative_that_is_spare_tangles_nobody() -> None:
    either = {name: need(group="either") for name in ("b", "c")}
    landscape = deployed(stack("b", {"a": need()}), stack("c"))

    assert verdict(landscape, stack("a", either, groups={"either": 1})).refused == ()
    assert verdict(landscape, stack("a", either, groups={"either": 2})).refused


def test_a_tangle_through_a_deploy_is_a_deadlock() -> None:
    landscape = deployed(stack("b", {"a": need("hard", "deploy")}))

    (refused,) = verdict(landscape, A_NEEDS_B).refused

    assert "dev/a → dev/b → dev/a (deadlock of 2 services: none of them can be the first" in refused


def test_a_circle_that_is_closed_by_a_soft_dependency_is_told_and_let_in() -> None:
    found = verdict(deployed(stack("b", {"a": need("soft")})), A_NEEDS_B)

    assert found.refused == ()
    assert found.notes == (
        "soft tangle: dev/a → dev/b → dev/a; it slows a recovery down and does not prevent it",
    )


@pytest.mark.parametrize(
    ("days", "left"), [(39, "39 days left"), (1, "1 day left"), (0, "today is the last day")]
)
def test_an_accepted_tangle_is_let_in_and_told_with_the_days_that_are_left(
    days: int, left: str
) -> None:
    wanted = stack("a", {"b": need(accepted=accepted(days))})

    found = verdict(deployed(stack("b", {"a": need()})), wanted)

    assert found.refused == ()
    (note,) = found.notes
    assert note.startswith(
        f"accepted by ann until {TODAY + timedelta(days=days)} ({left}; moves in spring): tangle: dev/a →"
    )


def test_an_acceptance_that_has_run_out_refuses_again_even_what_is_deployed() -> None:
    over = stack("a", {"b": need(accepted=accepted(-1))})
    landscape = deployed(stack("b", {"a": need()}), over)

    assert verdict(landscape, over).refused
    assert verdict(landscape, A_NEEDS_B).refused, "to leave the acceptance out is no way in"
    assert verdict(landscape, stack("a", {"b": need(accepted=accepted(5))})).refused == ()


def test_the_acceptance_of_another_service_that_has_run_out_refuses_nobody_else() -> None:
    other = stack("b", {"a": need(accepted=accepted(-1))})
    landscape = deployed(other, A_NEEDS_B)

    found = verdict(landscape, A_NEEDS_B)

    assert (found.refused, found.older) == ((), 1)


def test_a_tangle_that_is_there_already_is_counted_and_not_told_again() -> None:
    landscape = deployed(stack("b", {"a": need()}), A_NEEDS_B)

    found = verdict(landscape, A_NEEDS_B)

    assert (found.refused, found.notes, found.older) == ((), (), 1)
    assert list(found.stands()) == [
        "1 older finding stands about a; `drystone deps lint` shows what"
    ]


def test_a_tangle_that_becomes_worse_or_larger_is_new() -> None:
    landscape = deployed(stack("b", {"a": need()}), A_NEEDS_B, stack("c", {"a": need()}))

    assert "deadlock" in verdict(landscape, stack("a", {"b": need("hard", "start")})).refused[0]
    assert "of 3 services" in verdict(landscape, stack("a", {"b": need(), "c": need()})).refused[0]
    assert verdict(landscape, stack("a")).refused == ()


@pytest.mark.parametrize(
    ("mine", "others", "is_refused"),
    [(50, 49, False), (50, 50, True), (50, 51, True), (None, 51, False), (50, None, False)],
)
def test_a_hard_need_points_to_a_lower_layer(
    mine: int | None, others: int | None, is_refused: bool
) -> None:
    landscape = deployed(stack("b", layer=others))

    assert bool(verdict(landscape, stack("a", {"b": need()}, layer=mine)).refused) == is_refused
    assert not verdict(landscape, stack("a", {"b": need("soft")}, layer=mine)).refused


def test_who_moves_above_those_that_need_it_is_refused_too() -> None:
    landscape = deployed(stack("b", layer=40), stack("a", {"b": need()}, layer=50))

    (refused,) = verdict(landscape, stack("b", layer=60)).refused

    assert refused.startswith("layer: dev/a (layer 50) needs dev/b on a higher layer (60)")


def test_an_accepted_need_upwards_is_let_in() -> None:
    landscape = deployed(stack("b", layer=60))

    found = verdict(landscape, stack("a", {"b": need(accepted=accepted(3))}, layer=50))

    assert found.refused == ()
    assert "3 days left" in found.notes[0]
    assert verdict(landscape, stack("a", {"b": need(accepted=accepted(-3))}, layer=50)).refused


@pytest.mark.parametrize(
    ("mine", "theirs", "told"),
    [
        ({"tier": 1}, {"tier": 3}, "tier: dev/a (tier 1) needs dev/b (tier 3); "),
        (
            {"regions": ("eu", "us")},
            {"regions": ("eu",)},
            "region: dev/a runs in us, where dev/b does not; ",
        ),
        (
            {"plane": Plane.DATA},
            {"plane": Plane.CONTROL},
            "plane: dev/a (data plane) needs dev/b (control plane); ",
        ),
        (
            {"resilience": Resilience.MULTI_REGION},
            {"resilience": Resilience.SINGLE_ZONE},
            "resilience: dev/a (multi-region) needs dev/b (single-zone); ",
        ),
        (
            {"slo": 0.999},
            {"availability": 0.99},
            "slo: dev/a promises 0.999, and can reach 0.99 at most",
        ),
    ],
    ids=["tier", "region", "plane", "resilience", "slo"],
)
def test_a_promise_that_cannot_be_kept_is_told_once_and_refuses_nothing(
    mine: dict[str, Any], theirs: dict[str, Any], told: str
) -> None:
    wanted = stack("a", {"b": need()}, **mine)
    landscape = deployed(stack("b", **theirs))

    first = verdict(landscape, wanted)
    landscape.put("dev/a", declared(wanted))
    again = verdict(landscape, wanted)

    assert (first.refused, again.refused) == ((), ())
    assert len(first.notes) == 1
    assert first.notes[0].startswith(told)
    assert (again.notes, again.older) == ((), 1)


def test_a_promise_over_several_steps_is_told_with_the_path() -> None:
    landscape = deployed(stack("c", tier=4), stack("b", {"c": need()}, tier=4))

    (note,) = verdict(landscape, stack("a", {"b": need()}, tier=0)).notes

    assert (
        note.startswith("tier: dev/a (tier 0) needs dev/b (tier 4)")
        or "dev/a → dev/b → dev/c" in note
    )


def test_what_a_change_does_to_others_is_told_of_a_few_by_name() -> None:
    users = [stack(f"u{number}", {"b": need()}, tier=1) for number in range(6)]

    found = verdict(deployed(stack("b", tier=1), *users), stack("b", tier=4))

    assert [note.split()[1] for note in found.notes[:3]] == ["dev/u0", "dev/u1", "dev/u2"]
    assert found.notes[3:] == ("and 3 more about services that need dev/b",)


@pytest.mark.parametrize(
    "weaker",
    [
        stack("b", availability=0.99),
        stack("b", {"c": need()}),
        stack("b", {"c": need(group="one"), "d": need(group="one")}, groups={"one": 1}),
    ],
    ids=["itself", "what it needs", "every alternative"],
)
def test_who_can_no_longer_keep_a_promise_because_of_what_it_needs_is_told(weaker: Any) -> None:
    weak = [stack(name, {"e": need()}) for name in "cd"]
    user = stack("a", {"b": need()}, slo=0.999)
    landscape = deployed(*weak, stack("e", availability=0.99), stack("b"), user)
    assert verdict(landscape, stack("b")).notes == ()

    (note,) = verdict(landscape, weaker).notes

    assert note.startswith("slo: dev/a promises 0.999, and can reach 0.99 at most")


def test_a_service_below_the_platform_is_told_so_and_let_in() -> None:
    carried = own_part(platform_descriptors())
    wanted = declared(stack("a", layer=5))
    extra = [one for one in carried.dependencies if one.target == "platform/proxy"]
    part = Part(
        wanted.components,
        tuple(
            type(one)(source="dev/a", target=one.target, strength=one.strength, at=one.at)
            for one in extra
        ),
    )

    found = check_deploy(deployed(), part, TODAY)

    assert found.refused == ()
    assert "dev/a (layer 5) needs platform/proxy on a higher layer (10)" in found.notes[0]


def test_a_service_that_may_be_either_of_two_releases_needs_what_both_need() -> None:
    both = either(
        [declared(stack("a", {"b": need()})), declared(stack("a", {"c": need()}, layer=70))]
    )
    landscape = deployed()
    landscape.put("dev/a", both)

    assert verdict(landscape, stack("b", {"a": need()})).refused
    assert verdict(landscape, stack("c", {"a": need()})).refused
    assert landscape.components["dev/a"].layer == 70


def test_a_service_that_is_taken_away_leaves_nothing_behind() -> None:
    landscape = deployed(A_NEEDS_B)
    empty = deployed()

    landscape.put("dev/a", None)

    assert landscape.components == empty.components
    assert list(landscape.users("dev/b")) == []
    assert landscape.parts == empty.parts
