from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.backups.domain import (
    NEVER_REMOVED,
    Manifest,
    Reason,
    is_due,
    latest,
    new_id,
    outlived,
)
from drystone.l25_deployer.local.resources.copies import Measure, differences

NOW = datetime(2026, 5, 4, tzinfo=UTC)
HOURS = st.integers(0, 2000)
REASONS: st.SearchStrategy[Reason] = st.sampled_from(("asked", "scheduled", "final", "platform"))


def manifest(hours: int, reason: Reason = "scheduled", number: int = 0) -> Manifest:
    return Manifest(
        id=f"{hours:05}-{number}",
        type="postgres",
        environment="dev",
        service="shop",
        resource="db",
        reason=reason,
        by="tester",
        at=NOW - timedelta(hours=hours),
    )


KEPT = st.lists(st.tuples(HOURS, REASONS), max_size=20).map(
    lambda found: [manifest(hours, reason, n) for n, (hours, reason) in enumerate(found)]
)


@given(KEPT, HOURS)
def test_retention_never_takes_the_latest_nor_what_nobody_can_make_again(
    kept: list[Manifest], keep: int
) -> None:
    gone = outlived(kept, keep=timedelta(hours=keep), now=NOW)

    assert latest(kept) not in gone
    assert not any(one.reason in NEVER_REMOVED for one in gone)
    assert all(one.at < NOW - timedelta(hours=keep) for one in gone)


@given(KEPT, HOURS)
def test_what_retention_leaves_is_left_when_it_is_asked_again(
    kept: list[Manifest], keep: int
) -> None:
    gone = outlived(kept, keep=timedelta(hours=keep), now=NOW)
    left = [one for one in kept if one not in gone]

    assert outlived(left, keep=timedelta(hours=keep), now=NOW) == []


def test_a_backup_that_somebody_needs_outlives_its_time() -> None:
    kept = [manifest(100), manifest(1)]

    assert outlived(kept, keep=timedelta(hours=10), now=NOW) == [kept[0]]
    assert outlived(kept, keep=timedelta(hours=10), now=NOW, used=frozenset({kept[0].id})) == []


def test_ids_sort_by_age() -> None:
    assert new_id(NOW) < new_id(NOW + timedelta(seconds=1)) < new_id(NOW + timedelta(days=40))


def test_what_was_never_done_is_due_and_a_clock_that_was_set_back_does_not_postpone_it() -> None:
    day = timedelta(days=1)

    assert is_due(None, day, NOW)
    assert not is_due(NOW - day / 2, day, NOW)
    assert is_due(NOW - day, day, NOW)
    assert is_due(NOW + 2 * day, day, NOW)


def test_differences_name_the_part_and_both_counts() -> None:
    expected = {"a": Measure(1, "x"), "b": Measure(2, "y"), "c": Measure(3, "z")}
    found = {"a": Measure(1, "x"), "b": Measure(3, "y"), "d": Measure(0, "")}

    assert differences(expected, found) == [
        "b: 2 and 3",
        "c: is missing",
        "d: should not be there",
    ]
    assert differences({"a": Measure(1, "x")}, {"a": Measure(1, "y")}) == ["a: other values"]
