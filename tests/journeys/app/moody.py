"""A service whose answers are as its variable MOOD says: ``good``, ``one-percent``, ``every-third``, ``outage``, ``slow`` or ``tenant``.

At ``/gone`` it fails in every mood. With the port of another one in CALLS it calls that for each request, whatever comes of it; in the
mood ``wrong-calls``, one call of twenty goes to ``/gone``.

::

    python moody.py PORT
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys

MOOD = os.environ.get("MOOD", "good")
VERSION = os.environ.get("APP_VERSION", "")
CALLS = int(os.environ.get("CALLS", "0"))
ILL = b"x-drystone-tenant: t7\r\n"
"""What a request of the tenant has for which one mood fails."""


def is_good(head: bytes) -> bool:
    """Tell whether this request is answered well."""
    if head.startswith(b"GET /gone "):
        return False
    match MOOD:
        case "every-third":
            return random.random() >= 1 / 3  # noqa: S311 - a share, no secret
        case "one-percent":
            return random.random() >= 0.01  # noqa: S311 - a share, no secret
        case "outage":
            return False
        case "tenant":
            return ILL not in head.lower()
    return True


async def call() -> None:
    """Call the other one, as somebody who goes on whatever it answers."""
    is_wrong = MOOD == "wrong-calls" and random.random() < 0.05  # noqa: S311 - a share, no secret
    path = "/gone" if is_wrong else "/"
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", CALLS)
        said = f"GET {path} HTTP/1.1\r\nhost: callee\r\nconnection: close\r\n\r\n"
        writer.write(said.encode())
        await reader.read()
        writer.close()
    except OSError:
        pass


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            is_check = head.startswith(b"GET /healthcheck ")
            # A fifth more goes over 50 ms, a bound of the classes in which the proxy counts times.
            pause = random.uniform(0.034, 0.046)  # noqa: S311 - a time, no secret
            await asyncio.sleep(pause * (1.2 if MOOD == "slow" else 1))
            if CALLS and not is_check:
                await call()
            status = "200 OK" if is_check or is_good(head) else "500 Internal Server Error"
            writer.write(
                f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nx-version: {VERSION}\r\n\r\n".encode()
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has gone
    finally:
        writer.close()


async def serve(port: int) -> None:
    """Serve until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
