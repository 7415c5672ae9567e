"""The view of the dependency model, as a service on demand."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from drystone.l10_engines.on_demand.service import OnDemand
from drystone.l10_engines.proxy.edge import OwnService
from drystone.l25_deployer.local.startup import Part

if TYPE_CHECKING:
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l00_kernel.settings import Settings

VIEW, LAYER = "dependencies", 80
PROGRAM = "drystone.l80_governance.dependencies"
"""Its package, which the agent never imports: it needs libraries that are large."""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Libraries of linear algebra would take every processor, from those who serve."""


def view_of(home: Home, settings: Settings, log: Log, environ: Mapping[str, str]) -> OnDemand:
    """Return the view of a home; nothing listens yet."""
    command = [sys.executable, "-P", "-m", PROGRAM, "--home", str(home.path)]
    command += ["--idle-minutes", str(settings.dependencies.idle_minutes)]
    kept = {name: environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in environ}
    return OnDemand(
        VIEW,
        place=home.socket(f"{VIEW}.sock"),
        command=command,
        output=home.run / f"{VIEW}.log",
        env={"PATH": os.defpath, **kept, **_ONE_THREAD},
        report=lambda said: log.info("on demand", service=VIEW, detail=said),
    )


def view_at_edge(home: Home) -> OwnService:
    """Return where people reach the view."""
    return OwnService(name=VIEW, title="Dependencies", socket=home.socket(f"{VIEW}.sock"))


def view_part(view: OnDemand) -> Part:
    """Say how the view comes up: somebody listens for it, and it starts when it is asked."""

    async def listen() -> str:
        view.start()
        return "on demand"

    return Part(VIEW, LAYER, listen, view.stop)
