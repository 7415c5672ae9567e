"""A service on demand: says who it is, computes without letting go, fails, or goes on for ever."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

from drystone.l10_engines.on_demand.serving import Activity, Receive, Scope, Send, arguments, serve


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    match scope["path"]:
        case "/stuck":
            time.sleep(600)  # noqa: ASYNC251 - that is the point
        case "/slow":
            await asyncio.sleep(2)
        case "/crash":
            os._exit(7)
    body = str(os.getpid()).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    parser = argparse.ArgumentParser()
    arguments(parser)
    parser.add_argument("--idle", type=float, default=600)
    parser.add_argument("--broken-while", type=Path)
    given = parser.parse_args()
    if given.broken_while is not None and given.broken_while.exists():
        raise SystemExit(5)
    asyncio.run(
        serve(
            Activity(app),
            listener=given.listener,
            lifeline=given.lifeline,
            idle=timedelta(seconds=given.idle),
        )
    )


if __name__ == "__main__":
    main()
