from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.testing.load.answer import Answer, AnswerReader, Malformed


def read(*pieces: bytes, ended: bool = False, without_body: bool = False) -> Answer | None:
    reader = AnswerReader(without_body=without_body)
    answer = None
    for piece in pieces:
        assert answer is None, "more was fed after the answer was whole"
        answer = reader.feed(piece)
    return reader.end() if ended and answer is None else answer


def chunked(parts: list[bytes], trailers: bytes = b"") -> bytes:
    chunks = b"".join(b"%x;note=1\r\n%b\r\n" % (len(part), part) for part in parts if part)
    return (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunks
        + b"0\r\n"
        + trailers
        + b"\r\n"
    )


@given(parts=st.lists(st.binary(max_size=40), max_size=5), cuts=st.lists(st.integers(0, 300)))
def test_the_answer_does_not_depend_on_the_pieces_it_arrives_in(
    parts: list[bytes], cuts: list[int]
) -> None:
    wire = b"HTTP/1.1 100 Continue\r\n\r\n" + chunked(parts, b"Checksum: 1\r\n")
    edges = [0, *sorted({min(cut, len(wire)) for cut in cuts} - {0, len(wire)}), len(wire)]
    pieces = [wire[a:b] for a, b in itertools.pairwise(edges)]

    answer = read(*pieces)

    assert answer == Answer(200, {"transfer-encoding": "chunked"}, b"".join(parts), closes=False)


@given(head=st.binary(max_size=30), rest=st.binary(max_size=80), ended=st.booleans())
def test_whatever_arrives_is_an_answer_or_malformed_or_not_whole(
    head: bytes, rest: bytes, ended: bool
) -> None:
    for start in (
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        try:
            answer = read(start + head + rest, ended=ended)
        except Malformed:
            continue
        assert answer is None or 200 <= answer.status <= 999


def test_a_body_without_a_length_ends_with_its_connection_and_closes_it() -> None:
    wire = b"HTTP/1.1 200 OK\r\n\r\nhalf a "

    assert read(wire, b"word") is None
    assert read(wire, b"word", ended=True) == Answer(200, {}, b"half a word", closes=True)


def test_an_announced_length_that_is_not_reached_is_no_answer() -> None:
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour", ended=True) is None


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_answers_that_have_no_body_end_with_their_head(status: bytes) -> None:
    answer = read(b"HTTP/1.1 " + status + b"\r\n\r\n")

    assert answer == Answer(int(status), {}, b"", closes=False)


def test_the_length_in_an_answer_to_head_announces_nothing() -> None:
    answer = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", without_body=True)

    assert answer is not None
    assert answer.body == b""


@pytest.mark.parametrize(
    ("head", "closes"),
    [
        (b"HTTP/1.1 204 x\r\nConnection: Foo, CLOSE\r\n\r\n", True),
        (b"HTTP/1.0 204 x\r\n\r\n", True),
        (b"HTTP/1.0 204 x\r\nConnection: keep-alive\r\n\r\n", False),
    ],
)
def test_a_connection_closes_when_the_answer_says_so(head: bytes, *, closes: bool) -> None:
    answer = read(head)

    assert answer is not None
    assert answer.closes is closes


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\nabcdefghij",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 204 OK\r\n\r\nmore than one answer",
        b"x" * 70_000,
    ],
    ids=lambda wire: repr(wire[:60]),
)
def test_what_is_no_http_answer_is_malformed(wire: bytes) -> None:
    with pytest.raises(Malformed):
        read(wire)
