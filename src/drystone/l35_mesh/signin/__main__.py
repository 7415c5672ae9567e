"""Serve the sign-in of a platform, on a socket that the platform's agent hands over.

::

    python -m drystone.l35_mesh.signin --home DIR --listener N --lifeline N
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings import Settings
from drystone.l10_engines.on_demand.serving import Activity, arguments, serve
from drystone.l35_mesh.signin.app import application
from drystone.l35_mesh.signin.options import options_of


def main(words: Sequence[str]) -> None:
    """Serve until nobody signs in any more."""
    parser = argparse.ArgumentParser(prog="python -m drystone.l35_mesh.signin")
    parser.add_argument("--home", type=Path, required=True)
    arguments(parser)
    given = parser.parse_args(words)
    home = Home.open(given.home)
    settings = Settings.load(home, os.environ)
    app = Activity(application(options_of(home, settings), clock=SystemClock()))
    idle = timedelta(minutes=settings.signin.idle_minutes)
    asyncio.run(serve(app, listener=given.listener, lifeline=given.lifeline, idle=idle))


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])
