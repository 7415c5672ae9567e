from __future__ import annotations

import gzip
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.forms.edge_list import LONGEST_LINE, EdgeList, read_edge_stream


def read(text: str | bytes, block_size: int = 1 << 20, name: str = "edges") -> EdgeList:
    data = text.encode() if isinstance(text, str) else text
    return read_edge_stream(BytesIO(data), name, block_size=block_size)


def mistakes(text: str | bytes, block_size: int = 1 << 20) -> list[str]:
    with pytest.raises(ModelInvalid) as raised:
        read(text, block_size)
    return [mistake.sentence() for mistake in raised.value.mistakes]


def edges(found: EdgeList) -> list[tuple[str, str, float]]:
    graph = found.graph
    ends = zip(graph.source.tolist(), graph.target.tolist(), graph.cost.tolist(), strict=True)
    return [(graph.names[source], graph.names[target], cost) for source, target, cost in ends]


def test_tabs_spaces_and_commas_part_and_comments_and_blank_lines_are_passed_over() -> None:
    text = "# a graph\n% of three\n\na b\nb\tc\t2.5\r\nc, a, 3\n   \n"
    assert edges(read(text)) == [("a", "b", 1.0), ("b", "c", 2.5), ("c", "a", 3.0)]


def test_parallel_edges_become_one_and_loops_are_skipped_and_both_are_told() -> None:
    found = read("a b 2\na a\na b 3\nb a")
    assert found.graph.cost.tolist() == [5.0, 1.0]
    assert (found.parallel, found.loops, found.loop_lines) == (1, 1, (2,))
    assert "line 2" in " ".join(found.notes())


@pytest.mark.parametrize("cost", ["-1", "nan", "x", "inf", "1e999"])
def test_a_cost_that_is_none_is_told_with_its_place(cost: str) -> None:
    (told,) = mistakes(f"a b\nb c {cost}\nc d 1\n")
    assert told == f"edges:2: the cost is '{cost}'; write a number that is not negative"


def test_only_the_first_mistakes_are_shown_and_the_others_counted() -> None:
    told = mistakes("a b\n" + "a\n" * 100)
    assert [one.split(": ")[0] for one in told[:-1]] == [f"edges:{line}" for line in range(2, 22)]
    assert told[-1] == "edges: 80 more lines are no edges"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"a", "one word, 'a'; write two names"),
        (b"a b c d", "4 words"),
        (b"a \xff", "the line is not UTF-8"),
        (b"a b\0", "a NUL byte stands here"),
        (b"a " + b"b" * LONGEST_LINE, f"the line has {LONGEST_LINE + 2} characters"),
    ],
)
def test_a_line_that_is_no_edge_is_told_with_its_place_and_does_not_hide_the_next(
    line: bytes, why: str
) -> None:
    told = mistakes(b"a b\n" + line + b"\n\xc3\xa4 b\nx\n")
    assert told[0].startswith(f"edges:2: {why}")
    assert told[1].startswith("edges:4: one word, 'x'")


def test_utf_16_is_told_as_such() -> None:
    assert "edges:1: the line is not UTF-8" in mistakes("a b\nb c\n".encode("utf-16"))[0]


def test_a_file_packed_by_gzip_is_read_and_one_that_is_cut_or_damaged_is_refused() -> None:
    text = "".join(f"n{number} n{number + 1}\n" for number in range(20_000)).encode()
    packed = gzip.compress(text[:90_000]) + gzip.compress(text[90_000:])
    assert edges(read(packed, 1000)) == edges(read(text))
    assert "was cut after this line" in mistakes(packed[:-20])[-1]
    damaged = bytearray(packed)
    damaged[40_000:40_010] = bytes(10)
    assert mistakes(bytes(damaged))


def test_what_does_not_fit_into_memory_is_refused() -> None:
    with pytest.raises(ModelInvalid) as raised:
        read_edge_stream(BytesIO(b"a b\n" * 1001), most_edges=1000)
    assert str(raised.value) == "edges:1001: there are more than 1,000 edges; divide the file"


LINES = [
    *["a b", "b c 2.5", "c,a,1", "a a 3", "# no edge", "", "  % x", "d\te 1e3", "ä b", "a\u2003b"],
    *["a-long-name another-long-name", "a-long-namf another-long-name 0.5", "x" * 70 + " y 7"],
]
WRONG = ["a", "b a -1", "x y z", "a b c d", "\0 a", "a b 1\r2"]
ENDS = ["\n", "\r\n", "\r"]


def by_hand(text: str) -> list[tuple[str, str, float]]:
    """Read lines as one would write it first; those that are wrong are not there."""
    cost: dict[tuple[str, str], float] = {}
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        words = line.replace(",", " ").split()
        if words and words[0][0] not in "#%":
            source, target, price = [*words, "1"][:3]
            if source != target:
                cost[source, target] = cost.get((source, target), 0.0) + float(price)
    return sorted((*ends, price) for ends, price in cost.items())


@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(ENDS))), st.integers(1, 40))
def test_the_same_is_read_however_a_file_is_divided(
    lines: list[tuple[str, str]], size: int
) -> None:
    text = "".join(map("".join, lines))
    found = read(text, size)
    assert sorted(edges(found)) == by_hand(text)
    whole = read(text)
    assert edges(found) == edges(whole)
    assert (found.lines, found.notes()) == (whole.lines, whole.notes())


@given(st.lists(st.sampled_from(LINES + WRONG), max_size=30), st.integers(1, 40))
def test_the_same_is_refused_however_a_file_is_divided(lines: list[str], size: int) -> None:
    text = "\n".join([*lines, "a"])
    assert mistakes(text, size) == mistakes(text)


@given(st.binary(max_size=60), st.integers(1, 60))
def test_whatever_bytes_there_are_are_read_or_refused_by_line(data: bytes, size: int) -> None:
    lines, places = 0, []
    try:
        lines = read(data, size).lines
    except ModelInvalid as refused:
        places = [one.place for one in refused.mistakes]
    assert lines <= data.count(b"\n") + data.count(b"\r") + 1
    assert all(place.startswith("edges") for place in places)


def test_a_line_without_end_takes_no_memory() -> None:
    data = b"a b\n" + b"x" * (20 * LONGEST_LINE) + b"\nb c\nd\n"
    told = mistakes(data, 100)
    assert [one.split(": ")[0] for one in told] == ["edges:2", "edges:4"]
