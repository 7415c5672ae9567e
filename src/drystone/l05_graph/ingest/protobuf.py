"""The wire format of Protocol Buffers ("Encoding" in its documentation): enough to read messages whose fields are known.

The library of that name lives in a layer above, and would need the compiled schema of OpenTelemetry; a trace needs a dozen
fields of it.
"""

from __future__ import annotations

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class NotProtobuf(ValueError):
    """The bytes are no message."""


def fields(message: bytes) -> list[tuple[int, int | bytes]]:
    """Read a message field by field.

    Returns:
        The number of each field, and its value: bytes where it has a length, else a number without sign.

    Raises:
        NotProtobuf: They are none, or the message was cut.
    """
    found: list[tuple[int, int | bytes]] = []
    place, end = 0, len(message)
    while place < end:
        tag = message[place]
        place += 1
        if tag >= 0x80:
            tag, place = _varint(message, place - 1)
        kind = tag & 7
        if kind == BYTES:
            # Most lengths have one byte.
            size = message[place] if place < end else 0x80
            place += 1
            if size >= 0x80:
                size, place = _varint(message, place - 1)
            value: int | bytes = message[place : place + size]
        elif kind == VARINT:
            value, place = _varint(message, place)
            size = 0
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
            value = int.from_bytes(message[place : place + size], "little")
        else:
            raise NotProtobuf(f"a field has the unknown wire type {kind}")
        place += size
        if place > end:
            raise NotProtobuf("the message was cut")
        if tag < 8:
            raise NotProtobuf("a field has the number 0")
        found.append((tag >> 3, value))
    return found


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
