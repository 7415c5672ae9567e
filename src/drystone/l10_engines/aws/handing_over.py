"""How requests for functions and jobs reach the agent, which runs them: over a socket that only the platform's user can open.

Code of services never runs in the process that holds everybody's queues. That process sees who signed a request and hands it over,
one request on each connection: a frame with a head and a body, and a frame for the answer. A frame is two lengths of four bytes,
big-endian, a head in JSON and bytes.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

SERVICES = frozenset(("lambda", "batch"))
"""What is handed over, as signatures call it."""

URLS = "/function-urls/"
"""Below it functions are called by plain HTTP."""

URL = "function-url"
"""What a plain call is handed over as."""

MOST_HEAD = 1024 * 1024
MOST_BODY = 16 * 1024 * 1024
_LENGTHS = struct.Struct(">II")


class Handed(msgspec.Struct, frozen=True):
    """A request of somebody who is known.

    Attributes:
        service: ``lambda``, ``batch``, or :data:`URL`.
        owner: Whose account it is.
        account: Its number.
        method: Of HTTP.
        path: As it was sent; of a plain call, what follows the function's own URL.
        query: As it was sent.
        headers: By their names in small letters.
        function: Which function a plain call is for.
    """

    service: str
    owner: str
    account: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    function: str = ""


class Head(msgspec.Struct, frozen=True):
    """How an answer begins.

    Attributes:
        status: Of HTTP.
        headers: By their names.
    """

    status: int
    headers: dict[str, str] = {}


Answered: TypeAlias = tuple[Head, bytes]
Answering: TypeAlias = Callable[[Handed, bytes], Awaitable[Answered]]


async def read_frame(reader: asyncio.StreamReader, *, most: int = MOST_BODY) -> tuple[bytes, bytes]:
    """Read a frame.

    Args:
        reader: From where.
        most: Bytes that its body may have.

    Returns:
        Its head and its body.

    Raises:
        ValueError: It is longer than it may be.
        EOFError: The other side ended in the middle of it.
    """
    head, body = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    if head > MOST_HEAD or body > most:
        raise ValueError(f"a frame of {head} and {body} bytes; its body has {most} at most")
    return await reader.readexactly(head), await reader.readexactly(body)


def frame(head: object, body: bytes) -> bytes:
    """Write a frame."""
    said = msgspec.json.encode(head)
    return _LENGTHS.pack(len(said), len(body)) + said + body


async def hand_over(socket: Path, handed: Handed, body: bytes) -> Answered:
    """Hand a request over, and wait for the answer.

    Args:
        socket: Where the agent takes them.
        handed: The request.
        body: Of it.

    Raises:
        OSError: The agent is not there, or ended before it answered.
    """
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(frame(handed, body))
        await writer.drain()
        head, content = await read_frame(reader)
        return msgspec.json.decode(head, type=Head), content
    except (EOFError, ValueError, msgspec.MsgspecError) as e:
        raise ConnectionError(f"the agent broke off: {e}") from e
    finally:
        writer.close()


async def take_over(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answering
) -> None:
    """Answer the one request of a connection.

    Args:
        reader: Of the connection.
        writer: Of the connection; it is closed.
        answer: Answers it.
    """
    try:
        head, body = await read_frame(reader)
        answered, content = await answer(msgspec.json.decode(head, type=Handed), body)
        writer.write(frame(answered, content))
        await writer.drain()
    except (EOFError, ValueError, OSError, msgspec.MsgspecError):
        return  # whoever asked has gone, and is told by the end of the connection
    finally:
        writer.close()


def rest_of_url(path: str) -> tuple[str, str, str, str] | None:
    """Part the path of a plain call; None for a path that is none.

    Returns:
        Number of the account, name of the function, what proves that the caller may, and the rest with its slash.
    """
    parts = path.removeprefix(URLS).split("/", 3)
    if not path.startswith(URLS) or len(parts) < 3:
        return None
    return parts[0], parts[1], parts[2], "/" + (parts[3] if len(parts) > 3 else "")


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that are handed over: what proves who asks stays here."""
    return {name: value for name, value in headers.items() if name != "authorization"}
