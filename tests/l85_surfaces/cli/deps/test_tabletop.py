"""``drystone deps tabletop``: rehearsals, and exercises that people play."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from l85_surfaces.cli.conftest import Drystone

OFFICE = """\
title: An office
components:
  shop: {owner: commerce, products: store, recovery: 1h, needs: {users: hard, orders: hard}}
  orders: {owner: commerce, products: [store, office], recovery: 2h, needs: {database: hard}}
  users: {owner: identity, recovery: 45m, needs: {database: hard}}
  database: {owner: platform, recovery: 2h}
"""
DEADLOCK = """\
components:
  a: {recovery: 1h, needs: {b: {strength: hard, at: deploy}}}
  b: {recovery: 1h, needs: {a: {strength: hard, at: deploy}}}
  c: {recovery: 1h}
"""


@pytest.fixture(autouse=True)
def office(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    shop.write_text(OFFICE)
    return shop


def test_a_rehearsal_shows_who_works_when_and_why_it_takes_so_long(drystone: Drystone) -> None:
    said = drystone("deps", "tabletop", "shop.yaml", "--runs", "0")

    assert (said.code, said.err) == (0, "")
    assert max(map(len, said.out.splitlines())) <= 80
    picture, _, rest = said.out.partition("\n\nwhy it takes so long\n")
    assert picture == (
        "An office: 4 of 4 components lost\n"
        "back in 3 h\n"
        "\n"
        "            0          30 m       1 h        1 h 30 m    2 h        2 h 30 m\n"
        "commerce\n"
        "  orders    █████████████████████████████████████████████\n"
        "  shop                                                  ███████████████████████\n"
        "identity\n"
        "  users     ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒\n"
        "platform\n"
        "  database  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒\n"
        "█ everything waited for it  ▒ other work  ▚ by hand, without what it needs"
    )
    assert "the crew worked on orders\n" in rest
    assert "  commerce  1       3 h     100 %\n" in rest


def test_many_runs_give_the_times_of_half_and_nine_tenths(drystone: Drystone, office: Path) -> None:
    office.write_text(
        OFFICE.replace("recovery: 2h}", "recovery: {least: 1h, likely: 2h, most: 9h}}")
    )

    said = drystone("deps", "tabletop", "shop.yaml", "--runs", "50", "--seed", "1")
    again = drystone("deps", "tabletop", "shop.yaml", "--runs", "50", "--seed", "1", "--json")

    assert "in 50 runs: half within " in said.out
    told = json.loads(again.out)
    assert told["many"]["runs"] == 50
    assert told["lasts"] == "PT10800S"
    assert said.out == drystone("deps", "tabletop", "shop.yaml", "--runs", "50", "--seed", "1").out


def test_a_disaster_says_what_is_lost_and_who_is_there(drystone: Drystone, tmp_path: Path) -> None:
    (tmp_path / "night.yaml").write_text(
        "title: At night\nbegins: '20:00'\nlost: {components: [orders]}\n"
        "crews: {commerce: {people: 1, awake: ['08:00-18:00']}}\n"
    )

    said = drystone("deps", "tabletop", "shop.yaml", "-d", "night.yaml", "--runs", "0")

    assert said.out.startswith("An office: At night: 1 of 4 components lost\nback in 14 h\n")
    assert "the crew was asleep" in said.out


def test_what_never_comes_back_is_told_with_what_it_waits_for(
    drystone: Drystone, office: Path
) -> None:
    office.write_text(DEADLOCK)

    said = drystone("deps", "tabletop", "shop.yaml", "--runs", "0")

    assert said.code == 1
    assert "back in 1 h, without 2 components\n" in said.out
    assert "never comes back\n       a waits: a → b → a\n       b waits: b → a → b\n" in said.out


def test_a_disaster_that_does_not_fit_is_refused(drystone: Drystone, tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text("lost: {components: [shp]}")

    said = drystone("deps", "tabletop", "shop.yaml", "-d", "d.yaml")

    assert (said.code, said.out) == (1, "")
    assert "there is no component 'shp'; did you mean 'shop'?" in said.err


def test_many_components_become_one_row_for_each_crew(drystone: Drystone, office: Path) -> None:
    rows = "".join(f"  n{one}: {{owner: team{one % 7}, recovery: 1h}}\n" for one in range(90))
    office.write_text(f"components:\n{rows}")

    said = drystone("deps", "tabletop", "shop.yaml", "--runs", "0")

    assert said.code == 0
    assert "  team0  ██████" in said.out
    assert "share of the crew at work" in said.out
    assert len(said.out.splitlines()) < 60


def play(
    drystone: Drystone, monkeypatch: pytest.MonkeyPatch, typed: str, *words: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    said = drystone("deps", "tabletop", "shop.yaml", "--exercise", "monday.json", *words)
    return said.code, said.out, said.err


def test_an_exercise_is_played_kept_and_gone_on_with(
    drystone: Drystone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, out, err = play(drystone, monkeypatch, "begin database\ngo\nbegin users\nquit\n")
    assert (code, err) == (0, "")
    assert "  platform begins with database, until 2:00:00\n" in out
    assert "after 2 h: 1 of 4 components serve\n" in out
    assert "the exercise is kept in monday.json; the same command goes on with it\n" in out

    _, out, _ = play(drystone, monkeypatch, "go\nundo\nlog\n")
    assert out.startswith("\nafter 2 h: 1 of 4 components serve\n  works  identity on users")
    assert "after 2 h 45 m: 2 of 4 components serve\n" in out
    assert out.rstrip().splitlines()[-2].endswith("identity begins with users, until 2:45:00")
    assert json.loads((tmp_path / "monday.json").read_text())["now"] == "PT7200S"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("begin databse", "there is no component 'databse'; did you mean 'database'?"),
        ("begin users by foot", "type begin COMPONENT, or begin COMPONENT by hand"),
        ("begin users by hand", "users has no break-glass step"),
        ("go", "nothing goes on and nothing is planned; begin work on something"),
        ("go soon", "expected a duration such as 90s"),
        ("undo", "there is no step to undo"),
        ("dance", "there is no step 'dance'; type help to see them"),
        ("people platform many", "people change by a whole number, not by 'many'"),
        ("people nobody +1", "no component has the crew 'nobody'"),
        ("longer database", "type longer COMPONENT FACTOR"),
        ("longer database -1", "database takes -1 times as long; a factor is above 0"),
        ("done", "type done COMPONENT"),
    ],
)
def test_a_step_that_is_not_possible_says_why_and_changes_nothing(
    drystone: Drystone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: str, says: str
) -> None:
    code, out, _ = play(drystone, monkeypatch, f"{typed}\n")

    assert code == 0
    assert f"no: {says}" in out
    assert json.loads((tmp_path / "monday.json").read_text())["actions"] == []


def test_people_and_surprises_are_injected(
    drystone: Drystone, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = (
        "people platform +1\nlonger database 2\nbegin database\ndone users\nfailed users\ngo 4h\n"
    )

    _, out, _ = play(drystone, monkeypatch, steps, "--json")

    state = json.loads(out)
    assert state["now"] == "PT14400S"
    assert state["people"]["platform"] == 2
    assert sorted(state["placed"]) == ["database"]
    assert [one["type"] for one in state["actions"]] == [
        *("inject", "inject", "begin", "done", "failed", "advance"),
    ]


def test_an_exercise_of_another_model_is_refused(
    drystone: Drystone, monkeypatch: pytest.MonkeyPatch, office: Path
) -> None:
    play(drystone, monkeypatch, "begin database\n")
    office.write_text(OFFICE.replace("2h", "3h"))

    code, _, err = play(drystone, monkeypatch, "go\n")

    assert code == 1
    assert "the exercise was begun with another model" in err


@pytest.mark.parametrize("written", ["", "{}", "[" * 100_000, '{"model": 1}'])
def test_a_file_that_is_no_exercise_is_refused_and_stays(
    drystone: Drystone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str
) -> None:
    (tmp_path / "monday.json").write_text(written)

    code, _, err = play(drystone, monkeypatch, "go\n")

    assert code == 1
    assert "monday.json holds no exercise" in err
    assert (tmp_path / "monday.json").read_text() == written
