from __future__ import annotations

import contextlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.errors import Mistake, ModelInvalid
from drystone.l05_graph.forms.edge_list import LONGEST_LINE, read_edge_list, read_edge_stream


def edges(text: str) -> list[tuple[str, str, float]]:
    graph = read_edge_list(text.splitlines(keepends=True)).graph
    ends = zip(graph.source.tolist(), graph.target.tolist(), graph.cost.tolist(), strict=True)
    return [(graph.names[source], graph.names[target], cost) for source, target, cost in ends]


def test_tabs_spaces_and_commas_part_and_comments_and_blank_lines_are_passed_over() -> None:
    text = "# a graph\n% of three\n\na b\nb\tc\t2.5\r\nc, a, 3\n   \n"
    assert edges(text) == [("a", "b", 1.0), ("b", "c", 2.5), ("c", "a", 3.0)]


def test_parallel_edges_become_one_and_loops_are_skipped_and_both_are_told() -> None:
    found = read_edge_list(["a b 2", "a a", "a b 3", "b a"])
    assert found.graph.cost.tolist() == [5.0, 1.0]
    assert (found.parallel, found.loops, found.loop_lines) == (1, 1, (2,))
    assert "line 2" in " ".join(found.notes())


def test_every_line_that_is_no_edge_is_told_with_its_place() -> None:
    with pytest.raises(ModelInvalid) as raised:
        read_edge_list(["a b", "a", "a b c d", "a b -1", "a b nan", "a b x", "a b inf"], "g.txt")
    places = [mistake.place for mistake in raised.value.mistakes]
    assert places == [f"g.txt:{line}" for line in range(2, 8)]


def test_only_the_first_mistakes_are_shown_and_the_others_counted() -> None:
    with pytest.raises(ModelInvalid) as raised:
        read_edge_list(["a"] * 100)
    assert len(raised.value.mistakes) == 21
    assert "80 more" in str(raised.value) or "80 more" in raised.value.mistakes[-1].message


def test_a_line_without_end_is_refused_and_not_repeated() -> None:
    with pytest.raises(ModelInvalid) as raised:
        read_edge_list(["x" * (LONGEST_LINE + 1) + " b"])
    assert len(str(raised.value)) < 200


@given(st.lists(st.text(max_size=30), max_size=10))
def test_whatever_is_in_the_file_is_read_or_refused_by_line(lines: list[str]) -> None:
    mistakes: tuple[Mistake, ...] = ()
    try:
        assert read_edge_list(lines).lines == len(lines)
    except ModelInvalid as refused:
        mistakes = refused.mistakes
    assert all(mistake.place.startswith("edges:") for mistake in mistakes)


def many(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"n{number % 997} n{number % 991} 2\n"


def test_a_long_file_is_read_as_a_stream() -> None:
    found = read_edge_list(many(50_000))
    assert found.lines == 50_000
    assert found.graph.cost.sum() == 2 * (50_000 - found.loops)


LINES = [
    "a b",
    "b c 2.5",
    "c,a,1",
    "a a 3",
    "# no edge",
    "",
    "a",
    "b a -1",
    "d\te 1e3\r",
    "ä b",
    "x y z",
]


@given(st.lists(st.sampled_from(LINES)), st.integers(1, 40), st.booleans())
def test_blocks_say_what_lines_say(lines: list[str], size: int, ends: bool) -> None:
    text = "\n".join(lines) + "\n" * ends

    def said(read: Iterator[str] | BytesIO) -> object:
        try:
            found = (
                read_edge_stream(read, block_size=size)
                if isinstance(read, BytesIO)
                else read_edge_list(read)
            )
        except ModelInvalid as refused:
            return refused.mistakes
        graph = found.graph
        edges = np.stack((graph.source, graph.target, graph.cost)).tolist()
        return list(graph.names), edges, found.lines, found.notes()

    by_line = iter(text.removesuffix("\n").split("\n") if text else [])
    assert said(BytesIO(text.encode())) == said(by_line)


@given(st.binary(max_size=60), st.integers(1, 60))
def test_whatever_bytes_there_are_are_read_or_refused(data: bytes, size: int) -> None:
    most = data.count(b"\n") + data.count(b"\r") + 1
    lines = 0
    with contextlib.suppress(ModelInvalid, UnicodeDecodeError):
        lines = read_edge_stream(BytesIO(data), block_size=size).lines
    assert lines <= most


def test_a_long_file_is_read_by_blocks() -> None:
    by_line = read_edge_list(many(50_000))
    by_block = read_edge_stream(BytesIO("".join(many(50_000)).encode()), block_size=1000)
    assert by_block.graph.names == by_line.graph.names
    assert np.array_equal(by_block.graph.cost, by_line.graph.cost)
    assert by_block.notes() == by_line.notes()


def test_a_line_without_end_takes_no_memory() -> None:
    data = b"a b\n" + b"x" * (20 * LONGEST_LINE) + b"\nb c\n"
    with pytest.raises(ModelInvalid) as raised:
        read_edge_stream(BytesIO(data), block_size=100)
    (mistake,) = raised.value.mistakes
    assert mistake.place == "edges:2"
