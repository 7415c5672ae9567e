from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.runtimes.log_lines import LineSplitter, LogLine, safe_text


def split(pieces: list[bytes], longest: int = 1000) -> list[LogLine]:
    splitter = LineSplitter(0, longest)
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    rest = splitter.rest()
    return lines if rest is None else [*lines, rest]


@given(st.lists(st.binary(max_size=40)), st.integers(1, 50))
def test_the_borders_of_the_pieces_do_not_matter(pieces: list[bytes], longest: int) -> None:
    assert split(pieces, longest) == split([b"".join(pieces)], longest)


@given(st.binary())
def test_lines_cover_everything_once(content: bytes) -> None:
    lines = split([content])
    borders = [0, *(line.end for line in lines)]
    assert [line.offset for line in lines] == borders[:-1]
    assert borders[-1] == len(content)
    assert all(line.is_complete for line in lines[:-1])


@given(st.binary() | st.text().map(str.encode))
def test_nothing_that_is_written_can_make_a_terminal_act(content: bytes) -> None:
    text = safe_text(content)
    kinds = {unicodedata.category(character) for character in text if character != "\t"}
    assert not kinds & {"Cc", "Zl", "Zp"}
    overrides = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not {unicodedata.bidirectional(character) for character in text} & overrides


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=50))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe_text(text.encode()) == text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b[2Jcleared", "\\x1b[2Jcleared"),
        (b"\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        (b"honest\rforged", "honest\\x0dforged"),
        (b"windows\r", "windows"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("\u009b2J".encode(), "\\x9b2J"),
        ("user\u202egnp.exe".encode(), "user\\u202egnp.exe"),
        (b"a\tb", "a\tb"),
        (b"nul\x00", "nul\\x00"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(raw: bytes, shown: str) -> None:
    assert safe_text(raw) == shown


def test_a_line_without_end_is_cut_with_a_mark_and_keeps_its_place() -> None:
    first, second = split([b"x" * 70] * 3 + [b"\nnext\n"], longest=100)
    assert first == LogLine(0, 211, "x" * 100 + " … cut 110 bytes")
    assert second == LogLine(211, 216, "next")
