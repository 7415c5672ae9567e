"""Look after a sandbox: serve its dashboard, and take its platform down when the terminal that began it is gone.

::

    python -m drystone.l90_assembly.sandbox_program --home DIR [--lifeline N]

The lifeline is a pipe whose other end the terminal's process holds. However that process ends, the pipe reports it, so that a killed
one leaves nothing running.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import uvicorn

from drystone.l00_kernel.contract import ANONYMOUS, Context, connect
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import Home
from drystone.l10_engines.on_demand.serving import quiet
from drystone.l10_engines.processes.identity import identify
from drystone.l25_deployer.api import DeployerApi
from drystone.l85_surfaces.sandbox.dashboard import application
from drystone.l85_surfaces.sandbox.places import Attendant, Place


def main(words: Sequence[str]) -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m drystone.l90_assembly.sandbox_program")
    parser.add_argument("--home", type=Path, required=True, help="of the sandbox")
    parser.add_argument("--lifeline", type=int, help="descriptor of a pipe")
    given = parser.parse_args(words)
    asyncio.run(attend(Place(given.home), given.lifeline))


async def attend(place: Place, lifeline: int | None) -> None:
    """Serve the dashboard until told to end; the end of the lifeline takes the platform down, too.

    Args:
        place: The sandbox.
        lifeline: A pipe that nobody writes to; None for a sandbox that outlives its terminal.
    """
    home = Home.open(place.home)
    server = uvicorn.Server(quiet(application(place)))
    listener = _listening(place.last_port())
    cut = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        cut.set()
        server.should_exit = True
        if lifeline is not None:
            loop.remove_reader(lifeline)

    if lifeline is not None:
        loop.add_reader(lifeline, end)
    me = identify(os.getpid())
    assert me is not None  # noqa: S101 - it runs
    place.introduce(Attendant(me, listener.getsockname()[1], lifeline is not None))
    await server.serve(sockets=[listener])
    if cut.is_set():
        await _stop(home)


def _listening(wanted: int | None) -> socket.socket:
    """Listen on loopback, at the port of last time if that is free."""
    for port in (wanted, 0):
        if port is not None:
            with suppress(OSError):
                return socket.create_server(("127.0.0.1", port))
    raise OSError("no port is free")


async def _stop(home: Home) -> None:
    """Stop the platform, as far as it still answers."""
    with suppress(PlatformError):
        async with connect(DeployerApi, uds=home.agent_socket) as api:
            async for _ in api.stop(Context(ANONYMOUS)):
                pass


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])
