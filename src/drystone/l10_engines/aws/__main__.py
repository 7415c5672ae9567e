"""The process that answers. Everything that it keeps lies in its working directory.

python -m drystone.l10_engines.aws --port 4566 --token FILE --most 67108864
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

import uvicorn

from drystone.l10_engines.aws.accounts import Accounts
from drystone.l10_engines.aws.front import Front
from drystone.l10_engines.aws.journal import Journal
from drystone.l10_engines.aws.keeping import Kept
from drystone.l10_engines.aws.writing import Keeper

STATE = "state.sqlite"
"""The file in the working directory that holds everything."""

CONNECTIONS = 500
"""How many clients may be connected at once; the next one is told to come back."""

UNWRITTEN = 74
"""How the process ends when something could not be written (``EX_IOERR`` of sysexits.h)."""


async def serve(port: int, token: str, most: int, agent: Path | None = None) -> int:
    """Serve until the process is told to end, or something cannot be written.

    Args:
        port: Of 127.0.0.1.
        token: What the agent proves itself with.
        most: Bytes that an account may hold.
        agent: Socket of the agent, which runs functions and jobs.

    Returns:
        The exit status.
    """
    journal = Journal(Path(STATE))
    kept = Kept(journal)
    kept.load()
    status = 0

    def failed(reason: Exception) -> None:
        nonlocal status
        status = UNWRITTEN
        print(f"cannot write {STATE}: {reason}", file=sys.stderr, flush=True)  # noqa: T201 - the log of an engine
        server.should_exit = True

    keeper = Keeper(kept, journal, failed)
    accounts = Accounts(journal, keeper, most=most)
    front = Front(accounts, keeper, kept, token=token, most=most, agent=agent)
    config = uvicorn.Config(
        front,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
        limit_concurrency=CONNECTIONS,
    )
    server = uvicorn.Server(config)
    # asyncio turns Nagle's algorithm off only for sockets that say that they are TCP; with it, each answer takes 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        await server.serve(sockets=[listener])
    if status == 0:
        await keeper.close()
    journal.close()
    return status


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="drystone.l10_engines.aws")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--token", type=Path, required=True, help="file with what the agent proves itself with"
    )
    parser.add_argument("--most", type=int, required=True, help="bytes that an account may hold")
    parser.add_argument("--agent", type=Path, help="socket of what runs functions and jobs")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    os.umask(0o077)
    token = options.token.read_text()
    return asyncio.run(serve(options.port, token, options.most, options.agent))


if __name__ == "__main__":
    sys.exit(main())
