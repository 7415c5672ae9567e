"""Merging three texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drystone.l85_surfaces.templates.merging import is_open, merge

LINES = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=12)
TEXTS = st.builds(
    lambda lines, ends: "\n".join(lines) + ("\n" if ends and lines else ""), LINES, st.booleans()
)


@given(TEXTS, TEXTS)
def test_what_one_side_left_alone_is_the_others(base: str, other: str) -> None:
    assert merge(base, other, base).text == other
    assert merge(base, base, other).text == other
    assert merge(base, other, other).text == other


@given(TEXTS, TEXTS, TEXTS)
def test_sides_change_places_and_only_the_marks_do_too(base: str, ours: str, theirs: str) -> None:
    one, two = merge(base, ours, theirs), merge(base, theirs, ours)
    assert one.conflicts == two.conflicts
    if not one.conflicts:
        assert one.text == two.text


@given(TEXTS, TEXTS, TEXTS)
def test_no_line_that_somebody_wrote_is_lost(base: str, ours: str, theirs: str) -> None:
    merged = merge(base, ours, theirs).text.splitlines()
    for text in (ours, theirs):
        for line in set(text.splitlines()) - set(base.splitlines()):
            assert line in merged


@given(TEXTS, TEXTS, TEXTS)
def test_a_conflict_is_marked_and_only_that(base: str, ours: str, theirs: str) -> None:
    found = merge(base, ours, theirs)
    assert is_open(found.text) == (found.conflicts > 0)
    assert found.text.count("<<<<<<<") == found.text.count(">>>>>>>") == found.conflicts


def test_changes_at_different_places_are_both_there() -> None:
    base = "one\ntwo\nthree\nfour\n"
    found = merge(base, base.replace("one", "ONE"), base.replace("four", "FOUR"))
    assert (found.text, found.conflicts) == ("ONE\ntwo\nthree\nFOUR\n", 0)


def test_changes_of_the_same_line_stand_between_marks() -> None:
    found = merge("a\nb\nc", "a\nx\nc", "a\ny\nc", our_name="yours", their_name="version 2")
    assert found.text == "a\n<<<<<<< yours\nx\n=======\ny\n>>>>>>> version 2\nc"
