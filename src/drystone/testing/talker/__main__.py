"""A service that speaks every kind of request that may take long.

::

    python -m drystone.testing.talker PORT

HTTP/1.1 and HTTP/2 with prior knowledge on one port of 127.0.0.1; of third parties it needs ``h2`` alone. Every answer
says ``x-version`` and ``x-protocol``.

==============================  ==================================================================================
``/``                           answers at once
``/wait?seconds=S``             answers after S seconds
``/events?every=S``             server-sent events without end: ``id`` counts from 0, ``data`` is the version
``/download?bytes=N&seconds=S`` N bytes of :data:`~drystone.testing.talker.answers.PATTERN`, evenly over S seconds
``/upload``                     answers with the body's length and SHA-256
``/socket``                     WebSocket (HTTP/1.1): every text comes back with the version behind it
``/talk.Talk/Wait``             gRPC, unary: the request is a number of seconds, the reply ``0 VERSION``
``/talk.Talk/Count``            gRPC, server streaming without end: ``n VERSION`` as often as the request says
``/talk.Talk/Echo``             gRPC, in both directions: every message comes back with the version behind it
``/grpc.health.v1.Health/Check``  gRPC health protocol: SERVING; ``ill`` is NOT_SERVING and ``gone`` NOT_FOUND
==============================  ==================================================================================

The gRPC messages of ``talk.Talk`` are texts rather than protocol buffers. On SIGTERM it takes no more connections, says
goodbye to what has no end (close 1001, end of the events, ``UNAVAILABLE``) and finishes what has one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import h2.exceptions

from drystone.testing.talker.exchange import VERSION, leaving
from drystone.testing.talker.http1 import serve_http1
from drystone.testing.talker.http2 import Http2Connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve a connection in the protocol with which it begins."""
    try:
        begun = await reader.readexactly(4)
        if PREFACE.startswith(begun):
            await Http2Connection(reader, writer).serve(begun)
        else:
            await serve_http1(reader, writer, begun)
    except (asyncio.IncompleteReadError, ConnectionError, h2.exceptions.ProtocolError):
        pass  # the client has gone
    finally:
        writer.close()


async def main(port: int) -> None:
    """Serve until SIGTERM, then finish."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leaving.set)
    server = await asyncio.start_server(accept, "127.0.0.1", port)
    sys.stdout.write(f"version {VERSION} serves\n")
    sys.stdout.flush()
    await leaving.wait()
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=float(os.environ.get("TALKER_PATIENCE", "1")))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
