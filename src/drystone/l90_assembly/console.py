"""The operations page, as a service on demand."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drystone.l10_engines.on_demand.service import OnDemand
from drystone.l10_engines.proxy.edge import OwnService
from drystone.l25_deployer.local.startup import Part
from drystone.l35_mesh.signin.words import HOST, address_of

if TYPE_CHECKING:
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l00_kernel.settings import Settings

CONSOLE, LAYER = "console", 85
PACKAGE = "drystone.l85_surfaces.console"
"""Where its descriptor lies."""
PROGRAM = "drystone.l90_assembly.console_program"
"""Its module, which the agent never imports."""

_SIGNIN = HOST.partition(".")[0] + "."


def console_of(home: Home, settings: Settings, log: Log, environ: Mapping[str, str]) -> OnDemand:
    """Return the operations page of a home; nothing listens yet."""
    command = [sys.executable, "-P", "-m", PROGRAM, "--home", str(home.path)]
    command += ["--idle-minutes", str(settings.console.idle_minutes)]
    if address := address_for_people(settings):
        command += ["--address", address, "--signin", address_of(settings)]
    kept = {name: environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in environ}
    return OnDemand(
        CONSOLE,
        place=home.socket(f"{CONSOLE}.sock"),
        command=command,
        output=home.run / f"{CONSOLE}.log",
        env={"PATH": os.defpath, **kept},
        report=lambda said: log.info("on demand", service=CONSOLE, detail=said),
    )


def address_for_people(settings: Settings) -> str:
    """Return where the page answers those who are signed in: beside the sign-in; empty where it has no name like that.

    Cookies of ``localhost`` go to every program of the machine that listens somewhere, so people are known at a name of
    the page's own alone.
    """
    signin = address_of(settings)
    host = urlsplit(signin).netloc
    if not host.startswith(_SIGNIN):
        return ""
    return f"{urlsplit(signin).scheme}://{CONSOLE}.{host.removeprefix(_SIGNIN)}"


def console_at_edge(home: Home, settings: Settings) -> OwnService:
    """Return where people reach the page: in place of the index, and by a name of its own."""
    return OwnService(
        name=CONSOLE,
        title="Operations",
        socket=home.socket(f"{CONSOLE}.sock"),
        host=urlsplit(address_for_people(settings)).hostname,
        is_root=True,
    )


def console_part(console: OnDemand) -> Part:
    """Say how the page comes up: somebody listens for it, and it starts when it is asked."""

    async def listen() -> str:
        console.start()
        return "on demand"

    return Part(CONSOLE, LAYER, listen, console.stop)
