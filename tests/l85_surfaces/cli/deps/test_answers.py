"""Questions about one component, about an order, and about two models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drystone.l05_graph.forms import survey
from drystone.l25_deployer.dependencies.model import (
    model_of_descriptors,
    start_order,
    start_problems,
)
from drystone.l85_surfaces.cli import entry
from drystone.l85_surfaces.cli.commands.deps.export import FORMS
from drystone.l85_surfaces.cli.dependencies.reading import own_descriptors
from l85_surfaces.cli.conftest import Drystone
from l85_surfaces.cli.deps.surveys import SHOP

MODEL = ("--model", "shop.yaml")


def test_an_order_names_what_never_comes_back_and_why(drystone: Drystone) -> None:
    said = drystone("deps", "order", "shop.yaml")

    assert said.code == 1
    assert said.out == (
        "A shop: 5 components, 6 dependencies; 2 waves, 3 never come back by themselves\n"
        "\n"
        "1  database\n"
        "2  users\n"
        "\n"
        "deadlock flags, orders\n"
        "  why    flags → orders → flags\n"
        "  do     `drystone deps untangle --goal no-deadlock` says what to change\n"
        "\n"
        "waits for them: 1 component\n"
        "  who    shop\n"
        "  why    shop → orders → flags → orders\n"
    )


def test_the_order_of_the_platform_is_the_one_that_its_start_follows(drystone: Drystone) -> None:
    said = drystone("deps", "order", "--platform", "--json")

    own = model_of_descriptors(own_descriptors().values())
    assert json.loads(said.out)["waves"] == [list(wave) for wave in start_order(own).waves]
    assert start_problems(own) == []


def test_a_dependency_that_may_be_added_says_what_it_costs(drystone: Drystone) -> None:
    said = drystone("deps", "may-add", "flags", "users", *MODEL)

    assert (said.code, said.out) == (
        0,
        "yes  flags → users (hard, at run, other)  A shop\n"
        "\n"
        "flags can work 99.9 % → 99.7003 % of the time at most\n",
    )


def test_a_dependency_that_closes_a_circle_may_not_be_added(drystone: Drystone) -> None:
    words = ["deps", "may-add", "database", "users", *MODEL, "--at", "deploy"]
    said = drystone(*words)
    told = json.loads(drystone(*words, "--json").out)

    assert said.code == 1
    assert said.out.startswith(
        "no  database → users (hard, at deploy, other)  A shop\n"
        "\n"
        "deadlock it becomes part of a circle of 2 components\n"
        "  what   after a loss of all, none of them can be the first to come back\n"
        "  why    database → users → database\n"
    )
    assert "error layer\n" in said.out
    assert (told["welcome"], told["tangle"]) == (False, "deadlock")
    assert told["circle"] == ["database", "users", "database"]


@pytest.mark.parametrize(
    ("ends", "says"),
    [
        (("user", "shop"), "there is no component 'user'; did you mean 'users'?"),
        (("users", "users"), "users depends on itself"),
        (("shop", "users"), "shop → users (hard, at run, other) is there already"),
    ],
)
def test_a_dependency_that_cannot_be_is_refused(
    drystone: Drystone, ends: tuple[str, str], says: str
) -> None:
    said = drystone("deps", "may-add", *ends, *MODEL)

    assert (said.code, said.out) == (1, "")
    assert says in said.err


def test_an_impact_names_what_falls_in_its_order(drystone: Drystone) -> None:
    said = drystone("deps", "impact", "database", *MODEL)

    assert said.out == (
        "database fails: 3 of 4 others fall (75 %), 0 go on with less\n"
        "\n"
        "falls\n"
        "  orders  needs database\n"
        "  users  needs database\n"
        "  shop  needs users, orders\n"
    )
    told = json.loads(drystone("deps", "impact", "database", *MODEL, "--json").out)
    assert told["because"]["shop"] == ["users", "orders"]


def test_what_goes_on_with_less_is_named(drystone: Drystone, shop: Path) -> None:
    shop.write_text(
        "components: {a: {tier: 1, needs: {b: soft}}, b: {needs: {c: hard}, products: p}, c: }"
    )

    said = drystone("deps", "impact", "c", *MODEL)

    assert said.out.splitlines()[:2] == [
        "c fails: 1 of 2 others fall (50 %), 1 go on with less",
        "  of     product p: 1",
    ]
    assert said.out.endswith("goes on with less\n       a\n")


def test_a_tree_marks_what_other_products_need(drystone: Drystone, shop: Path) -> None:
    shop.write_text(
        "components: {a: {products: p, needs: {b: hard, c: soft}}, b: {tier: 1}, c: ,"
        " d: {products: q, needs: {b: hard}}}"
    )

    hard = drystone("deps", "tree", "p", *MODEL).out
    soft = drystone("deps", "tree", "a", "--soft", *MODEL).out

    assert hard == (
        "a needs 1 component, 1 of them shared with other products\na\n└─ b  tier 1, also q\n"
    )
    assert soft.endswith("a\n├─ b  tier 1, also q\n└─ c  soft\n")


def test_a_deep_tree_is_no_problem(drystone: Drystone, shop: Path) -> None:
    chain = "".join(f"  n{one}: {{needs: {{n{one + 1}: hard}}}}\n" for one in range(3000))
    shop.write_text(f"components:\n{chain}  n3000:\n")

    said = drystone("deps", "tree", "n0", *MODEL)

    assert (said.code, len(said.out.splitlines())) == (0, 42)
    assert said.out.endswith("… and 2,961 more (--all)\n")


def test_a_promise_that_cannot_be_kept_is_told_with_its_reasons(drystone: Drystone) -> None:
    said = drystone("deps", "availability", *MODEL)

    assert said.code == 1
    assert said.out == (
        "A shop: 1 component; 1 promise cannot be kept\n"
        "\n"
        "shop can work 99.7502 % of the time at most: down 21 h 52 m a year\n"
        "  slo    99.9 %, which cannot be kept\n"
        "  with   3 single points of failure: database, users, orders\n"
        "  lost   through database 40 %, users 40 %, orders 20 %\n"
        "  note   nobody has said how available shop is; taken as always there\n"
    )


def test_many_components_are_a_table_the_worst_first(drystone: Drystone) -> None:
    said = drystone("deps", "availability", *MODEL, "database", "users", "shop", "flags")

    rows = [line.split()[0] for line in said.out.splitlines()[2:]]
    assert rows == ["COMPONENT", "shop", "users", "database", "flags"]
    told = json.loads(drystone("deps", "availability", *MODEL, "--json").out)
    assert told[0]["can_hold"] is False


def test_a_promise_with_alternatives_is_judged_exactly(drystone: Drystone, shop: Path) -> None:
    shop.write_text(
        "components: {a: {slo: 99.9%, groups: {g: 1}, needs: {b: {strength: hard, group: g},"
        " c: {strength: hard, group: g}}}, b: {availability: 0.9}, c: {availability: 0.9}}"
    )

    said = drystone("deps", "availability", *MODEL)

    assert said.code == 1
    assert "a can work 99 % of the time at most" in said.out


def test_a_difference_says_what_becomes_better_or_worse(drystone: Drystone, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(
        SHOP.replace("flags: {strength: hard, at: start}", "mail: soft") + "  mail:\n"
    )

    said = drystone("deps", "diff", "shop.yaml", "new.yaml")
    back = drystone("deps", "diff", "new.yaml", "shop.yaml", "--json")

    assert (said.code, back.code) == (0, 1)
    assert said.out.startswith(
        "shop.yaml → new.yaml: 3 changes, 1 finding more, 2 findings fewer\n"
        "\n"
        "- orders → flags (other, start)\n"
        "+ mail\n"
        "+ orders → mail (soft, at run, other)\n"
        "\n"
        "becomes worse\n"
    )
    told = json.loads(back.out)
    assert {one["rule"] for one in told["worse"]} == {"deadlock", "layer"}


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("yaml", "title: A shop\n"),
        ("json", '{"components":['),
        ("csv", "source,target,strength,"),
        ("csv-components", "name,"),
        ("dot", "digraph model {\n"),
        ("mermaid", "flowchart TD\n"),
        ("graphml", "<?xml "),
    ],
)
def test_a_model_is_exported(drystone: Drystone, form: str, begins: str) -> None:
    said = drystone("deps", "export", "shop.yaml", "--format", form)

    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(begins)


def test_tangled_dependencies_are_red_in_drawings(drystone: Drystone) -> None:
    assert (
        "linkStyle 3,5 stroke:red" in drystone("deps", "export", "shop.yaml", "-f", "mermaid").out
    )


def test_nothing_is_overwritten(drystone: Drystone, shop: Path, tmp_path: Path) -> None:
    before = shop.read_text()

    refused = drystone("deps", "export", "shop.yaml", "-o", "shop.yaml")
    written = drystone("deps", "export", "shop.yaml", "-o", "new.yaml")
    nowhere = drystone("deps", "export", "shop.yaml", "-o", "missing/new.yaml")

    assert (refused.code, written.code, nowhere.code) == (1, 0, 1)
    assert "shop.yaml is there already and stays as it is" in refused.err
    assert shop.read_text() == before
    assert (tmp_path / "new.yaml").read_text().startswith("title: A shop\n")
    assert "missing/new.yaml cannot be written: No such file or directory" in nowhere.err


@pytest.mark.parametrize("form", ["yaml", "json", "csv", "mermaid"])
def test_what_is_exported_to_a_pipe_is_the_text_itself(
    capfdbinary: pytest.CaptureFixture[bytes], shop: Path, form: str
) -> None:
    shop.write_text('components: {"a\\u202eb": {needs: {c: soft}}, c: }')
    model = survey.read(shop.read_text())

    assert entry.main(["deps", "export", "shop.yaml", "--format", form]) == 0

    written = capfdbinary.readouterr().out.decode()
    assert written.removesuffix("\n") == FORMS[form](model).removesuffix("\n")
