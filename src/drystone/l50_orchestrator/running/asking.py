"""Whether somebody answers HTTP at a socket."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

_QUESTION = b"HEAD / HTTP/1.1\r\nhost: orchestrator\r\nconnection: close\r\n\r\n"


async def answers(socket: Path) -> bool:
    """Tell whether a server answers there within a second, whatever it says."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(_QUESTION)
                return (await reader.readline()).startswith(b"HTTP/1.1 ")
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
