"""The sign-in, as a service on demand, and what the proxies need of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from drystone.l10_engines.on_demand.service import OnDemand
from drystone.l10_engines.proxy.edge import OwnService
from drystone.l25_deployer.local.startup import Part
from drystone.l35_mesh.signin.api import HOST, NAME

if TYPE_CHECKING:
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log

LAYER = 35
PROGRAM = "drystone.l35_mesh.signin"
_SETTINGS = ("DRYSTONE_PORT", "DRYSTONE_SIGNIN_")
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
_WAY_OUT = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")


def signin_of(home: Home, log: Log, environ: Mapping[str, str]) -> OnDemand:
    """Return the sign-in of a home; nothing listens yet."""
    kept = {name: environ[name] for name in (*_KEPT, *_WAY_OUT) if name in environ}
    kept |= {name: value for name, value in environ.items() if name.startswith(_SETTINGS)}
    return OnDemand(
        NAME,
        place=home.socket(f"{NAME}.sock"),
        command=[sys.executable, "-P", "-m", PROGRAM, "--home", str(home.path)],
        output=home.run / f"{NAME}.log",
        env={"PATH": os.defpath, **kept},
        report=lambda said: log.info("on demand", service=NAME, detail=said),
    )


def signin_at_edge(home: Home) -> OwnService:
    """Return where people and command lines reach the sign-in."""
    return OwnService(name=NAME, title="Sign-in", socket=home.socket(f"{NAME}.sock"), host=HOST)


def signin_part(signin: OnDemand) -> Part:
    """Say how the sign-in comes up: somebody listens for it, and it starts when it is asked."""

    async def listen() -> str:
        signin.start()
        return "on demand"

    return Part(NAME, LAYER, listen, signin.stop)
