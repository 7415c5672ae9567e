from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.api import (
    CanaryView,
    LogRecord,
    PlanChange,
    PlanView,
    ServiceSummary,
    ServiceView,
)
from drystone.l50_orchestrator.releases.api import RolloutView
from drystone.l85_surfaces.cli.commands.logs import LogPage
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.plan import plan
from drystone.l85_surfaces.cli.views.releases import _rollout
from drystone.l85_surfaces.cli.views.services import service, services
from drystone.l85_surfaces.cli.views.tables import GAP, table
from drystone.l85_surfaces.cli.views.times import age, taken
from drystone.l85_surfaces.cli.watching import changes

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
ROWS = st.integers(1, 5).flatmap(
    lambda columns: st.lists(st.tuples(*[WORDS] * columns), min_size=1, max_size=6)
)


@given(ROWS)
def test_a_table_without_a_width_holds_every_word_at_its_column(
    rows: list[tuple[str, ...]],
) -> None:
    headings = [f"h{i}" for i in range(len(rows[0]))]

    first, *lines = table(headings, rows)

    starts = [first.index(heading.upper()) for heading in headings]
    for row, line in zip(rows, lines, strict=True):
        assert [line[at : at + len(word)] for at, word in zip(starts, row, strict=True)] == list(
            row
        )


@given(ROWS, st.integers(40, 80))
def test_a_table_shortens_all_but_the_last_column_to_fit(
    rows: list[tuple[str, ...]], width: int
) -> None:
    headings = [f"h{i}" for i in range(len(rows[0]))]

    lines = list(table(headings, rows, width=width))[1:]

    for row, line in zip(rows, lines, strict=True):
        assert line.endswith(row[-1])
        smallest = sum(6 + len(GAP) for _ in row[:-1]) + max(len(r[-1]) for r in rows)
        assert len(line) <= max(width, smallest)


def test_colours_do_not_move_columns() -> None:
    rows = [(Piece("a", Style.GOOD), "x"), (Piece("long", Style.BAD), "y")]

    plain = list(table(("one", "two"), rows))
    coloured = list(table(("one", "two"), rows, paint=Paint(colour=True)))

    assert coloured[1] == "\x1b[32ma\x1b[0m     x"
    assert plain[1:] == ["a     x", "long  y"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0.00 s"),
        (0.314, "0.31 s"),
        (9.996, "10.0 s"),
        (59.96, "1 m 00 s"),
        (125, "2 m 05 s"),
    ],
)
def test_durations_read_at_a_glance(seconds: float | None, text: str) -> None:
    assert taken(seconds) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [(-5, "0 s"), (59, "59 s"), (119, "119 s"), (120, "2 m"), (7200, "2 h"), (3 * 86400, "3 d")],
)
def test_ages_have_one_unit(ago: int, text: str) -> None:
    assert age(NOW - timedelta(seconds=ago), NOW) == text


def test_what_never_began_has_no_age() -> None:
    assert age(None, NOW) == "-"


def test_an_empty_plan_says_so_in_one_line() -> None:
    view = PlanView("orders", "dev", "service.yaml", [], [], [], [], [], "processes")

    assert next(plan(view)) == "orders in dev: nothing to change  (service.yaml)"


def test_long_values_of_a_plan_are_shortened() -> None:
    change = PlanChange("route", "note", "change", "a" * 500, "b" * 500)
    view = PlanView("orders", "dev", "service.yaml", [change], [], [], [], [], "processes")

    assert max(map(len, plan(view))) < 160


def test_lines_of_one_instance_have_no_prefix_until_another_appears() -> None:
    page = LogPage(["a"], PLAIN)

    lines = [page.line(LogRecord(i, 1, "hello")) for i in ("a", "longer", "a")]

    assert lines == ["hello", "longer | hello", "a      | hello"]


def test_a_change_is_told_once_with_what_was_before() -> None:
    before = {"proxy": "running", "orders in dev": "serving 1", "old in dev": "serving 3"}
    now = {"proxy": "running", "orders in dev": "degraded 1", "new in dev": "deploying"}

    assert list(changes(before, now, paint=PLAIN)) == [
        "orders in dev  serving 1 → degraded 1",
        "new in dev  deploying",
        "old in dev  serving 3 → gone",
    ]


def test_the_list_of_services_shows_the_share_of_what_is_held() -> None:
    one = ServiceSummary("orders", "dev", "shop", "serving", "1", 6, "1/1", None, 0.05)
    assert "1, 5% held" in "\n".join(services([one]))


def test_what_is_held_is_shown_with_its_share() -> None:
    summary = ServiceSummary("orders", "dev", "shop", "serving", "1", 6, "1/1", None)
    held = CanaryView(7, "k1", 0.125, "user", "x-release", NOW)
    view = ServiceView(summary, [], [], [], [], None, "processes", [], canary=held)

    said = "\n".join(service(view, now=NOW))

    assert "release 7 with 12.5 % of the requests, by user; 'x-release' chooses" in " ".join(
        said.split()
    )


def test_a_rollout_by_users_says_so_and_what_is_not_measured_and_what_went_wrong() -> None:
    rollout = RolloutView(
        phase="rolled-back",
        share=0.0,
        step=1,
        steps=2,
        verdict="bad",
        why="proven bad by errors",
        alarm=4.6,
        proof=3.0,
        turns=[],
        curve=[],
        examples=["12:00:00 GET /cart answered 500 after 12 ms, user ~3f2a"],
        counted={"errors": (3, 3, 0, 97)},
        by="user",
        unmeasured={"dependency-errors": "both releases share a sidecar"},
    )
    said = "\n".join(_rollout(rollout, PLAIN))
    assert "errors, by user" in said
    assert "not measured  dependency-errors: both releases share a sidecar" in said
    assert "GET /cart answered 500 after 12 ms, user ~3f2a" in " ".join(said.split())
