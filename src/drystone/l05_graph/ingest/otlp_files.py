"""The forms in which OTLP is kept in files: a JSON document, JSON lines, a message, messages with their length before each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from drystone.l05_graph.ingest.protobuf import NotProtobuf
from drystone.l05_graph.ingest.reading import LARGEST_DOCUMENT, NO_JSON, Reading
from drystone.l05_graph.ingest.source import Unreadable

LONGEST_LINE = 64 << 20
"""In bytes: the file exporter of the Collector writes all of one export into a line."""

Part = TypeVar("Part")
Read = Callable[[bytes], Iterable[Part]]


def parts(reading: Reading, of_json: Read[Part], of_protobuf: Read[Part]) -> Iterator[Part]:
    """Read a file, whichever form it has.

    Args:
        reading: The file.
        of_json: Reads a document of JSON.
        of_protobuf: Reads a message.

    Raises:
        Unreadable: It has none of the forms.
    """
    begin = reading.begin()
    if begin[:1] == b"\0":  # the length of a message that is smaller than 16 MiB
        for frame in reading.frames():
            yield from _of_frame(frame, of_protobuf, reading)
    elif begin[:1] == b"\n" or begin.lstrip()[:1] not in (b"{", b""):
        yield from _of_bytes(reading.whole(), of_json, of_protobuf, reading)
    else:
        yield from _of_text(reading.lines(LONGEST_LINE), of_json, reading)


def _of_frame(frame: bytes, of_protobuf: Read[Part], reading: Reading) -> Iterable[Part]:
    try:
        return list(of_protobuf(frame))
    except NotProtobuf as error:
        reading.skips.add(f"the message cannot be read: {error}", reading.place())
        return ()


def _of_bytes(
    content: bytes, of_json: Read[Part], of_protobuf: Read[Part], reading: Reading
) -> Iterable[Part]:
    """Read what may be a message, or a document after a blank line or the cut end of another."""
    try:
        return list(of_json(content))
    except NO_JSON:
        if not content.strip():
            return ()
    try:
        return list(of_protobuf(content))
    except NotProtobuf as error:
        if b"{" not in content:
            raise Unreadable(
                f"{reading.name} is neither JSON nor a message of OTLP ({error})"
            ) from error
    return list(_of_lines(content.splitlines(), of_json, reading, count=True))


def _of_text(lines: Iterator[bytes], of_json: Read[Part], reading: Reading) -> Iterator[Part]:
    first = next(lines, None)
    if first is None:
        return
    if first.endswith(b"}"):
        yield from _of_lines((first,), of_json, reading)
        yield from _of_lines(lines, of_json, reading)
        return
    document = bytearray(first)
    for line in lines:
        document += b"\n" + line
        if len(document) > LARGEST_DOCUMENT:
            raise Unreadable(
                f"{reading.name} is one document of more than {LARGEST_DOCUMENT >> 20} MiB;"
                " write one for each line"
            )
    try:
        yield from list(of_json(bytes(document)))
    except NO_JSON as error:
        raise Unreadable(f"{reading.name} is no document of OTLP: {error}") from error


def _of_lines(
    lines: Iterable[bytes], of_json: Read[Part], reading: Reading, *, count: bool = False
) -> Iterator[Part]:
    for line in lines:
        reading.line += count
        if not line.strip():
            continue
        try:
            found = list(of_json(line))
        except NO_JSON:
            reading.skip("the line is no JSON of OTLP")
        else:
            yield from found
