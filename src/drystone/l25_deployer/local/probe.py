"""Ask an instance over HTTP whether it is well, and say exactly what it answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import timedelta

MAX_LINE = 4096


class ProbeResult(msgspec.Struct, frozen=True):
    """One answer, or the lack of it.

    Attributes:
        is_ok: The status was 200 to 399.
        text: What happened, for a person who has to mend it.
    """

    is_ok: bool
    text: str


async def probe(port: int, path: str, *, timeout: timedelta, method: str = "GET") -> ProbeResult:  # noqa: ASYNC109 - the limit is part of the question
    """Send one request to 127.0.0.1 and judge the status line (RFC 9112 section 4)."""
    asked = f"{method} http://127.0.0.1:{port}{path}"
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            line = await _status_line(port, path, method)
    except TimeoutError:
        return ProbeResult(False, f"{asked}: no answer within {timeout.total_seconds():g} s")
    except ConnectionRefusedError:
        return ProbeResult(False, f"{asked}: connection refused, nothing listens there")
    except (OSError, ValueError) as e:
        return ProbeResult(False, f"{asked}: {e or type(e).__name__}")
    version, _, rest = line.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/") or not status.isdigit():
        return ProbeResult(False, f"{asked}: the answer is not HTTP: {line[:80]!r}")
    return ProbeResult(200 <= int(status) < 400, f"{asked}: status {rest[:60].strip()}")


async def _status_line(port: int, path: str, method: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=MAX_LINE)
    try:
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: drystone-probe\r\n"
            "Accept: */*\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        writer.write(request.encode("ascii", "strict"))
        await writer.drain()
        line = await reader.readline()
        if not line:
            raise ConnectionResetError("the connection was closed without an answer")
        return line.decode("latin-1").strip()
    finally:
        writer.close()
