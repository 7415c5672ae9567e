"""Serve the view of a live platform, on a socket that the platform's agent hands over.

::

    python -m drystone.l80_governance.dependencies --home DIR --idle-minutes N --listener N --lifeline N
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from drystone.l00_kernel.home import Home
from drystone.l10_engines.on_demand.serving import Activity, arguments, serve
from drystone.l80_governance.dependencies.app import application
from drystone.l80_governance.dependencies.guard import Guarded
from drystone.l80_governance.dependencies.live import LiveModels


def main(words: Sequence[str]) -> None:
    """Serve until nobody looks any more."""
    parser = argparse.ArgumentParser(prog="python -m drystone.l80_governance.dependencies")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--idle-minutes", type=float, required=True)
    arguments(parser)
    given = parser.parse_args(words)
    app = Activity(Guarded(application(LiveModels(Home.open(given.home)))))
    idle = timedelta(minutes=given.idle_minutes)
    asyncio.run(serve(app, listener=given.listener, lifeline=given.lifeline, idle=idle))


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])
