"""The process that answers. Everything that it keeps lies in its working directory.

python -m drystone.l10_engines.search --port 9200 --known FILE --most 10737418240 --memory 1073741824
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from drystone.l10_engines.search.errors import Refused
from drystone.l10_engines.search.front import Front, Known
from drystone.l10_engines.search.keeper import Keeper
from drystone.l10_engines.search.node import Node

CONNECTIONS = 500
"""How many clients may be connected at once; the next one is told to come back."""

KEPT = 75
"""Seconds that an idle connection is kept; clients keep theirs, and a write on one that ends at that moment fails."""

DAMAGED = 65
"""How the process ends when its data is not what was written (``EX_DATAERR`` of sysexits.h)."""


async def serve(port: int, known: Known, most: int) -> None:
    """Serve until the process is told to end.

    Args:
        port: Of 127.0.0.1.
        known: Who may ask.
        most: Bytes that everything may take.
    """
    node = Node(Keeper(Path(), most))
    config = uvicorn.Config(
        Front(node, known),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=KEPT,
        limit_concurrency=CONNECTIONS,
    )
    server = uvicorn.Server(config)
    # asyncio turns Nagle's algorithm off only for sockets that say that they are TCP; with it, each answer takes 40 ms.
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            await server.serve(sockets=[listener])
    finally:
        node.close()


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="drystone.l10_engines.search")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--known", type=Path, required=True, help="file with what the one user is known by"
    )
    parser.add_argument("--most", type=int, required=True, help="bytes that everything may take")
    parser.add_argument("--memory", type=int, default=1 << 30, help="bytes of private memory")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_DATA, (options.memory, options.memory))
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    os.umask(0o077)
    # uvicorn raises the signal again that it ended by, which by itself would end the process before its files are closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        asyncio.run(serve(options.port, Known(options.known), options.most))
    except Refused as e:
        print(e.reason, file=sys.stderr, flush=True)  # noqa: T201 - the log of an engine
        return DAMAGED
    return 0


if __name__ == "__main__":
    sys.exit(main())
