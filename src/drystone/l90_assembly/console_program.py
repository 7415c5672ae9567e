"""Serve the operations page of a home, on a socket that the platform's agent hands over.

::

    python -m drystone.l90_assembly.console_program --home DIR --idle-minutes N --listener N --lifeline N
        [--address URL --signin URL]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.home import Home
from drystone.l10_engines.on_demand.serving import Activity, arguments, serve
from drystone.l35_mesh.signin.records import folder_of
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l35_mesh.signin.words import NAME as SIGNIN
from drystone.l85_surfaces.console.app import application
from drystone.l85_surfaces.console.live import LivePlatform
from drystone.l90_assembly.console_people import BesideSignIn, SignedIn

if TYPE_CHECKING:
    from drystone.l10_engines.on_demand.serving import App


def main(words: Sequence[str]) -> None:
    """Serve until nobody looks any more."""
    parser = argparse.ArgumentParser(prog="python -m drystone.l90_assembly.console_program")
    parser.add_argument("--home", type=Path, required=True, help="whose services")
    parser.add_argument("--idle-minutes", type=float, required=True)
    parser.add_argument("--address", default="", help="where it answers those who are signed in")
    parser.add_argument("--signin", default="", help="where they sign in")
    arguments(parser)
    given = parser.parse_args(words)
    app = Activity(_app(Home.open(given.home), given.address, given.signin))
    idle = timedelta(minutes=given.idle_minutes)
    asyncio.run(serve(app, listener=given.listener, lifeline=given.lifeline, idle=idle))


def _app(home: Home, address: str, signin: str) -> App:
    clock = SystemClock()
    platform = LivePlatform(home, clock)
    if not address:
        return application(platform)
    keys = SigningKeys(folder_of(home))
    people = SignedIn(keys, address=address, signin=signin, clock=clock)
    page = application(platform, people)
    socket = home.socket(f"{SIGNIN}.sock")
    return BesideSignIn(page, keys=keys, host=people.host, socket=socket, clock=clock)


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])
