"""What the edge answered, from the end of its log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from drystone.l85_surfaces.console.traffic import MOST_BYTES, WINDOW, counted, traffic

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def said(
    status: int | None = 200, took: int = 5, *, ago: float = 10, service: str = "a.dev"
) -> bytes:
    at = (NOW - timedelta(seconds=ago)).isoformat().replace("+00:00", "Z")
    return json.dumps(
        {"time": at, "service": service, "status": status, "duration_ms": took, "path": "/"}
    ).encode()


def test_errors_are_answers_of_5xx_and_requests_without_one() -> None:
    lines = [
        said(),
        said(404),
        said(500),
        said(503),
        said(0),
        said(None),
        said(500, service="b.dev"),
    ]

    found = counted(lines, "a.dev", NOW - WINDOW)

    assert (found.requests, found.errors) == (6, 4)


def test_what_is_older_than_the_window_does_not_count() -> None:
    lines = [said(ago=WINDOW.total_seconds() + 1), said()]

    assert counted(lines, "a.dev", NOW - WINDOW).requests == 1


@given(st.lists(st.integers(0, 60_000), min_size=1))
def test_the_parts_of_the_times_rise_and_are_times_that_were_taken(times: list[int]) -> None:
    found = counted([said(took=one) for one in times], "a.dev", NOW - WINDOW)

    assert found.p50 is not None
    assert found.p95 is not None
    assert found.p99 is not None
    assert found.p50 <= found.p95 <= found.p99
    assert {found.p50, found.p95, found.p99} <= {timedelta(milliseconds=one) for one in times}


@given(st.lists(st.binary()))
def test_lines_that_tell_nothing_are_left_out(lines: list[bytes]) -> None:
    assert counted(lines, "a.dev", NOW - WINDOW).requests == 0


def test_of_a_large_log_the_end_is_read_and_told_since_when(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    line = said(ago=200) + b"\n"
    log.write_bytes(line * (MOST_BYTES // len(line) + 10) + said(ago=3) + b"\n")

    found = traffic(log, "a.dev", NOW)

    assert found is not None
    assert found.since == NOW - timedelta(seconds=200)
    assert 0 < found.requests <= MOST_BYTES // len(line) + 1


def test_without_a_log_nobody_can_say(tmp_path: Path) -> None:
    assert traffic(tmp_path / "access.log", "a.dev", NOW) is None
