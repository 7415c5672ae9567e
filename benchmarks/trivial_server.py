"""The smallest service that can be told apart by its version: ``python trivial_server.py PORT``.

``/slow`` is answered after a second and a half, everything else at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

BODY = os.environ.get("APP_VERSION", "bare").encode()
ANSWER = b"HTTP/1.1 200 OK\r\nx-version: %b\r\ncontent-length: %d\r\n\r\n%b" % (
    BODY,
    len(BODY),
    BODY,
)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request of one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"GET /slow "):
                await asyncio.sleep(1.5)
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1])):
        await stopped.wait()


asyncio.run(main())
