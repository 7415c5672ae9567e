"""Cases of history: what is found, the path that proves it, the cheapest change, what is advised, and that it helps."""

from __future__ import annotations

from datetime import date
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
import pytest

from drystone.l05_graph.arrays import Graph, graph_of
from drystone.l05_graph.cut import feedback_arc_set
from drystone.l05_graph.findings import Finding, Rule, Rules, Severity
from drystone.l05_graph.forms import survey
from drystone.l05_graph.model import Dependency, Model, Pillar, checked
from drystone.l05_graph.moves import Allowed, Goal, Move, break_glass, untangle
from drystone.l05_graph.reach import shown
from drystone.l05_graph.recovery import recovery_order
from drystone.l05_graph.rules import check
from drystone.l05_graph.tangles import TangleKind, tangles
from drystone.l05_graph.words import Strength

TODAY = date(2026, 1, 1)
CASES = Path(__file__).parent / "cases"


def case(name: str) -> Model:
    file = CASES / f"{name}.yaml"
    return survey.read(file.read_bytes(), file=file.name)


def findings(model: Model) -> list[Finding]:
    return [one for one in check(model, Rules(), TODAY) if one.severity is not Severity.NOTE]


def of(model: Model, rule: Rule) -> list[Finding]:
    return [one for one in findings(model) if one.rule is rule]


def softened(model: Model, *arrows: str) -> Model:
    """Return the model in which these dependencies are soft."""
    changed = [
        msgspec.structs.replace(one, strength=Strength.SOFT) if arrow(one) in arrows else one
        for one in model.dependencies
    ]
    return checked(model.components, changed, model.groups)


def arrow(one: Dependency) -> str:
    return f"{one.source} → {one.target}"


def cheapest(graph: Graph, price: np.ndarray) -> float:
    """Return what the cheapest set of edges costs without which no hard tangle is left, by trying all."""
    inside = np.unique(np.concatenate([one.edges for one in tangles(graph)]))
    best = float(price[inside].sum())
    for count in range(len(inside)):
        for some in combinations(inside.tolist(), count):
            cost = float(price[list(some)].sum())
            left = np.setdiff1d(np.arange(len(graph.source)), some)
            if cost < best and not tangles(graph.only(left)):
                best = cost
    return best


@pytest.mark.parametrize(
    ("name", "every"),
    [
        ("registry", [("deadlock", "orchestrator → registry → orchestrator")]),
        (
            "source",
            [
                ("deadlock", "networking → hosting-for-teams → networking"),
                ("layer", "networking → hosting-for-teams"),
                ("layer", "names → hosting-for-all"),
            ],
        ),
        (
            "flags",
            [
                ("deadlock", "orchestrator → flags → orchestrator"),
                ("layer", "orchestrator → flags"),
            ],
        ),
        (
            "claims",
            [
                ("tier", "login → sessions → store"),
                ("resilience", "login → sessions → store"),
                ("plane", "login → sessions → store → placement"),
                ("slo", "login → sessions → store"),
            ],
        ),
        ("train-ticket", [("co-start", "seat → travel → seat")]),
    ],
)
def test_what_was_wrong_is_found_with_its_proof_and_nothing_else(
    name: str, every: list[tuple[str, str]]
) -> None:
    found = check(case(name), Rules(), TODAY)
    assert [(str(one.rule), shown(one.path)) for one in found] == every


@pytest.mark.parametrize(
    ("name", "proof", "change"),
    [
        ("registry", "orchestrator → registry → orchestrator", ["orchestrator → registry"]),
        ("flags", "orchestrator → flags → orchestrator", ["orchestrator → flags"]),
        (
            "source",
            "networking → hosting-for-teams → networking",
            ["networking → hosting-for-teams", "names → hosting-for-all"],
        ),
    ],
)
def test_a_deadlock_is_proved_and_its_cheapest_change_resolves_it(
    name: str, proof: str, change: list[str]
) -> None:
    model = case(name)
    graph = graph_of(model)
    (found,) = of(model, Rule.DEADLOCK)
    assert shown(found.path) == proof
    assert found.sentence.endswith(f"none of them can be the first after a loss of all: {proof}")
    assert found.advice == "remove or soften a dependency of it"
    assert recovery_order(model).deadlocks
    plan = untangle(graph)
    assert plan.is_proven
    assert [step.move for step in plan.steps] == [Move.SOFTEN] * len(change)
    assert [arrow(model.dependencies[e]) for step in plan.steps for e in step.edges] == change
    assert plan.cost == pytest.approx(cheapest(graph, np.minimum(graph.cost, graph.soften)))
    resolved = softened(model, *change)
    assert not of(resolved, Rule.DEADLOCK)
    assert not of(resolved, Rule.LAYER)
    assert not recovery_order(resolved).deadlocks


def test_the_registry_and_the_orchestrator_come_back_when_one_need_is_done_without_by_hand() -> (
    None
):
    model = case("registry")
    plan = break_glass(graph_of(model))
    (step,) = plan.steps
    waived = [model.dependencies[edge] for edge in step.edges]
    assert [arrow(one) for one in waived] == ["orchestrator → registry"]
    assert plan.is_proven
    order = recovery_order(model, [one.key for one in waived])
    assert order.waves == (("orchestrator",), ("registry", "shop"))


def test_a_copy_of_the_registry_further_below_resolves_it_where_nothing_may_be_softened() -> None:
    model = case("registry")
    graph = graph_of(model)
    allowed = Allowed(
        moves=frozenset({Move.REMOVE, Move.PILLAR}),
        pillars={graph.number("registry"): Pillar(cost=3, adoption=1)},
    )
    plan = untangle(graph, allowed=allowed)
    (step,) = plan.steps
    assert (step.move, plan.cost, plan.is_proven) == (Move.PILLAR, 4.0, True)


def test_code_of_layer_four_that_lives_at_seventeen_and_thirty_six_is_upward_both_times() -> None:
    found = of(case("source"), Rule.LAYER)
    assert [one.sentence for one in found] == [
        "networking (layer 4) needs hosting-for-teams on a higher layer (17);"
        " a hard dependency leads downwards",
        "names (layer 4) needs hosting-for-all on a higher layer (36);"
        " a hard dependency leads downwards",
    ]
    assert found[0].advice == "soften it, remove it, or move hosting-for-teams below layer 4"


def test_tier_zero_on_tier_three_is_found_through_what_has_no_tier() -> None:
    (found,) = of(case("claims"), Rule.TIER)
    assert found.sentence == "login (tier 0) needs store (tier 3): login → sessions → store"
    assert found.advice.startswith(
        "soften or remove a dependency on the way, or make what is needed"
    )
    assert not of(softened(case("claims"), "login → sessions"), Rule.TIER)


def test_multi_region_on_a_single_region_is_found_with_the_way_to_it() -> None:
    (found,) = of(case("claims"), Rule.RESILIENCE)
    assert (
        found.sentence == "login (multi-region) needs store (single-zone): login → sessions → store"
    )
    assert not of(softened(case("claims"), "sessions → store"), Rule.RESILIENCE)


@pytest.mark.parametrize(
    ("claim", "count"), [("single-zone", 1), ("multi-zone", 1), ("multi-region", 0)]
)
def test_what_survives_the_loss_of_a_region_needs_nothing_that_is_in_one_alone(
    claim: str, count: int
) -> None:
    text = (CASES / "claims.yaml").read_text().replace("single-zone", claim)
    assert len(of(survey.read(text), Rule.RESILIENCE)) == count


def test_tier_zero_may_need_one_of_two_of_which_the_other_is_of_tier_three() -> None:
    text = """
    components:
      login: {tier: 0, groups: {kept: 1}, needs: {store: {group: kept}, spare: {group: kept}}}
      store: {tier: 3}
      spare: {tier: 0}
    """
    assert not of(survey.read(text), Rule.TIER)
    assert of(survey.read(text.replace("spare: {tier: 0}", "spare: {tier: 1}")), Rule.TIER)


def test_train_ticket_has_one_tangle_and_two_dependencies_cut_it() -> None:
    model = case("train-ticket")
    graph = graph_of(model)
    # Four more of the sources call nobody and are called by nobody.
    assert len(model.components) == 42
    assert len({end for one in model.dependencies for end in (one.source, one.target)}) == 38
    assert len(model.dependencies) == 94
    (tangle,) = tangles(graph)
    assert tangle.kind is TangleKind.CO_START
    assert [model.components[v].name for v in tangle.members] == ["seat", "travel", "travel2"]
    (found,) = findings(model)
    assert shown(found.path) == "seat → travel → seat"
    assert found.advice == "soften or remove a dependency of it"
    cut = feedback_arc_set(graph)
    assert [arrow(model.dependencies[edge]) for edge in cut.edges] == [
        "seat → travel",
        "seat → travel2",
    ]
    assert cut.is_proven
    assert cut.cost == pytest.approx(cheapest(graph, graph.cost))
    assert not untangle(graph, Goal.NO_DEADLOCK).steps
    assert not findings(softened(model, "seat → travel", "seat → travel2"))
