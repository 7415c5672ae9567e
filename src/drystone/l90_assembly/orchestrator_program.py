"""The orchestrator: one process per home that knows everyone's services, and what becomes of their releases.

::

    python -m drystone.l90_assembly.orchestrator_program --home DIR --socket PATH --remote PATH --database FILE --sign-in URL --memory BYTES

It keeps everything in PostgreSQL, asks the agent of the home to carry things out, and may die at any moment.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.home import Home
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.running.engine import NAME
from drystone.l90_assembly.agent_socket import listening, server_of
from drystone.l90_assembly.garbage import old_objects_left_alone
from drystone.l90_assembly.lines import LineLog
from drystone.l90_assembly.orchestrated import orchestrated

MOST_SESSIONS = 20
"""Of PostgreSQL, at once; the role may have some more, for those who listen."""


def main(words: Sequence[str]) -> None:
    """Serve until this process is told to end (TERM, INT)."""
    parser = argparse.ArgumentParser(prog="python -m drystone.l90_assembly.orchestrator_program")
    parser.add_argument("--home", type=Path, required=True, help="whose services")
    parser.add_argument("--socket", type=Path, required=True, help="where to answer")
    parser.add_argument("--remote", type=Path, required=True, help="where to answer the edge")
    parser.add_argument("--database", type=Path, required=True, help="file with the way to it")
    parser.add_argument("--sign-in", required=True, help="address of the home's sign-in")
    parser.add_argument("--memory", type=int, required=True, help="bytes of data at most")
    given = parser.parse_args(words)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (given.memory, hard))
    access = msgspec.json.decode(given.database.read_bytes(), type=DatabaseAccess)
    sockets = (given.socket, given.remote)
    uvloop.run(_serve(Home.open(given.home), sockets, access, given.sign_in))


async def _serve(
    home: Home, sockets: tuple[Path, Path], access: DatabaseAccess, sign_in: str
) -> None:
    clock = SystemClock()
    log = LineLog(sys.stderr, clock)
    leaving = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leaving.set)
    database = Database(access, NAME, most=MOST_SESSIONS)
    try:
        async with orchestrated(home, database, sign_in=sign_in, clock=clock, log=log) as whole:
            near, far = server_of(whole.app), server_of(whole.remote)
            with (
                listening(sockets[0]) as here,
                listening(sockets[1]) as edge,
                old_objects_left_alone(),
            ):
                serving = (
                    asyncio.create_task(near.serve(sockets=[here])),
                    asyncio.create_task(far.serve(sockets=[edge])),
                )
                told = asyncio.create_task(leaving.wait())
                # When nothing is carried out any more, this process is of no use: another one is started.
                await asyncio.wait((told, whole.working), return_when=asyncio.FIRST_COMPLETED)
                told.cancel()
                near.should_exit = far.should_exit = True
                await asyncio.gather(*serving)
    finally:
        await database.close()


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])
