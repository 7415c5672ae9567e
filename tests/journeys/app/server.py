"""A service in one file, on the standard library, that can be told to misbehave.

::

    python server.py PORT [BEHAVIOUR [ARGUMENT]]

It answers on 127.0.0.1 with its version until SIGTERM, then finishes what it began.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

VERSION = os.environ.get("APP_VERSION", "development")
SPLIT = b"\r\n\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while head := await reader.readuntil(SPLIT):
            path = head.split(b" ", 2)[1].decode()
            if BEHAVIOUR == "hang":
                await asyncio.sleep(3600)
            if path.startswith("/slow"):
                await asyncio.sleep(float(path.rpartition("=")[2]))
            status = "404 Not Found" if path == "/missing" else "200 OK"
            said = {"path": path, "version": VERSION, "pid": os.getpid(), "caller": caller(head)}
            body = json.dumps(said).encode()
            writer.write(
                f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
                f"x-version: {VERSION}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has gone
    finally:
        writer.close()


def caller(head: bytes) -> str:
    """Return which service calls, as the platform says it."""
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next(
        (value.strip().decode() for name, _, value in lines if name == b"x-asap-issuer"), ""
    )


async def serve(port: int) -> None:
    """Serve until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    sys.stdout.write(f"version {VERSION} serves\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=1)


def misbehave(port: int) -> int:
    """Do what the behaviour says; return the port to serve on."""
    match BEHAVIOUR:
        case "exit":
            sys.stderr.write("cannot find the colour of the bikeshed\n")
            raise SystemExit(int(ARGUMENT))
        case "exit-later":
            signal.signal(signal.SIGALRM, lambda *_: os._exit(7))
            signal.setitimer(signal.ITIMER_REAL, float(ARGUMENT))
        case "listen-elsewhere":
            return int(ARGUMENT)
        case "daemonise":
            # The child stays in the group and the session; the parent ends well, as daemons do.
            subprocess.Popen([sys.executable, __file__, str(port)])
            raise SystemExit(0)
        case "noise":
            sys.stdout.buffer.write(b"x" * int(ARGUMENT) + b"\n")
            sys.stdout.buffer.write(bytes(range(256)) * 64 + b"\n\x1b[2J\x1b]0;owned\x07\xff\xfe\n")
            sys.stdout.flush()
    return port


BEHAVIOUR = sys.argv[2] if len(sys.argv) > 2 else ""
ARGUMENT = sys.argv[3] if len(sys.argv) > 3 else ""

if __name__ == "__main__":
    asyncio.run(serve(misbehave(int(sys.argv[1]))))
