from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.static_files.conditions import (
    Span,
    Unsatisfiable,
    accepted_encodings,
    matches,
    requested_span,
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=2-", Span(2, 10)),
        ("bytes=2-99", Span(2, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-99", Span(0, 10)),
        ("bytes=-0", Unsatisfiable()),
        ("bytes=10-", Unsatisfiable()),
        ("bytes=5-2", None),
        ("bytes=0-1,4-5", None),
        ("lines=1-2", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
    ],
)
def test_a_range_is_read_as_the_rfc_says(header: str | None, expected: object) -> None:
    assert requested_span(header, 10) == expected


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d{0,4}-\d{0,4}"), st.integers(0, 2000))
def test_no_range_ever_leaves_the_file(header: str, size: int) -> None:
    span = requested_span(header, size)
    if isinstance(span, Span):
        assert 0 <= span.start < span.stop <= size


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip, br", ("br", "gzip")),
        ("gzip;q=0.5", ("gzip",)),
        ("br;q=0, gzip", ("gzip",)),
        ("*", ("br", "gzip")),
        ("*, br; q=0.0", ("gzip",)),
        ("identity", ()),
        (None, ()),
        ("GZIP", ("gzip",)),
    ],
)
def test_encodings_are_chosen_among_those_the_client_accepts(
    header: str | None, expected: tuple[str, ...]
) -> None:
    assert accepted_encodings(header) == expected


def test_an_entity_tag_matches_weakly_in_a_list_and_by_a_star() -> None:
    assert matches('"a", W/"b"', '"b"')
    assert matches("*", '"b"')
    assert not matches('"a"', '"b"')
    assert not matches(None, '"b"')
