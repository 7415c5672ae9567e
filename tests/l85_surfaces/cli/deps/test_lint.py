"""``drystone deps lint``: what a person, a machine and a code review are told."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from l85_surfaces.cli.conftest import Drystone
from l85_surfaces.cli.deps.surveys import SHOP, SOUND


def test_every_finding_says_what_why_where_and_what_to_do(drystone: Drystone) -> None:
    said = drystone("deps", "lint", "shop.yaml")

    assert (said.code, said.err) == (1, "")
    assert said.out == (
        "A shop: 5 components, 6 dependencies; 2 errors, 1 warning\n"
        "\n"
        "error deadlock  shop.yaml:10:29\n"
        "  what   2 components need each other in a circle, so that none of them can be the first after a\n"
        "         loss of all: orders → flags → orders\n"
        "  do     remove or soften a dependency of it\n"
        "\n"
        "error layer  shop.yaml:10:29\n"
        "  what   orders (layer 2) needs flags on a higher layer (4); a hard dependency leads downwards\n"
        "  do     soften it, remove it, or move flags below layer 2\n"
        "\n"
        "warning slo  shop.yaml:6:13\n"
        "  what   shop promises 0.999, and can reach 0.997502 at most with its 3 single points of failure;\n"
        "         the weakest is database\n"
        "  why    shop → users → database\n"
        "  do     promise less, or make it work without database\n"
    )


@pytest.mark.parametrize(
    ("level", "survey", "code"),
    [
        ("error", SOUND, 0),
        ("note", SOUND, 0),
        ("error", "components: {a: {needs: {b: }}, b: }", 0),
        ("warning", "components: {a: {needs: {b: }}, b: }", 0),
        ("note", "components: {a: {needs: {b: }}, b: }", 1),
        ("warning", "components: {a: {slo: 0.99, needs: {b: hard}}, b: {availability: 0.9}}", 1),
        ("error", "components: {a: {slo: 0.99, needs: {b: hard}}, b: {availability: 0.9}}", 0),
    ],
)
def test_it_exits_with_1_for_what_is_as_bad_as_the_level(
    drystone: Drystone, shop: Path, level: str, survey: str, code: int
) -> None:
    shop.write_text(survey)

    assert drystone("deps", "lint", str(shop), "--level", level).code == code


def accepted(until: str) -> str:
    risk = f"accepted: {{by: ann, reason: moves in spring, until: {until}}}"
    return SHOP.replace("at: deploy}", f"at: deploy, {risk}}}").replace("    layer: 4\n", "")


def test_an_accepted_risk_is_a_note_with_the_days_left(drystone: Drystone, shop: Path) -> None:
    shop.write_text(accepted(str(datetime.now(UTC).date() + timedelta(days=10))))

    said = drystone("deps", "lint", "shop.yaml")

    assert said.code == 0
    assert re.search(r"^A shop: .*; 1 warning, 1 note \(1 accepted\)$", said.out, re.MULTILINE)
    assert re.search(
        r"^  risk   accepted by ann until \S+ \((9|10) days left\): moves in spring$",
        said.out,
        re.MULTILINE,
    )


def test_an_acceptance_that_has_run_out_is_an_error_beside_what_it_covered(
    drystone: Drystone, shop: Path
) -> None:
    shop.write_text(accepted("2020-01-31"))

    said = drystone("deps", "lint", "shop.yaml")

    assert said.code == 1
    assert "error deadlock" in said.out
    assert "  what   ann had accepted flags → orders (hard, at deploy, other) until 2020-01-31" in (
        said.out
    )


def test_rules_of_a_file_decide_what_is_checked(drystone: Drystone, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("levels: {deadlock: warning, layer: off, slo: off}")

    said = drystone("deps", "lint", "shop.yaml", "--rules", "rules.yaml")

    assert said.code == 0
    assert said.out.startswith("A shop: 5 components, 6 dependencies; 1 warning\n")


def test_mistakes_in_rules_are_told_with_their_places(drystone: Drystone, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("levels: {deadlok: warning}")

    said = drystone("deps", "lint", "shop.yaml", "--rules", "rules.yaml")

    assert (said.code, said.out) == (1, "")
    assert "rules.yaml:1:10: levels has no 'deadlok'; did you mean deadlock?" in said.err


@pytest.mark.parametrize("words", [["--json"], ["--format", "json"]])
def test_a_machine_is_told_the_same(drystone: Drystone, words: list[str]) -> None:
    said = drystone("deps", "lint", "shop.yaml", *words)

    told = json.loads(said.out)
    assert said.code == 1
    assert told["counts"] == {"error": 2, "warning": 1, "note": 0}
    assert told["findings"][0] == {
        "rule": "deadlock",
        "severity": "error",
        "subject": "orders",
        "what": "2 components need each other in a circle, so that none of them can be the first after"
        " a loss of all: orders → flags → orders",
        "path": ["orders", "flags", "orders"],
        "advice": "remove or soften a dependency of it",
        "place": "shop.yaml:10:29",
        "accepted": None,
    }


def test_github_shows_findings_beside_the_lines(drystone: Drystone) -> None:
    said = drystone("deps", "lint", "shop.yaml", "-f", "github")

    first, *_ = said.out.splitlines()
    assert len(said.out.splitlines()) == 3
    assert first.startswith("::error file=shop.yaml,line=10,col=29,title=deadlock::2 components")
    assert first.endswith("%0Ado: remove or soften a dependency of it")


def test_names_cannot_break_out_of_a_workflow_command(drystone: Drystone, tmp_path: Path) -> None:
    name = "x,y:z.yaml"
    (tmp_path / name).write_text(
        'components: {a: {needs: {"b%\\r\\n::set-output": }}, "b%\\r\\n::set-output": }'
    )

    said = drystone("deps", "lint", name, "-f", "github")

    assert said.out.startswith("::notice file=x%2Cy%3Az.yaml,line=1,col=26,title=strength::")
    assert len(said.out.splitlines()) == 1
    assert "b%25%0D%0A::set-output" in said.out


def test_scanners_get_sarif(drystone: Drystone, shop: Path) -> None:
    shop.write_text(accepted(str(datetime.now(UTC).date() + timedelta(days=10))))

    told = json.loads(drystone("deps", "lint", "shop.yaml", "-f", "sarif").out)

    (run,) = told["runs"]
    assert told["version"] == "2.1.0"
    assert {one["ruleId"] for one in run["results"]} <= {
        one["id"] for one in run["tool"]["driver"]["rules"]
    }
    deadlock = next(one for one in run["results"] if one["ruleId"] == "deadlock")
    (location,) = deadlock["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "shop.yaml"},
        "region": {"startLine": 17, "startColumn": 13},
    }
    assert deadlock["suppressions"][0]["status"] == "accepted"


def test_many_findings_are_counted_and_few_of_each_rule_shown(
    drystone: Drystone, shop: Path
) -> None:
    needs = ", ".join(f"n{number}: " for number in range(50))
    others = "".join(f"  n{number}:\n" for number in range(50))
    shop.write_text(f"components:\n  a: {{needs: {{{needs}}}}}\n{others}")

    short = drystone("deps", "lint", "shop.yaml").out
    whole = drystone("deps", "lint", "shop.yaml", "--all").out

    assert short.splitlines()[0] == "shop.yaml: 51 components, 50 dependencies; 50 notes"
    assert short.splitlines()[-1] == "… and 45 more, note strength (--all)"
    assert (short.count("note strength"), whole.count("note strength")) == (6, 50)


def test_a_model_without_findings_says_so(drystone: Drystone, shop: Path) -> None:
    shop.write_text(SOUND)

    assert drystone("deps", "lint", "shop.yaml").out == (
        "In order: 2 components, 1 dependency; nothing is wrong\n"
    )
