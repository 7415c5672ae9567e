"""Rules as YAML, and several surveys as one model."""

from __future__ import annotations

import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.export import to_json
from drystone.l05_graph.findings import LEVELS, Finding, Pattern, Rule, Rules, Severity
from drystone.l05_graph.forms import rules, survey, surveys
from drystone.l05_graph.rules import check

SHOP = """
components:
  shop: {products: shop, layer: 2, needs: {users: hard, mail: {strength: soft, without: later}}}
  users: {layer: 2}
  mail: {products: [office, post]}
"""


def found(written: str, rule: Rule = Rule.FORBIDDEN) -> list[Finding]:
    every = check(survey.read(SHOP), rules.read(written), date(2026, 1, 1))
    return [finding for finding in every if finding.rule is rule]


def test_what_is_not_said_is_checked_as_usual() -> None:
    assert rules.read("levels: {without: off, same-layer: warning}") == Rules(
        levels={
            **{rule: level for rule, level in LEVELS.items() if rule is not Rule.WITHOUT},
            Rule.SAME_LAYER: Severity.WARNING,
        }
    )


def test_the_same_layer_is_a_rule_of_its_own() -> None:
    assert [one.sentence for one in found("levels: {}", Rule.SAME_LAYER)] == [
        "shop (layer 2) needs users on the same layer (2); a hard dependency leads downwards"
    ]
    assert found("levels: {same-layer: off}", Rule.SAME_LAYER) == []
    assert found("levels: {}", Rule.LAYER) == []


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{source: 'sh*', target: mail, reason: write instead}", "by sh* → mail: write instead"),
        ("{source_product: shop, target_product: 'o*'}", "by product shop → product o*"),
        ("{source: shop, target: '*', target_product: post}", "by shop → product post"),
        ("{target: m*, target_product: post}", "by * → m* of product post"),
    ],
)
def test_what_is_forbidden_is_told_with_its_pattern(pattern: str, says: str) -> None:
    (one,) = found(f"forbidden: [{pattern}]")
    assert one.sentence == f"shop → mail (soft, at run, other) is forbidden {says}"


def test_soft_needs_are_spared_where_only_hard_ones_are_meant() -> None:
    assert found("forbidden: [{target: mail, hard_only: true}]") == []
    assert found("forbidden: [{source_product: office}]") == []


def test_who_is_allowed_something_may_need_nothing_else() -> None:
    (one,) = found("allowed: [{source: shop, target: users}, {source: mail, target: users}]")
    assert one.sentence.endswith("is not allowed; shop may need users")


def test_every_mistake_has_its_place_and_says_what_to_write() -> None:
    written = """\
levels: {dead-lock: error, layer: bad}
forbiden: []
forbidden: {source: a}
allowed: [{reason: why}, {source: a, targt: b}]
"""
    with pytest.raises(ModelInvalid) as refused:
        rules.read(written, file="r.yaml")
    assert refused.value.message.splitlines() == [
        "r.yaml:1:10: levels has no 'dead-lock'; did you mean deadlock?",
        "r.yaml:1:35: levels: layer: expected error, warning, note or off, got 'bad'",
        "r.yaml:2:1: the set of rules has no 'forbiden'; did you mean forbidden?",
        "r.yaml:3:12: forbidden is no list; write '- {source: …, target: …}'",
        "r.yaml:4:11: allowed: say which, by source, target or a product",
        "r.yaml:4:38: allowed has no 'targt'; did you mean target?",
    ]


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_any_text_is_read_or_refused(written: bytes | str) -> None:
    with contextlib.suppress(ModelInvalid):
        found = rules.read(written)
        assert all(isinstance(one, Pattern) for one in (*found.forbidden, *found.allowed))


def test_files_of_every_form_make_one_model_with_places() -> None:
    placed = surveys.read(
        {
            "a.yaml": SHOP.encode() + b"  log:\n    needs: {disk: hard}\n",
            "b.csv": b"from,to,strength\nusers,log,hard\n",
            "c.csv": b"name;tier\ndisk;1\n",
            "d.json": to_json(survey.read("components: {tape: {}}")),
        }
    )
    assert [one.name for one in placed.model.components] == [
        *("shop", "users", "mail", "log", "disk", "tape"),
    ]
    assert [placed.places[one.key] for one in placed.model.dependencies] == [
        *("a.yaml:3:44", "a.yaml:3:57", "a.yaml:7:13", "b.csv:2"),
    ]
    assert placed.places["disk"] == "c.csv:2"


def test_a_component_in_two_files_is_a_mistake_with_its_place() -> None:
    with pytest.raises(ModelInvalid, match=r"^b.yaml:1:14: the component 'a' is there twice"):
        surveys.read({"a.yaml": b"components: {a: }", "b.yaml": b"components: {a: }"})


def test_mistakes_are_told_file_by_file() -> None:
    with pytest.raises(ModelInvalid) as refused:
        surveys.read(
            {
                "b.yaml": b"components: {a: {tire: 1}}\ntitel: x",
                "a.json": b"{",
                "c.csv": b"source,target\na\n",
            }
        )
    assert [one.place for one in refused.value.mistakes] == [
        *("b.yaml:1:18", "b.yaml:2:1", "a.json", "c.csv:2"),
    ]


@pytest.mark.parametrize(
    ("name", "written", "form"),
    [
        ("<stdin>", b"components: {}", surveys.Form.YAML),
        ("<stdin>", b"", surveys.Form.YAML),
        ("<stdin>", b'{"format":"drystone-model"}', surveys.Form.JSON),
        ("<stdin>", b"{components: {a: }}", surveys.Form.YAML),
        ("<stdin>", b"\xef\xbb\xbfFrom;To;strength\n", surveys.Form.DEPENDENCIES),
        ("<stdin>", b"name,tier\n", surveys.Form.COMPONENTS),
        ("components.csv", b"name\n", surveys.Form.COMPONENTS),
        ("x.csv", b"nonsense\n", surveys.Form.DEPENDENCIES),
        ("x.yaml", b"name: a\n", surveys.Form.YAML),
    ],
)
def test_the_form_is_told_by_the_begin(name: str, written: bytes, form: surveys.Form) -> None:
    assert surveys.form_of(name, written) is form


@given(st.binary(max_size=300), st.sampled_from(["-", "a.json", "a.csv", "a.yaml"]))
def test_any_bytes_are_a_survey_or_refused(written: bytes, name: str) -> None:
    with contextlib.suppress(ModelInvalid):
        assert surveys.read({name: written}).model.digest
