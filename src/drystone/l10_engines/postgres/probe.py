"""Asks a server whether it takes connections, without a password.

The first exchange of PostgreSQL's protocol (documentation, 54.2.1 and 54.7) tells it: a server that is
up asks for authentication, one that starts, recovers or ends says so with an SQLSTATE.
"""

from __future__ import annotations

import asyncio
import enum
import struct
from datetime import timedelta
from pathlib import Path

_PROTOCOL = 3 << 16
_STARTUP = b"user\0postgres\0database\0postgres\0\0"
_NOT_NOW = b"C57P03\0"
"""Field C of an error message: cannot_connect_now."""


class Answer(enum.Enum):
    """What a server says to somebody who wants to connect."""

    READY = enum.auto()
    NOT_YET = enum.auto()
    NONE = enum.auto()


async def ask(target: Path | tuple[str, int], *, limit: timedelta = timedelta(seconds=1)) -> Answer:
    """Ask the server behind a unix socket, or behind a host and port."""
    try:
        async with asyncio.timeout(limit.total_seconds()):
            if isinstance(target, Path):
                reader, writer = await asyncio.open_unix_connection(str(target))
            else:
                reader, writer = await asyncio.open_connection(*target)
            try:
                writer.write(struct.pack("!ii", 8 + len(_STARTUP), _PROTOCOL) + _STARTUP)
                kind, length = struct.unpack("!ci", await reader.readexactly(5))
                if kind == b"R":
                    return Answer.READY
                body = await reader.readexactly(length - 4)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, struct.error):
        return Answer.NONE
    if kind != b"E":
        return Answer.NONE
    return Answer.NOT_YET if _NOT_NOW in body else Answer.READY
