from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given

from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.forms import survey, survey_csv
from drystone.l05_graph.forms.survey_text import dump
from drystone.l05_graph.model import (
    Acceptance,
    BreakGlass,
    Component,
    Dependency,
    Estimate,
    Group,
    Model,
    checked,
)
from drystone.l05_graph.words import Phase, Risk, Strength
from l05_graph.models import models

HOUR = timedelta(hours=1)


def mistakes(text: str | bytes) -> list[str]:
    with pytest.raises(ModelInvalid) as refused:
        survey.read(text)
    return [mistake.sentence() for mistake in refused.value.mistakes]


def table_mistakes(text: str | bytes, components: str | None = None) -> list[str]:
    with pytest.raises(ModelInvalid) as refused:
        survey_csv.read(text, components)
    return [mistake.sentence() for mistake in refused.value.mistakes]


@given(models())
def test_a_survey_that_was_written_is_read_as_the_same_model(model: Model) -> None:
    again = survey.read(dump(model))
    assert again.digest == model.digest
    assert (again.title, again.components) == (model.title, model.components)
    assert dump(again) == dump(model)


@given(models())
def test_tables_that_were_written_are_read_as_the_same_model(model: Model) -> None:
    tables = survey_csv.dump(model)
    again = survey_csv.read(*tables)
    assert again.digest == model.digest
    assert (again.components, again.dependencies) == (model.components, model.dependencies)


def test_a_name_longer_than_yaml_allows_before_a_colon_is_written_all_the_same() -> None:
    names = ["x" * 5000, "y" * 5000]
    needs = [Dependency(source=names[0], target=names[1], risk=risk) for risk in Risk]
    model = checked([Component(name=name) for name in names], needs)
    assert survey.read(dump(model)).digest == model.digest


def test_every_attribute_is_read_as_people_write_it() -> None:
    model = survey.read("""
title: What we run
defaults:
  component: {tier: 2}
  dependency: {at: [deploy, runtime]}
components:
  shop:
    slo: 99.9%
    tier: ~
    recovery: 90m
    regions: eu
    break_glass: {takes: 2h, runbook: https://x/y}
    groups: {card: 1, mirror: {at_least: 1}}
    needs:
      users: hard
      mail: {strength: soft, at: start, without: "later: much"}
      one: {strength: hard, group: card, accepted: {by: me, reason: why, until: 2027-01-31}}
      two: [{strength: hard, group: mirror}, {risk: auth, cost_remove: 3}]
      three:
  users: {recovery: {least: 1h, likely: 1.5h, most: 1d}}
  mail:
  one:
  two:
  three:
""")
    shop = model.component("shop")
    assert (shop.slo, shop.tier, shop.regions) == (0.999, None, ("eu",))
    assert shop.recovery == Estimate(HOUR * 1.5, HOUR * 1.5, HOUR * 1.5)
    assert shop.break_glass == BreakGlass(takes=HOUR * 2, runbook="https://x/y")
    assert model.component("users").recovery == Estimate(HOUR, HOUR * 1.5, HOUR * 24)
    assert model.component("mail").tier == 2
    assert model.groups == (
        Group(component="shop", name="card"),
        Group(component="shop", name="mirror"),
    )
    both = (Phase.DEPLOY, Phase.RUN)
    hard, soft = Strength.HARD, Strength.SOFT
    accepted = Acceptance(by="me", reason="why", until=date(2027, 1, 31))
    assert model.needs["shop"] == (
        Dependency(source="shop", target="users", strength=hard, at=both),
        Dependency(
            source="shop", target="mail", strength=soft, at=(Phase.START,), without="later: much"
        ),
        Dependency(
            source="shop", target="one", strength=hard, at=both, group="card", accepted=accepted
        ),
        Dependency(source="shop", target="two", strength=hard, at=both, group="mirror"),
        Dependency(source="shop", target="two", at=both, risk=Risk.AUTH, cost_remove=3.0),
        Dependency(source="shop", target="three", at=both),
    )


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    assert mistakes("""titel: x
components:
  shop:
    tire: 2
    tier: one
    regions: {a: 1}
    recovery: {least: 3h, likely: 1h}
    needs: {users: hrad, shopp: hard, shop: hard}
  users: {slo: 99.9, pillar: {cost: -1}, recovery: 3}
""") == [
        "survey.yaml:1:1: the survey has no 'titel'; did you mean title?",
        "survey.yaml:4:5: shop has no 'tire'; did you mean tier?",
        "survey.yaml:5:11: shop: tier: expected a whole number, got 'one'",
        "survey.yaml:6:14: shop: regions is a mapping; write a single value",
        "survey.yaml:7:15: shop: recovery does not say most",
        "survey.yaml:8:20: shop → users: strength: expected hard, soft or unknown, got 'hrad';"
        " did you mean hard?",
        "survey.yaml:8:26: shop → shopp: there is no component 'shopp'; did you mean 'shop'?",
        "survey.yaml:8:39: shop depends on itself; a component always has itself: remove the line",
        "survey.yaml:9:3: users: slo is 99.9; it lies above 0 and at most at 1, such as 0.999",
        "survey.yaml:9:3: users: the cost of pillar is -1.0; a cost is a number and not negative",
        "survey.yaml:9:52: users: recovery: expected a duration such as 90s, 30m, 2h or 1d, got '3'",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "survey.yaml:1:1: the survey is empty"),
        ("- a", "survey.yaml:1:1: the survey is a list"),
        ("title: x", "survey.yaml:1:1: the survey has no components"),
        ("components: [a]", "survey.yaml:1:13: components is a list; write a mapping"),
        (b"components:\n  \xff: 1", "survey.yaml:2:3: the file is not UTF-8 here"),
        (
            "components: {a: {needs: {b: [[hard]]}}, b: }",
            "survey.yaml:1:30: a → b: a list in a list",
        ),
        ("components: {a: {needs: {b: []}}, b: }", "survey.yaml:1:26: a → b is an empty list"),
        ("components: {a: {layer: 1, layer: 2}}", "survey.yaml:1:28: the key 'layer' stands twice"),
        ("components: {a: {groups: {g: 2}}}", "survey.yaml:1:27: the group 'g' of a needs 2 of 0"),
        (
            "components: {a: {needs: {b: {group: g}}}, b: }",
            "survey.yaml:1:26: a names the group 'g', which is not declared",
        ),
        (
            "components: {a: {needs: {b: [hard, soft]}}, b: }",
            "survey.yaml:1:36: a → b (soft, at run, other) is there with other attributes",
        ),
        ("components: {a: {break_glass: {cost: 1}}}", "a: break_glass does not say takes"),
        (
            "components: {a: {needs: {b: {accepted: x}}}, b: }",
            "accepted is a text; write by, reason",
        ),
        (
            "defaults: {thing: {}}\ncomponents: {}",
            "defaults has no 'thing'; known are component or",
        ),
        ("components: {a: {tier: 1", "survey.yaml:1:"),
    ],
)
def test_a_text_that_is_no_survey_is_refused_with_its_place(
    text: str | bytes, message: str
) -> None:
    assert message in mistakes(text)[0]


def test_a_flood_of_lines_is_refused_at_once() -> None:
    flood = "components:\n" + "  a:\n" * 10_000_000
    assert "two tables" in mistakes(flood)[0]


def test_thousands_of_unknown_components_are_told_soon() -> None:
    needs = "".join(f"      missing-service-{number}: hard\n" for number in range(2000))
    others = "".join(f"  service-{number}:\n" for number in range(300))
    found = mistakes(f"components:\n  a:\n    needs:\n{needs}{others}")
    assert len(found) == 2000
    assert found[0].endswith("did you mean 'service-0'?")


@pytest.mark.parametrize("divider", [",", ";", "\t"])
def test_columns_may_stand_in_any_order_and_be_divided_in_each_usual_way(divider: str) -> None:
    lines = ["Strength,To,From,At", "hard,users,shop,deploy|run", ",,,", 'soft,"ma\nil",shop,']
    text = "\ufeff" + "\r\n".join(lines).replace(",", divider)
    model = survey_csv.read(text.encode())
    assert [component.name for component in model.components] == ["shop", "users", "ma\nil"]
    assert model.dependencies == (
        Dependency(
            source="shop",
            target="users",
            strength=Strength.HARD,
            at=(Phase.DEPLOY, Phase.RUN),
        ),
        Dependency(source="shop", target="ma\nil", strength=Strength.SOFT),
    )


def test_every_mistake_of_a_table_is_told_with_its_line() -> None:
    table = "source;target;strength\na;b;hrd\n\na;b\n;c;hard\na;b;hard\na;x;hard\na;b;soft\n"
    assert table_mistakes(table, "name,recovery_least\nx,2h\n") == [
        "components.csv:2: recovery does not say likely and most; fill in recovery_likely",
        "dependencies.csv:2: strength: expected hard, soft or unknown, got 'hrd'; did you mean hard?",
        "dependencies.csv:4: 2 of 3 columns are there; was the line cut?",
        "dependencies.csv:5: the cell of source is empty; write a name",
    ]
    found = table_mistakes("source,target,strength\na,b,hard\na,b,soft\na,c,hard\n", "name\na\nb\n")
    assert found[0].startswith(
        "dependencies.csv:3: a → b (soft, at run, other) is there with other"
    )
    assert found[1].startswith("dependencies.csv:4: a → c: there is no component 'c'")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "dependencies.csv:1: the table is empty"),
        ("sorce,target", "the table has no 'sorce'; did you mean source?"),
        ("source,source,target", "dependencies.csv:1: the column 'source' stands twice"),
        ("source", "dependencies.csv:1: the table has no column 'target'"),
        (b"source,target\na,\xe4", "dependencies.csv:2: the file is not UTF-8 here"),
        ("source,target\na,\0", "dependencies.csv:2: a NUL byte"),
        ('source,target\na,"b', "dependencies.csv:2: unexpected end of data"),
        ("source,target,at_least\na,b,1", "a → b says at_least and no group"),
        ("source,target,\na,b,c", "'c' stands in a column without a name"),
        ("source,target,group,at_least\na,b,g,1\na,c,g,2", "csv:3: a → c: of the group 'g', 2"),
    ],
)
def test_a_text_that_is_no_table_is_refused(table: str | bytes, message: str) -> None:
    assert message in table_mistakes(table)[0]


def test_a_flood_of_broken_lines_is_cut() -> None:
    found = table_mistakes("source,target\n" + "a\n" * 100_000)
    assert len(found) == survey_csv.MOST_MISTAKES + 1
    assert "too many mistakes" in found[-1]
