from __future__ import annotations

import subprocess
import sys
from datetime import date

import msgspec
import pytest
from hypothesis import given

from drystone.l05_graph.additions import may_add
from drystone.l05_graph.arrays import graph_of
from drystone.l05_graph.changes import AddDependency, apply
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.findings import LEVELS, Finding, Pattern, Rule, Rules
from drystone.l05_graph.forms import survey
from drystone.l05_graph.model import Dependency, Model
from drystone.l05_graph.reach import shown
from drystone.l05_graph.rules import check
from drystone.l05_graph.tangles import TangleKind, tangles
from drystone.l05_graph.words import Phase, Strength
from l05_graph.models import models

TODAY = date(2026, 1, 1)


def only(model: str, rule: Rule, **more: tuple[Pattern, ...]) -> list[Finding]:
    return check(survey.read(model), Rules(levels={rule: LEVELS[rule]}, **more), TODAY)


def test_a_hard_dependency_on_the_same_layer_is_found_and_a_soft_one_upwards_is_not() -> None:
    text = "components: {a: {layer: 3, needs: {b: hard, c: soft}}, b: {layer: 3}, c: {layer: 9}}"
    (one,) = only(text, Rule.SAME_LAYER)
    assert one.sentence == (
        "a (layer 3) needs b on the same layer (3); a hard dependency leads downwards"
    )


def test_what_runs_where_something_does_not_is_found() -> None:
    text = (
        "components: {a: {regions: [x, y], needs: {b: hard, c: hard}}, b: {regions: [x, z]}, c: }"
    )
    assert [one.sentence for one in only(text, Rule.REGION)] == ["a runs in y, where b does not"]


def test_what_nobody_has_said_is_a_note() -> None:
    text = "components: {a: {needs: {b: , c: soft, d: {strength: soft, without: waits}}}, b: , c: , d: }"
    assert [(str(o.rule), shown(o.path)) for o in check(survey.read(text), Rules(), TODAY)] == [
        ("strength", "a → b"),
        ("without", "a → c"),
    ]


def test_what_is_forbidden_or_not_allowed_is_found() -> None:
    text = "components: {data-a: {needs: {control-b: hard, x: soft}}, control-b: , x: }"
    forbidden = (Pattern(source="data-*", target="control-*", reason="it must go on alone"),)
    (one,) = only(text, Rule.FORBIDDEN, forbidden=forbidden)
    assert one.sentence.endswith("forbidden by data-* → control-*: it must go on alone")
    allowed = (Pattern(source="data-*", target="control-*"),)
    assert [shown(one.path) for one in only(text, Rule.FORBIDDEN, allowed=allowed)] == [
        "data-a → x"
    ]
    allowed = (Pattern(source="data-*", target="control-*", hard_only=True),)
    assert only(text, Rule.FORBIDDEN, allowed=allowed) == []


ACCEPTED = """
components:
  a: {layer: 1, needs: {b: {strength: hard, accepted: {by: me, reason: until we move, until: DAY}}}}
  b: {layer: 2, needs: {a: hard}}
"""


def test_an_accepted_risk_is_a_note_until_its_last_day_and_a_finding_after_it() -> None:
    model = survey.read(ACCEPTED.replace("DAY", "2026-01-01"))
    every = check(model, Rules(), TODAY)
    assert [(str(one.rule), str(one.severity)) for one in every] == [
        ("co-start", "note"),
        ("layer", "note"),
    ]
    assert all(one.accepted is not None and one.accepted.by == "me" for one in every)
    every = check(survey.read(ACCEPTED.replace("DAY", "2025-12-31")), Rules(), TODAY)
    assert [(str(one.rule), str(one.severity)) for one in every] == [
        ("co-start", "error"),
        ("layer", "error"),
        ("accepted", "error"),
    ]


def test_a_tangle_that_is_there_without_the_accepted_dependency_is_not_covered_by_it() -> None:
    text = ACCEPTED.replace("DAY", "2026-01-01").replace("{b: {", "{c: hard, b: {")
    text += "  c: {needs: {a: hard}}\n"
    every = check(survey.read(text), Rules(), TODAY)
    assert [
        (str(o.rule), str(o.severity), shown(o.path)) for o in every if "layer" not in o.rule
    ] == [
        ("co-start", "error", "a → c → a"),
        ("co-start", "note", "a → b → a"),
    ]


@given(models(most=7, most_edges=14))
def test_every_finding_has_a_witness_that_leads_from_its_subject(model: Model) -> None:
    for one in check(model, Rules(), TODAY):
        assert one.advice
        assert one.sentence
        sources = [step.source for step in one.path]
        targets = [step.target for step in one.path]
        assert sources[1:] == targets[:-1]
        if one.path and one.rule not in (Rule.DEADLOCK, Rule.CO_START):
            assert sources[0] == one.subject


@given(models(most=7, most_edges=14))
def test_the_same_tangles_are_found_with_and_without_numpy(model: Model) -> None:
    levels = {rule: LEVELS[rule] for rule in (Rule.DEADLOCK, Rule.CO_START)}
    unaccepted = [msgspec.structs.replace(one, accepted=None) for one in model.dependencies]
    plain = msgspec.structs.replace(model, dependencies=tuple(unaccepted))
    mine = [str(one.rule) for one in check(plain, Rules(levels=levels), TODAY)]
    theirs = [str(t.kind) for t in tangles(graph_of(plain)) if t.kind is not TangleKind.SOFT]
    assert sorted(mine) == sorted(theirs)


def hard(source: str, target: str, at: Phase = Phase.RUN) -> Dependency:
    return Dependency(
        source=source, target=target, strength=Strength.HARD, at=(at,), without="goes on"
    )


CHAIN = survey.read("""
defaults: {component: {availability: 0.9}, dependency: {strength: hard}}
components:
  a: {layer: 3, tier: 1, needs: {b: }}
  b: {layer: 2, tier: 1, needs: {c: , d: {strength: soft, without: waits}}}
  c: {layer: 1, tier: 1}
  d: {layer: 1, tier: 1, availability: 0.5}
""")


def test_a_dependency_that_closes_a_circle_is_told_with_who_joins_and_the_way_back() -> None:
    verdict = may_add(CHAIN, hard("c", "a", Phase.DEPLOY), Rules(), TODAY)
    assert verdict.tangle is TangleKind.DEADLOCK
    assert (verdict.members, verdict.joins, verdict.was) == (("a", "b", "c"), ("a", "b", "c"), None)
    assert shown(verdict.circle) == "c → a → b → c"
    assert {one.rule for one in verdict.findings} == {Rule.DEADLOCK, Rule.LAYER}
    assert not verdict.is_welcome


def test_a_dependency_inside_a_tangle_may_make_it_worse() -> None:
    model = apply(CHAIN, [AddDependency(hard("c", "a"))])
    verdict = may_add(model, hard("c", "a", Phase.START), Rules(levels={}), TODAY)
    assert (verdict.was, verdict.tangle, verdict.joins) == (
        TangleKind.CO_START,
        TangleKind.DEADLOCK,
        (),
    )
    assert not verdict.is_welcome
    assert may_add(model, hard("b", "a"), Rules(levels={}), TODAY).is_welcome


def test_a_circle_over_a_soft_dependency_is_a_soft_one() -> None:
    verdict = may_add(CHAIN, hard("d", "a"), Rules(levels={}), TODAY)
    assert (verdict.tangle, verdict.joins) == (TangleKind.SOFT, ("a", "b", "d"))


def test_a_sound_dependency_is_welcome_and_its_price_in_availability_is_told() -> None:
    verdict = may_add(CHAIN, hard("a", "d"), Rules(), TODAY)
    assert verdict.is_welcome
    assert verdict.tangle is None
    assert [verdict.before, verdict.after] == pytest.approx([0.9**3, 0.9**3 / 2])


def test_a_dependency_that_cannot_be_added_is_refused() -> None:
    for one in (hard("a", "x"), hard("a", "b"), hard("a", "a")):
        with pytest.raises(ModelInvalid):
            may_add(CHAIN, one, Rules(), TODAY)


@given(models(most=6, most_edges=10, rich=False))
def test_the_verdict_agrees_with_the_tangles_of_the_model_that_results(model: Model) -> None:
    names = list(model.by_name)
    one = hard(names[0], names[-1], Phase.DEPLOY)
    if one.source == one.target or one.key in {other.key for other in model.dependencies}:
        return
    verdict = may_add(model, one, Rules(), TODAY)
    numbers = model.numbers
    kinds = [
        t.kind
        for t in tangles(graph_of(apply(model, [AddDependency(one)])))
        if {numbers[one.source], numbers[one.target]} <= set(t.members.tolist())
    ]
    assert verdict.tangle == (kinds[0] if kinds else None)


def test_a_check_loads_no_numpy() -> None:
    code = (
        "import sys, drystone.l05_graph.additions, drystone.l05_graph.forms.survey_csv,"
        " drystone.l05_graph.forms.scenario, drystone.l05_graph.export\n"
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
