"""Which names services may have, which are taken for each other, and when one is free again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l50_orchestrator.registry.errors import NameRefused
from drystone.l50_orchestrator.registry.names import (
    HELD,
    RESERVED,
    Holding,
    Neighbour,
    check_form,
    is_counted_apart,
    is_near,
    looks_like,
    skeleton,
)

NOW = datetime(2026, 5, 1, tzinfo=UTC)
NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)
LETTERS = st.text("abcdrnmvwl015-", max_size=8)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "no name"),
        ("Orders", "no name"),
        ("9orders", "no name"),
        ("orders-", "no name"),
        ("orders_db", "no name"),
        ("o" * 41, "no name"),
        ("prod/orders", "no name"),
        ("orders\n", r"orders\\x0a"),
        ("\N{CYRILLIC SMALL LETTER A}pple", "CYRILLIC SMALL LETTER A"),
        ("orders\u202e", r"\\u202e"),
        ("'; DROP TABLE registry_service; --", "no name"),
        ("www", "reserved"),
        ("drystone", "reserved"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(NameRefused, match=why):
        check_form(name)


@given(NAMES)
def test_every_other_name_may_be(name: str) -> None:
    if name not in RESERVED:
        check_form(name)


@given(LETTERS)
def test_a_skeleton_is_its_own(name: str) -> None:
    assert skeleton(skeleton(name)) == skeleton(name)


@given(NAMES, st.data())
def test_marks_and_case_do_not_change_a_skeleton(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name)))
    mark = data.draw(st.sampled_from("-_"))
    assert skeleton((name[:at] + mark + name[at:]).upper()) == skeleton(name)


@given(LETTERS, LETTERS)
def test_nearness_is_an_edit_distance_of_at_most_one(one: str, other: str) -> None:
    assert is_near(one, other) == (_distance(one, other) <= 1)
    assert is_near(one, other) == is_near(other, one)


def _distance(a: str, b: str) -> int:
    """Optimal string alignment distance, by its definition (Boytsov 2011, section 2.2)."""
    rows = {(-1, -1): 0}
    rows |= {(i, -1): i + 1 for i in range(len(a))} | {(-1, j): j + 1 for j in range(len(b))}
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            best = min(rows[i - 1, j] + 1, rows[i, j - 1] + 1, rows[i - 1, j - 1] + (x != y))
            if i and j and x == b[j - 1] and a[i - 1] == y:
                best = min(best, rows[i - 2, j - 2] + 1)
            rows[i, j] = best
    return rows[len(a) - 1, len(b) - 1]


@pytest.mark.parametrize(
    ("name", "tier", "alike"),
    [
        ("pay-ments", 3, True),
        ("payrnents", 3, True),
        ("paymentz", 3, False),
        ("paymentz", 1, True),
        ("paymnets", 0, True),
        ("paymentzz", 0, False),
        ("paymentz", None, False),
    ],
)
def test_a_name_is_taken_for_a_critical_one_sooner(
    name: str, tier: int | None, *, alike: bool
) -> None:
    other = Neighbour("payments", "money", tier)
    assert looks_like(name, [other]) == (other if alike else None)


DAYS = st.integers(0, 400).map(timedelta)
MOMENTS = st.none() | DAYS.map(lambda days: NOW + days)


HOLDINGS = st.builds(Holding, DAYS.map(lambda days: NOW + days), MOMENTS, MOMENTS, MOMENTS)


@given(HOLDINGS, DAYS, DAYS)
def test_a_name_that_became_free_stays_free(
    holding: Holding, first: timedelta, more: timedelta
) -> None:
    assert holding.is_free(NOW + first + more) or not holding.is_free(NOW + first)


def test_a_name_is_held_while_its_service_runs_and_ninety_days_longer() -> None:
    assert Holding(NOW, ran=NOW).free_from is None
    assert Holding(NOW).free_from == NOW + HELD
    later = NOW + timedelta(300)
    assert Holding(NOW, ran=NOW, gone=later).free_from == later + HELD
    assert Holding(NOW, retired=later).free_from == later + HELD
    assert not Holding(NOW, ran=NOW, gone=later).is_free(later + HELD - timedelta(seconds=1))
    assert Holding(NOW, ran=NOW, gone=later).is_free(later + HELD)


@pytest.mark.parametrize(
    ("name", "other", "is_taken_for"),
    [
        ("svc-2", "svc-1", False),
        ("svc-11", "svc-1", False),
        ("worker10", "worker11", False),
        ("svc-l", "svc-1", True),
        ("svc-01", "svc-1", True),
        ("svc-1o", "svc-10", True),
        ("payments2", "payments", True),
        ("paymemts-1", "payments-2", False),
        ("paymemts-1", "payments-1", True),
        ("payrnents-2", "payments-2", True),
    ],
)
def test_numbers_at_the_end_tell_names_apart_and_nothing_else_does(
    name: str, other: str, *, is_taken_for: bool
) -> None:
    critical = Neighbour(other, "commerce", 0)
    assert (looks_like(name, [critical]) is not None) is is_taken_for


@given(NAMES, st.integers(0, 999), st.integers(0, 999))
def test_counted_names_are_apart_exactly_where_their_numbers_are(
    name: str, one: int, other: int
) -> None:
    base = name.rstrip("0123456789-") + "-"
    assert is_counted_apart(f"{base}{one}", f"{base}{other}") is (one != other)
    assert not is_counted_apart(f"{base}{one}", base.rstrip("-"))
