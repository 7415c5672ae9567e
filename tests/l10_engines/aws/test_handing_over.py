"""Frames between the stand-in and the agent, and what becomes of a request that cannot be handed over."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.aws.handing_over import (
    MOST_HEAD,
    Answered,
    Handed,
    Head,
    frame,
    hand_over,
    read_frame,
    take_over,
)

ASKED = Handed("lambda", "dev.shop", "000000000001", "POST", "/p", "q=1", {"a": "b"})


async def read(content: bytes, most: int = 1000) -> tuple[bytes, bytes]:
    reader = asyncio.StreamReader()
    reader.feed_data(content)
    reader.feed_eof()
    return await read_frame(reader, most=most)


@given(st.dictionaries(st.text(), st.text()), st.binary(max_size=1000))
def test_what_is_written_is_read(head: dict[str, str], body: bytes) -> None:
    said, content = asyncio.run(read(frame(head, body)))
    assert frame(head, body)[8 : 8 + len(said)] == said
    assert content == body


@given(st.binary(max_size=60))
def test_what_is_no_frame_is_refused_before_its_length_is_believed(content: bytes) -> None:
    try:
        said, body = asyncio.run(read(content, most=10))
    except (ValueError, EOFError):
        return
    assert len(said) + len(body) + 8 <= len(content)


async def test_a_request_is_answered_over_a_socket(tmp_path: Path) -> None:
    async def answer(handed: Handed, body: bytes) -> Answered:
        return Head(201, {"x": handed.path}), body[::-1]

    place = tmp_path / "s"
    async with await asyncio.start_unix_server(partial(take_over, answer=answer), place):
        many = [hand_over(place, ASKED, str(n).encode() * 3) for n in range(20)]
        answers = await asyncio.gather(*many)
    assert [content for _, content in answers] == [str(n).encode()[::-1] * 3 for n in range(20)]
    assert {(head.status, head.headers["x"]) for head, _ in answers} == {(201, "/p")}


@pytest.mark.parametrize("said", [b"", b"\0" * 8, b"\xff" * 8, frame({"status": "?"}, b"")])
async def test_an_agent_that_breaks_off_is_told_as_one(tmp_path: Path, said: bytes) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_frame(reader)
        writer.write(said)
        writer.close()

    place = tmp_path / "s"
    async with await asyncio.start_unix_server(broken, place):
        with pytest.raises(OSError, match="broke off"):
            await hand_over(place, ASKED, b"")
    with pytest.raises(OSError, match=r"o such file|refused"):
        await hand_over(tmp_path / "nobody", ASKED, b"")


async def test_whoever_sends_no_frame_is_let_go(tmp_path: Path) -> None:
    async def answer(handed: Handed, body: bytes) -> Answered:
        raise AssertionError("nobody asked")

    place = tmp_path / "s"
    async with await asyncio.start_unix_server(partial(take_over, answer=answer), place):
        for content in (b"", b"GET / HTTP/1.1\r\n\r\n", (MOST_HEAD + 1).to_bytes(4) + b"\0" * 4):
            reader, writer = await asyncio.open_unix_connection(place)
            writer.write(content)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
