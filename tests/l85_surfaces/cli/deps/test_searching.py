"""Searches: what to change, kept within their time, ended by Ctrl-C."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from l85_surfaces.cli.conftest import Drystone

PROGRAM = "import sys; from drystone.l85_surfaces.cli.entry import main; sys.exit(main())"


def hard(path: Path) -> None:
    """Write a tangle whose cheapest cut nobody proves in a minute."""
    chance = random.Random(5)  # noqa: S311 - a graph, nothing secret
    ends = [(chance.randrange(150), chance.randrange(150)) for _ in range(900)]
    path.write_text("".join(f"{a} {b} {chance.randint(1, 20)}\n" for a, b in ends))


def test_what_to_change_is_told_with_the_reason_and_the_price(drystone: Drystone) -> None:
    said = drystone("deps", "untangle", "shop.yaml")

    assert said.code == 0
    first, proof, *rest = said.out.splitlines()
    assert first == ("A shop: 5 components, 6 dependencies; 1 deadlock tangle with 2 components")
    assert re.fullmatch(
        r"1 change for a cost of 2; nothing cheaper exists \(proven in \S+ s\)", proof
    )
    assert rest == [
        "",
        "soften orders → flags (hard, at start, other)  costs 2  shop.yaml:10:29",
        "  why    orders → flags → orders",
    ]


def test_what_may_be_done_can_be_restricted(drystone: Drystone) -> None:
    said = drystone("deps", "untangle", "shop.yaml", "--move", "remove", "--json")

    told = json.loads(said.out)
    (step,) = told["steps"]
    assert (told["cost"], told["lower_bound"], told["gap"], told["proven"]) == (4.0, 4.0, 0.0, True)
    assert step["move"] == "remove"
    assert told["cut"] == step["dependencies"]


def test_circles_that_start_together_may_stay(drystone: Drystone, shop: Path) -> None:
    shop.write_text("components: {a: {needs: {b: hard}}, b: {needs: {a: hard}}}")

    said = drystone("deps", "untangle", "shop.yaml", "--goal", "no-deadlock")

    assert said.out.splitlines()[-1] == "nothing has to change"


def test_a_fallback_is_told_with_those_who_take_it(drystone: Drystone, shop: Path) -> None:
    needs = "needs: {config: {strength: hard, at: start, cost_remove: 50}}"
    shop.write_text(
        f"components:\n  a: {{{needs}}}\n  b: {{{needs}}}\n"
        "  config: {pillar: {cost: 3, adoption: 1},"
        " needs: {a: {strength: hard, at: start, cost_remove: 50}, b: {strength: hard, cost_remove: 50}}}\n"
    )

    said = drystone("deps", "untangle", "shop.yaml")

    assert "make a fallback for config  costs 5" in said.out
    assert "  who    a, b take it instead" in said.out


STACK = """
components:
  portal: {layer: 2, cost_move: 3, needs: {users: {cost_remove: 9}}}
  users: {needs: {store: {cost_remove: 9}}}
  store: {needs: {disk: {cost_remove: 9}}}
  disk: {layer: 1}
"""


def test_a_decided_layer_is_moved_where_that_is_cheapest(drystone: Drystone, shop: Path) -> None:
    shop.write_text(STACK)

    said = drystone("deps", "untangle", "shop.yaml", "--layers")

    assert "1 change for a cost of 3; nothing cheaper exists" in said.out
    assert "move portal from layer 2 to 4  costs 3" in said.out
    assert "  why    portal → users → store → disk" in said.out


def test_layers_are_left_alone_unless_asked_for(drystone: Drystone, shop: Path) -> None:
    shop.write_text(STACK)

    said = drystone("deps", "untangle", "shop.yaml")
    fixed = drystone("deps", "untangle", "shop.yaml", "--layers", "--move", "remove", "--json")

    assert "nothing has to change" in said.out
    told = json.loads(fixed.out)
    assert (told["cost"], [step["move"] for step in told["steps"]]) == (9.0, ["remove"])


@pytest.mark.slow
def test_equal_efforts_give_equal_answers(drystone: Drystone, tmp_path: Path) -> None:
    hard(tmp_path / "edges.txt")
    words = ["deps", "untangle", "--edges", "edges.txt", "--json", "--effort", "1"]

    first, second = (json.loads(drystone(*words).out) for _ in range(2))

    assert [first[key] for key in ("cost", "lower_bound", "cut")] == [
        second[key] for key in ("cost", "lower_bound", "cut")
    ]
    assert 0 < first["lower_bound"] < first["cost"]


def test_an_effort_that_is_none_is_misuse(drystone: Drystone, shop: Path) -> None:
    said = drystone("deps", "untangle", "shop.yaml", "--effort=0")

    assert said.code == 2
    assert "--effort cannot be 0; write a number above 0" in said.err


def test_edges_are_cut_and_told_to_machines(drystone: Drystone, tmp_path: Path) -> None:
    (tmp_path / "edges.txt").write_text("a b 3\nb c 3\nc a 1\nc d\n")

    told = json.loads(drystone("deps", "untangle", "--edges", "edges.txt", "--json").out)

    assert told["cut"] == [["c", "a"]]
    assert (told["cost"], told["lower_bound"], told["gap"], told["proven"]) == (1.0, 1.0, 0.0, True)
    assert told["seconds"] >= 0


def test_what_nobody_can_change_stays_and_is_told(drystone: Drystone, shop: Path) -> None:
    fixed = "{strength: hard, at: deploy, can_change: false}"
    shop.write_text(f"components: {{a: {{needs: {{b: {fixed}}}}}, b: {{needs: {{a: {fixed}}}}}}}")

    said = drystone("deps", "untangle", "shop.yaml")

    assert "what stays\n  deadlock of a, b: nothing in it can be changed\n" in said.out


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1 h", "nan", "9" * 30])
def test_a_time_limit_that_is_none_is_misuse(drystone: Drystone, limit: str) -> None:
    said = drystone("deps", "untangle", "shop.yaml", f"--time-limit={limit}")

    assert said.code == 2
    assert f"--time-limit cannot be '{limit}'; write seconds" in said.err


def test_at_the_end_of_its_time_it_gives_the_best_with_its_gap(
    drystone: Drystone, tmp_path: Path
) -> None:
    hard(tmp_path / "edges.txt")

    told = json.loads(drystone("deps", "untangle", "--edges", "edges.txt", "-t", "1", "--json").out)

    assert not told["proven"]
    assert 0 < told["lower_bound"] < told["cost"]
    assert told["gap"] == pytest.approx(1 - told["lower_bound"] / told["cost"])


@pytest.mark.timeout(180)
def test_ctrl_c_gives_the_best_answer_so_far(tmp_path: Path) -> None:
    hard(tmp_path / "edges.txt")
    words = ["deps", "untangle", "--edges", "edges.txt", "-t", "1h", "--json"]
    # Says when the search has begun, so that the interrupt meets it.
    program = (
        "import sys, drystone.l05_graph.cut as cut; found = cut.cut_of\n"
        "def tell(*given):\n    print('begun', file=sys.stderr, flush=True)\n    return found(*given)\n"
        f"cut.cut_of = tell\n{PROGRAM}"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)

    told = json.loads(out)
    assert (process.returncode, told["stopped"]) == (0, True)
    assert told["cost"] >= told["lower_bound"]
    assert "stopped: this is the best answer so far" in err


def test_layers_are_a_cake_with_what_leads_upwards(drystone: Drystone) -> None:
    said = drystone("deps", "layers", "shop.yaml")

    lines = said.out.splitlines()
    assert lines[0] == (
        "A shop: 5 components, 6 dependencies; 4 layers, 1 dependency does not lead downwards, for 4"
    )
    assert lines[2:] == [
        "* decided in the model",
        "",
        "4  flags*",
        "3  shop*",
        "2  orders*, users*",
        "1  database*",
        "",
        "change orders → flags  costs 4  shop.yaml:10:29",
        "  why    from layer 2 it leads up to layer 4",
        "  do     remove or soften it, or decide other layers",
    ]


def test_decided_layers_that_contradict_each_other_are_told_with_the_path(
    drystone: Drystone, shop: Path
) -> None:
    fixed = "{strength: hard, can_change: false}"
    shop.write_text(
        f"components: {{a: {{layer: 1, needs: {{b: {fixed}}}}}, b: {{needs: {{c: {fixed}}}}}, c: {{layer: 1}}}}"
    )

    said = drystone("deps", "layers", "shop.yaml")

    assert said.out.endswith(
        "impossible a on layer 1\n"
        "  why    a → b → c\n"
        "  do     let it lie on layer 3 or above; nobody can change these\n"
    )


def test_heat_names_the_hottest_first(drystone: Drystone) -> None:
    said = drystone("deps", "heat", "shop.yaml")

    assert said.out.startswith("A shop: 2 dependencies in tangles, 1 in the cheapest cut\n")
    assert "  without orders → flags: no tangle is left\n" in said.out
    told = json.loads(drystone("deps", "heat", "shop.yaml", "--json").out)
    assert [one["in_cut"] for one in told["dependencies"]] == [True, False]


SM = """\
projects                      :  1
jobs (incl. supersource/sink ):  4
RESOURCES
  - renewable                 :  1   R
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          2           2   3
   2        1          1           4
   3        1          1           4
   4        1          0
REQUESTS/DURATIONS:
jobnr. mode duration  R 1
  1      1     0       0
  2      1     3       1
  3      1     2       1
  4      1     0       0
RESOURCEAVAILABILITIES:
  R 1
   1
"""


def test_a_project_is_scheduled_with_its_bounds(drystone: Drystone, tmp_path: Path) -> None:
    (tmp_path / "small.sm").write_text(SM)

    told = json.loads(drystone("deps", "schedule", "small.sm", "--json").out)
    said = drystone("deps", "schedule", "small.sm")

    assert (told["makespan"], told["lower_bound"], told["proven"]) == (5, 5, True)
    assert sorted(told["starts"]) in ([0, 0, 2, 5], [0, 0, 3, 5])
    assert said.out.startswith("small.sm: 4 activities, 1 resource; makespan 5\nnone is shorter")


@pytest.mark.parametrize("written", [b"", b"\xff\xfe", b"jobs: 3\n"])
def test_a_file_that_is_no_project_is_refused(
    drystone: Drystone, tmp_path: Path, written: bytes
) -> None:
    (tmp_path / "bad.sm").write_bytes(written)

    said = drystone("deps", "schedule", "bad.sm")

    assert (said.code, said.out) == (1, "")
    assert "bad.sm" in said.err
