"""One HTTP/1.1 answer, read from pieces of any size (RFC 9112); no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Generator

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 64 * 1024 * 1024


class Malformed(Exception):
    """The server sent something that is no HTTP/1.1 answer."""


class Answer(msgspec.Struct, frozen=True):
    """A whole answer.

    Attributes:
        status: The status code, 200 or more.
        headers: Values by lower-case name; of repeated ones the last.
        body: The body without its chunks.
        closes: The connection may not be used again.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    closes: bool


class AnswerReader:
    """Reads the one answer that is expected next on a connection.

    Args:
        without_body: The request was a HEAD: lengths in the head announce nothing.
    """

    def __init__(self, *, without_body: bool = False) -> None:
        self._without_body = without_body
        self._buffer = bytearray()
        self._ended = False
        self._steps = self._read()
        self.begun = False

    def feed(self, data: bytes) -> Answer | None:
        """Take what arrived; the answer once it is whole.

        Raises:
            Malformed: This can no longer become an answer, or more arrived than one answer.
        """
        self.begun = True
        self._buffer += data
        return self._step()

    def end(self) -> Answer | None:
        """Take note that nothing more will arrive; the answer if it was one that ends with its connection.

        Raises:
            Malformed: As for :meth:`feed`.
        """
        self._ended = True
        return self._step()

    def _step(self) -> Answer | None:
        try:
            next(self._steps)
        except StopIteration as stop:
            if self._buffer:
                raise Malformed(f"{len(self._buffer)} bytes follow the answer") from None
            answer: Answer = stop.value
            return answer
        return None

    def _read(self) -> Generator[None, None, Answer]:
        while True:
            version, status, headers = _head((yield from self._until(b"\r\n\r\n", LARGEST_HEAD)))
            if status >= 200:
                break  # the others are interim answers (RFC 9110 section 15.2)
        tokens = {token.strip().lower() for token in headers.get("connection", "").split(",")}
        closes = "close" in tokens or (version == b"HTTP/1.0" and "keep-alive" not in tokens)
        if self._without_body or status in {204, 304}:
            body = b""
        elif "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                raise Malformed(f"transfer-encoding {headers['transfer-encoding']!r}")
            body = yield from self._chunks()
        elif "content-length" in headers:
            body = yield from self._exactly(_number(headers["content-length"], 10))
        else:
            closes = True
            body = yield from self._rest()
        return Answer(status, headers, body, closes)

    def _until(self, mark: bytes, most: int) -> Generator[None, None, bytes]:
        searched = 0
        while (found := self._buffer.find(mark, searched)) < 0:
            if len(self._buffer) > most:
                raise Malformed(f"no end of a head or line within {most} bytes")
            searched = max(0, len(self._buffer) - len(mark) + 1)
            yield
        return self._take(found, skip=len(mark))

    def _exactly(self, length: int) -> Generator[None, None, bytes]:
        if length > LARGEST_BODY:
            raise Malformed(f"a body of {length} bytes; at most {LARGEST_BODY} are read")
        while len(self._buffer) < length:
            yield
        return self._take(length)

    def _rest(self) -> Generator[None, None, bytes]:
        while not self._ended:
            if len(self._buffer) > LARGEST_BODY:
                raise Malformed(f"a body of more than {LARGEST_BODY} bytes")
            yield
        return self._take(len(self._buffer))

    def _chunks(self) -> Generator[None, None, bytes]:
        body = bytearray()
        while True:
            line = yield from self._until(b"\r\n", LARGEST_HEAD)
            size = _number(line.partition(b";")[0].decode("latin-1").strip(), 16)
            if size == 0:
                break
            body += yield from self._exactly(size)
            if (yield from self._exactly(2)) != b"\r\n":
                raise Malformed("a chunk does not end where it said")
            if len(body) > LARGEST_BODY:
                raise Malformed(f"a body of more than {LARGEST_BODY} bytes")
        while (yield from self._until(b"\r\n", LARGEST_HEAD)):
            pass  # trailer fields
        return bytes(body)

    def _take(self, length: int, *, skip: int = 0) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[: length + skip]
        return taken


def _head(head: bytes) -> tuple[bytes, int, dict[str, str]]:
    first, *lines = head.split(b"\r\n")
    version, _, rest = first.partition(b" ")
    code = rest[:3].decode("latin-1")
    if version not in {b"HTTP/1.0", b"HTTP/1.1"} or len(code) != 3 or rest[3:4] not in {b"", b" "}:
        raise Malformed(f"the status line {first[:80]!r}")
    status = _number(code, 10)
    if status < 100 or status == 101:
        raise Malformed(f"status {status}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise Malformed(f"the header line {line[:80]!r}")
        headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()
    return version, status, headers


def _number(text: str, radix: int) -> int:
    if (
        not text.isascii() or not text.isalnum()
    ):  # int() alone also takes signs, spaces and underscores
        raise Malformed(f"{text[:40]!r} is no number")
    try:
        return int(text, radix)
    except ValueError:
        raise Malformed(f"{text[:40]!r} is no number") from None
