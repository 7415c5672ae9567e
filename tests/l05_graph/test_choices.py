"""Alternatives in rules and reach: whatever is said of a component is so however its alternatives are taken."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from itertools import combinations, product
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.findings import LEVELS, Finding, Rule, Rules, Severity
from drystone.l05_graph.forms import survey
from drystone.l05_graph.model import Acceptance, Component, Dependency, Model
from drystone.l05_graph.reach import impact, shown, tree
from drystone.l05_graph.recovery import recovery_order
from drystone.l05_graph.requirements import ALWAYS, WHILE_SERVING
from drystone.l05_graph.rules import check
from drystone.l05_graph.words import Phase, Plane, Resilience
from l05_graph import recovering
from l05_graph.models import Drawing, models

TODAY = date(2012, 1, 1)


def selections(
    model: Model, at: frozenset[Phase], without: Collection[Dependency] = ()
) -> Iterator[list[Dependency]]:
    """Take the alternatives in every way: of each group as many as must work, some done without."""
    counted = [one for one in model.dependencies if not at.isdisjoint(one.at)]
    alone = [o for o in counted if o.group is None and o.is_hard and o not in without]
    ways = []
    for group in model.groups:
        mine = model.needs.get(group.component, ())
        members = [one for one in mine if one.group == group.name and not at.isdisjoint(one.at)]
        left = [one for one in members if one not in without]
        enough = min(group.at_least, len(members)) - (len(members) - len(left))
        if any(one.is_hard for one in members) and enough > 0:
            ways.append(list(combinations(left, enough)))
    for picks in product(*ways):
        yield [*alone, *(one for pick in picks for one in pick)]


def reached(name: str, over: Collection[Dependency]) -> set[str]:
    found = {name}
    while more := {one.target for one in over if one.source in found} - found:
        found |= more
    return found


def always_reach(
    model: Model, at: frozenset[Phase], bad: Collection[str], without: Collection[Dependency] = ()
) -> set[str]:
    """Return who comes to need one of some others however alternatives are taken."""
    found = set(model.by_name)
    for over in selections(model, at, without):
        found = {name for name in found if not reached(name, over).isdisjoint(bad)}
    return found


def weaker(model: Model, rule: Rule, one: Component) -> set[str] | None:
    """Return what promises less than a component; None when that does not matter to it."""
    every = model.components
    if rule is Rule.PLANE:
        control = {other.name for other in every if other.plane is Plane.CONTROL}
        return control if one.plane is Plane.DATA else None
    if rule is Rule.TIER:
        low = {o.name for o in every if None not in (o.tier, one.tier) and o.tier > one.tier}  # type: ignore[operator]
        return low if one.tier is not None else None
    if one.resilience is None:
        return None
    claim = one.resilience.height
    return {o.name for o in every if o.resilience is not None and o.resilience.height < claim}


def only(model: Model | str, rule: Rule) -> list[Finding]:
    read = survey.read(model) if isinstance(model, str) else model
    return check(read, Rules(levels={rule: LEVELS[rule]}), TODAY)


def promising(seed: int) -> Model:
    """Draw a model of promises and alternatives, some of them accepted."""
    chance = Random(seed)  # noqa: S311 - not a secret
    model = Drawing(seed).model(6, 14, rich=False)
    accepted = Acceptance(by="me", reason="soon", until=TODAY)

    def promise(one: Component) -> Component:
        return msgspec.structs.replace(
            one,
            tier=chance.choice([None, 0, 1, 2]),
            plane=chance.choice([None, *Plane]),
            resilience=chance.choice([None, *Resilience]),
        )

    def accept(one: Dependency) -> Dependency:
        return msgspec.structs.replace(one, accepted=accepted) if chance.random() < 0.15 else one

    return msgspec.structs.replace(
        model,
        components=tuple(map(promise, model.components)),
        dependencies=tuple(map(accept, model.dependencies)),
    )


@pytest.mark.parametrize("rule", [Rule.TIER, Rule.RESILIENCE, Rule.PLANE])
@given(model=st.integers(0, 2**32).map(promising))
def test_a_promise_is_broken_where_no_choice_of_alternatives_keeps_it(
    model: Model, rule: Rule
) -> None:
    at = ALWAYS if rule is Rule.TIER else WHILE_SERVING
    accepted = [one for one in model.dependencies if one.accepted and one.accepted.until >= TODAY]
    wanted = {}
    for one in model.components:
        bad = weaker(model, rule, one)
        if bad and one.name in always_reach(model, at, bad):
            is_left = one.name in always_reach(model, at, bad, accepted)
            wanted[one.name] = LEVELS[rule] if is_left else Severity.NOTE
    findings = only(model, rule)
    assert {found.subject: found.severity for found in findings} == wanted
    for found in findings:
        assert (found.accepted is not None) == (found.severity is Severity.NOTE)
        assert found.path[-1].target in (weaker(model, rule, model.by_name[found.subject]) or ())


@given(recovering.models(), st.integers(0, 2**32))
def test_a_deadlock_is_a_note_where_all_comes_up_without_what_was_accepted(
    model: Model, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - not a secret
    said = Acceptance(by="me", reason="soon", until=TODAY)
    every = tuple(
        msgspec.structs.replace(one, accepted=said) if chance.random() < 0.3 else one
        for one in model.dependencies
    )
    accepting = msgspec.structs.replace(model, dependencies=every)
    waived = [one.key for one in every if one.accepted]
    levels = {Rule.DEADLOCK: Severity.ERROR}
    found = check(accepting, Rules(levels=levels), TODAY)
    is_left = any(one.severity is Severity.ERROR for one in found)
    assert is_left == bool(recovery_order(model, waived).never)
    assert bool(found) == bool(recovery_order(model).never)


@given(models(most=6, most_edges=14))
def test_as_many_dependencies_lead_upwards_as_do_at_best(model: Model) -> None:
    levels = {rule: LEVELS[rule] for rule in (Rule.LAYER, Rule.SAME_LAYER)}
    found = check(model, Rules(levels=levels), TODAY)
    layer = {one.name: one.layer for one in model.components}

    def is_upward(one: Dependency) -> bool:
        source, target = layer[one.source], layer[one.target]
        return source is not None and target is not None and source <= target

    accepted = [one for one in model.dependencies if one.accepted and one.accepted.until >= TODAY]
    every = [sum(map(is_upward, over)) for over in selections(model, ALWAYS)]
    left = [sum(map(is_upward, over)) for over in selections(model, ALWAYS, accepted)]
    assert len(found) == min(every)
    assert sum(one.severity is Severity.ERROR for one in found) == min(left)
    assert all(is_upward(*one.path) for one in found)


@given(models(most=6, most_edges=12, rich=False))
def test_what_falls_is_what_needs_something_that_failed_however_alternatives_are_taken(
    model: Model,
) -> None:
    failed = list(model.by_name)[:2]
    found = impact(model, failed)
    assert {*failed, *found.falls} == always_reach(model, WHILE_SERVING, failed)
    for place, name in enumerate(found.falls):
        before = {*failed, *found.falls[:place]}
        assert found.because[name]
        assert {one.target for one in found.because[name]} <= before
        assert {one.source for one in found.because[name]} == {name}


@given(models(most=6, most_edges=12, rich=False))
def test_what_is_spare_in_a_tree_is_missed_by_no_root_when_it_fails_alone(model: Model) -> None:
    roots = list(model.by_name)[:2]
    found = tree(model, roots)
    falls = {name: {name, *impact(model, [name], ALWAYS).falls} for name in model.by_name}
    assert set(found.spare) == {name for name in found.members if falls[name].isdisjoint(roots)}
    needed = {name for name in model.by_name if not falls[name].isdisjoint(roots)}
    assert needed <= set(found.members)
    some = set().union(*(reached(r, o) for o in selections(model, ALWAYS) for r in roots))
    assert set(found.members) == some


PAID = """
defaults: {dependency: {strength: hard}}
components:
  shop: {tier: 0, layer: 3, regions: [x, y], groups: {card: 1}, needs: {one: {group: card}, two: {group: card}}}
  one: {tier: 3, layer: 5, regions: [x]}
  two: {tier: 0, layer: 1, regions: [y]}
"""


@pytest.mark.parametrize("rule", [Rule.TIER, Rule.LAYER, Rule.REGION])
def test_one_good_alternative_is_enough_where_one_must_work(rule: Rule) -> None:
    assert only(PAID, rule) == []
    found = [shown(one.path) for one in only(PAID.replace("{card: 1}", "{card: 2}"), rule)]
    assert found == ["shop → one", "shop → two"][: 2 if rule is Rule.REGION else 1]


def test_too_few_good_alternatives_are_told_as_such() -> None:
    text = PAID.replace("{tier: 0, layer: 1, regions: [y]}", "{tier: 2, layer: 3, regions: [x]}")
    assert [
        one.sentence
        for rule in (Rule.TIER, Rule.SAME_LAYER, Rule.REGION)
        for one in only(text, rule)
    ] == [
        "shop (tier 0) needs two (tier 2), as too few of 'card' do better",
        "shop (layer 3) needs two on the same layer (3), and too few of 'card' lie below;"
        " a hard dependency leads downwards",
        "shop runs in y, where one and two do not run at least 1 at a time",
    ]


def test_an_accepted_way_does_not_hide_another_one() -> None:
    text = """
    defaults: {dependency: {strength: hard}}
    components:
      shop: {tier: 0, needs: {store: {accepted: {by: me, reason: soon, until: 2030-01-01}}, cart: }}
      cart: {needs: {store: }}
      store: {tier: 3}
    """
    (found,) = only(text, Rule.TIER)
    assert (shown(found.path), found.severity) == ("shop → cart → store", Severity.ERROR)
    (found,) = only(text.replace("needs: {store: }", "needs: {store: soft}"), Rule.TIER)
    assert (shown(found.path), found.severity) == ("shop → store", Severity.NOTE)


def test_an_accepted_alternative_is_one_that_serves() -> None:
    text = """
    defaults: {dependency: {strength: hard, at: start}}
    components:
      shop:
        groups: {store: 1}
        needs:
          cache: {group: store, accepted: {by: me, reason: soon, until: 2030-01-01}}
          disk: {group: store}
      cache: {needs: {shop: }}
      disk: {needs: {shop: }}
    """
    assert {one.severity for one in only(text, Rule.DEADLOCK)} == {Severity.NOTE}
    both = text.replace("{store: 1}", "{store: 2}")
    assert Severity.ERROR in {one.severity for one in only(both, Rule.DEADLOCK)}


def test_a_chain_of_thousands_is_no_matter() -> None:
    size = 3000
    ends = {0: 0, size: 3}
    names = tuple(Component(name=f"c{n}", tier=ends.get(n)) for n in range(size + 1))
    needs = tuple(Dependency(source=f"c{n}", target=f"c{n + 1}") for n in range(size))
    model = Model(components=names, dependencies=needs)
    (found,) = only(model, Rule.TIER)
    assert found.path == needs
    assert len(impact(model, [f"c{size}"]).falls) == size
