from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.testing.load import Failure, Outcome, Report, Span


def ms(number: float) -> timedelta:
    return timedelta(milliseconds=number)


def outcome(at: float, took: float = 1, **more: object) -> Outcome:
    return Outcome(at=ms(at), took=ms(took), reused=False, **more)  # type: ignore[arg-type]


def report(*outcomes: Outcome) -> Report:
    return Report(
        url="http://x/",
        rate=10,
        started=datetime(2030, 1, 1, tzinfo=UTC),
        outcomes=outcomes,
        idle_closed=0,
        behind=ms(0),
    )


@given(times=st.lists(st.integers(0, 10_000), min_size=1), percent=st.integers(1, 100))
def test_at_least_the_share_asked_for_lies_within_the_latency_and_less_before_it(
    times: list[int], percent: int
) -> None:
    latency = report(*(outcome(0, time) for time in times)).latency(percent / 100)

    assert latency is not None
    within = sum(ms(time) <= latency for time in times)
    before = sum(ms(time) < latency for time in times)
    assert before * 100 < percent * len(times) <= within * 100


def test_latency_speaks_of_good_answers_only() -> None:
    seen = report(outcome(0, 5), outcome(0, 10_000, failure=Failure.TIMEOUT))

    assert seen.latency(1) == ms(5)
    assert report(outcome(0, failure=Failure.CLOSED)).latency(0.5) is None


@pytest.mark.parametrize("share", [0, -1, 1.1, float("nan")])
def test_a_share_outside_the_whole_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        report().latency(share)


def test_failing_statuses_are_kinds_of_their_own() -> None:
    seen = report(
        outcome(1, status=503, failure=Failure.STATUS),
        outcome(2, status=503, failure=Failure.STATUS),
        outcome(3, status=404, failure=Failure.STATUS),
        outcome(4, failure=Failure.RESET),
        outcome(5, status=200),
    )

    assert seen.failures() == {"status 503": 2, "status 404": 1, "reset": 1}
    assert [failed.at for failed in seen.failed] == [ms(1), ms(2), ms(3), ms(4)]


def test_a_version_is_seen_from_its_first_to_its_last_answer() -> None:
    seen = report(
        outcome(0, 2, version="1"),
        outcome(10, 500, version="1"),  # a long request that the old version still answers
        outcome(20, 2, version="1"),
        outcome(30, 3, version="2"),
        outcome(40, 3, version=None, failure=Failure.CONNECT),
    )

    assert seen.versions() == {
        "1": Span(3, ms(2), ms(510), ms(20)),
        "2": Span(1, ms(33), ms(33), ms(30)),
    }
    assert list(seen.versions()) == ["1", "2"]


def test_the_summary_is_json_and_the_text_names_the_failures() -> None:
    seen = report(
        outcome(1500, version="2", status=200),
        outcome(2500, failure=Failure.RESET, detail="by peer"),
    )

    assert json.loads(json.dumps(seen.summary()))["failed_at"] == [
        {"at": 2.5, "kind": "reset", "detail": "by peer", "reused": False, "version": None}
    ]
    assert "2 requests at 10/s to http://x/: 1 failed" in seen.text()
    assert "at 2.500 s: reset by peer" in seen.text()
