"""The wire format of Protocol Buffers ("Encoding" in its documentation): enough to read messages whose fields are known.

The library of that name lives in a layer above, and would need the compiled schema of OpenTelemetry; a trace needs a dozen
fields of it.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class NotProtobuf(ValueError):
    """The bytes are no message."""


def fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Read a message field by field.

    Returns:
        The number of each field, its wire type, and its value: bytes where it has a length, else a number without sign.

    Raises:
        NotProtobuf: They are none, or the message was cut.
    """
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place)
        kind = tag & 7
        if not tag >> 3:
            raise NotProtobuf("a field has the number 0")
        if kind == VARINT:
            value, place = _varint(message, place)
            yield tag >> 3, kind, value
            continue
        if kind == BYTES:
            size, place = _varint(message, place)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise NotProtobuf(f"a field has the unknown wire type {kind}")
        if place + size > end:
            raise NotProtobuf("the message was cut")
        piece = message[place : place + size]
        place += size
        yield tag >> 3, kind, piece if kind == BYTES else int.from_bytes(piece, "little")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
        shift += 7
    raise NotProtobuf("the message was cut, or a number has more than ten bytes")
