from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.forms.sm import read_sm
from drystone.l05_graph.project import ProjectInvalid
from drystone.l05_graph.schedule import schedule

SMALL = """\
************************************************************************
file with basedata            : small.bas
initial value random generator: 1
************************************************************************
projects                      :  1
jobs (incl. supersource/sink ):  5
horizon                       :  10
RESOURCES
  - renewable                 :  2   R
  - nonrenewable              :  0   N
  - doubly constrained        :  0   D
************************************************************************
PROJECT INFORMATION:
pronr.  #jobs rel.date duedate tardcost  MPM-Time
    1      3      0       10       1       10
************************************************************************
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          3           2   3   4
   2        1          1           5
   3        1          1           5
   4        1          1           5
   5        1          0
************************************************************************
REQUESTS/DURATIONS:
jobnr. mode duration  R 1  R 2
------------------------------------------------------------------------
  1      1     0       0    0
  2      1     3       2    0
  3      1     4       1    1
  4      1     2       1    0
  5      1     0       0    0
************************************************************************
RESOURCEAVAILABILITIES:
  R 1  R 2
    2    1
************************************************************************
"""


def test_every_section_is_read() -> None:
    project = read_sm(SMALL)
    assert project.durations == [0, 3, 4, 2, 0]
    assert [list(every) for every in project.after] == [[], [0], [0], [0], [1, 2, 3]]
    assert project.demands == [[0, 0], [2, 0], [1, 1], [1, 0], [0, 0]]
    assert project.capacities == [2, 1]
    assert schedule(project, timedelta(minutes=1)).makespan == 7


@pytest.mark.parametrize(
    "other",
    [
        SMALL.replace("  ", "\t"),
        SMALL.replace("\n", "\r\n"),
        SMALL.lower(),
        SMALL.replace(":", " :"),
        SMALL.replace(
            "************************************************************************\n", ""
        ),
        SMALL.replace("\n", "   \n\n"),
    ],
)
def test_spaces_capitals_and_lines_between_do_not_matter(other: str) -> None:
    assert read_sm(other) == read_sm(SMALL)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("   2        1          1           5\n", "   2        1          2           5\n", "x.sm:20: 2 successors are announced and 1 are there"),
        ("   2        1          1           5\n", "", "1 of 5 jobs have no line of successors, the first is 2"),
        ("   2        1          1           5\n", "   2        1          1           9\n", "x.sm:20: job 2 has the successor 9"),
        ("   2        1          1           5\n", "   2        3          1           5\n", "x.sm:20: job 2 has 3 modes; only single-mode"),
        ("   2        1          1           5\n", "   2        1          2           5 1\n", "come after each other"),
        ("   2        1          1           5\n", "   1        1          1           5\n", "x.sm:20: the successors of job 1 are there twice"),
        ("  4      1     2       1    0\n", "  4      1     2       1\n", "x.sm:31: 4 numbers are there; write: job, mode, duration, 2 demands"),
        ("  4      1     2       1    0\n", "  4      1    -2       1    0\n", "x.sm:31: '4      1    -2       1    0' has something that is no whole number"),
        ("  4      1     2       1    0\n", "  4      2     2       1    0\n", "x.sm:31: job 4 has a mode 2"),
        ("  4      1     2       1    0\n", "  3      1     2       1    0\n", "x.sm:31: the duration of job 3 is there twice"),
        ("  4      1     2       1    0\n", "  4      1     2       7    0\n", "activity 3 asks for 7 of resource 0"),
        ("    2    1\n", "", "the section RESOURCEAVAILABILITIES is missing"),
        ("    2    1\n", "    2\n", "there are 1 capacities of 2 resources"),
        ("    2    1\n", "    2    1\n    2    1\n", "x.sm:37: the capacities are there twice"),
        ("sink ):  5", "sink ):  five", "x.sm:6: say how many jobs there are"),
        ("sink ):  5", "sink ):  99999999999999999999", "x.sm:6: say how many jobs there are, at most 1000000"),
        ("sink ):  5", "sink ):  4", "job 5 is there, and there are 4 jobs"),
        ("nonrenewable              :  0", "nonrenewable              :  2", "x.sm:10: there are 2 nonrenewable resources"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_refused_with_its_line(old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(ProjectInvalid) as caught:
        read_sm(SMALL.replace(old, new, 1), "x.sm")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "jobs", "\x00\xff", "PRECEDENCE RELATIONS:\n1 1"])
def test_what_is_no_project_is_refused(text: str) -> None:
    with pytest.raises(ProjectInvalid, match="nothing says how many jobs there are"):
        read_sm(text)


@given(st.data())
def test_no_cut_and_no_stray_letter_gives_anything_but_a_project_or_a_clear_refusal(
    data: st.DataObject,
) -> None:
    at = data.draw(st.integers(0, len(SMALL)))
    letter = data.draw(st.characters(codec="utf-8"))
    for text in (SMALL[:at], SMALL[:at] + letter + SMALL[at:]):
        with suppress(ProjectInvalid):
            assert len(read_sm(text).durations) == 5
