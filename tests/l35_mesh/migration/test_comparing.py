"""What differs between two answers, and what a report may show."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l35_mesh.migration import tally
from drystone.l35_mesh.migration.comparing import (
    MOST_DIFFERENCES,
    Ignored,
    Reply,
    differences,
    read_ignored,
    shown,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NOTHING = Ignored()
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def said(document: object, **headers: str) -> Reply:
    return Reply(
        200, {"content-type": "application/json", **headers}, json.dumps(document).encode()
    )


@given(documents, documents)
def test_both_sides_are_judged_alike(one: object, other: object) -> None:
    assert differences(said(one), said(one), NOTHING) == []
    there = differences(said(one), said(other), NOTHING)
    assert len(there) <= MOST_DIFFERENCES
    assert bool(there) == bool(differences(said(other), said(one), NOTHING))


@given(st.dictionaries(st.text(max_size=8), documents, max_size=5), st.randoms())
def test_the_order_of_members_and_spaces_say_nothing(
    document: dict[str, object], chance: object
) -> None:
    names = list(document)
    chance.shuffle(names)  # type: ignore[attr-defined]
    other = json.dumps({name: document[name] for name in names}, indent=2).encode()
    there = Reply(200, {"content-type": "application/json; charset=utf-8"}, other)
    found = differences(
        said(document, **{"content-type": "application/json;charset=UTF-8"}), there, NOTHING
    )
    assert found == []


@given(documents, documents, documents)
def test_what_is_ignored_may_be_anything(rest: object, one: object, other: object) -> None:
    ignored = read_ignored(("/items/*/at", "/a~1b"))
    here = said({"rest": rest, "a/b": one, "items": [{"at": one}, {"at": other}]})
    there = said({"rest": rest, "a/b": other, "items": [{}, {"at": one}]})
    assert differences(here, there, ignored) == []


@given(st.text(), st.text())
def test_a_report_holds_no_value(secret: str, other: str) -> None:
    here, there = said({"token": f"s3cr3t{secret}"}), said({"token": f"0th3r{other}"})
    assert differences(here, there, NOTHING) == ["body /token: differs"]


@pytest.mark.parametrize(
    ("here", "there", "found"),
    [
        (said(1), said(1.0), []),
        (said(1), said(True), ["body /: number here, truth value there"]),
        (said({"a": 1}), said({"a": None}), ["body /a: number here, null there"]),
        (said({"a": 1}), said({}), ["body /a: only here"]),
        (said([1]), said([1, 2]), ["body /: another number of items"]),
        (said([{"id": 1}]), said([{"id": 2}]), ["body /*/id: differs"]),
        (said({"mail@example": 1}), said({}), ["body /*: only here"]),
        (said({}, date="1"), said({}, date="2"), []),
        (said({}, location="/A"), said({}, location="/a"), ["header location"]),
        (Reply(200, {}, b"x"), Reply(500, {}, b"x"), ["status 200 here, 500 there"]),
        (Reply(200, {}, b"x"), Reply(200, {}, b"y"), ["body /: differs"]),
        (Reply(200, {}, b"x"), Reply(200, {}, b"x", is_whole=False), ["body /: differs"]),
    ],
)
def test_what_differs_is_named(here: Reply, there: Reply, found: list[str]) -> None:
    assert differences(here, there, NOTHING) == found


def test_a_document_that_is_too_deep_or_broken_is_compared_by_its_bytes() -> None:
    kind = {"content-type": "application/json"}
    for body in (b"[" * 100_000, b"{", b"\xff"):
        assert differences(Reply(200, kind, body), Reply(200, kind, body), NOTHING) == []
        assert differences(Reply(200, kind, body), Reply(200, kind, body + b"]"), NOTHING) != []


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/", "/"),
        ("/v1/orders/12/items", "/v1/orders/12/items"),
        ("/orders/4711aa/reset?token=abc&page=2", "/orders/*/reset?page&token"),
        ("/people/ada%40example.com", "/people/*"),
        ("/" + "a" * 40, "/*"),
        ("/?x1=secret", "/?*"),
    ],
)
def test_a_path_is_shown_without_what_could_be_secret(target: str, told: str) -> None:
    assert shown(target) == told


@given(st.text(max_size=400))
def test_any_path_can_be_shown(target: str) -> None:
    assert len(shown(target)) <= 200


def test_a_tally_is_bounded_and_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "compared.json"
    assert tally.read(path) is None
    counts = tally.Tally(NOW)
    for number in range(100):
        counts.different(NOW, "GET", f"/{number}", ["header vary"])
        counts.left_out(f"reason {number}")
    counts.different(NOW, "GET", "/7", ["header vary"])
    counts.same(NOW + timedelta(seconds=1))
    tally.write(path, counts.so_far)
    again = tally.Tally(NOW + timedelta(days=1), tally.read(path))
    assert again.so_far == counts.so_far
    again.different(NOW, "GET", "/7", ["header vary"])
    found = again.so_far
    assert (found.since, found.same, found.different) == (NOW, 1, 102)
    assert len(found.examples) == tally.MOST_EXAMPLES
    assert len(found.left_out) == tally.MOST_REASONS
    assert (found.examples[0].path, found.examples[0].count) == ("/7", 3)
    path.write_text("{")
    assert tally.read(path) is None
