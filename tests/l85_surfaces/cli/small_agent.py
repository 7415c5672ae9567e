"""Serve a small platform on a home's socket: what an agent is to the command line.

::

    python small_agent.py HOME [good | half | slow | refuse | crash]
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import uvicorn
from typing_extensions import override

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import ANONYMOUS, Caller, Context, serve
from drystone.l00_kernel.home import Home
from drystone.l10_engines.proxy.refusal_log import refusals_beside
from drystone.l20_trust.keys.service import Keys
from drystone.l35_mesh.observed.landscape import Known, Landscape, Need
from drystone.l35_mesh.observed.service import Observed
from drystone.l50_orchestrator.running.api import OrchestratorApi, OrchestratorView
from l20_trust.key_rings import NoServer, bare_store
from l85_surfaces.cli.small_limits import SmallLimits
from l85_surfaces.cli.small_platform import SmallPlatform

LANDSCAPE = Landscape(
    services={"dev/orders": Known(needs={"dev/mail": Need("mail", ("GET /boxes/*",))})}
)


class NoOrchestrator(OrchestratorApi):
    """Is off, whatever somebody wants."""

    @override
    async def state(self, ctx: Context) -> OrchestratorView:
        return OrchestratorView(is_on=False)

    @override
    async def turn_on(self, ctx: Context) -> OrchestratorView:
        return OrchestratorView(is_on=False)

    @override
    async def turn_off(self, ctx: Context) -> OrchestratorView:
        return OrchestratorView(is_on=False)


async def anybody(headers: Mapping[str, str]) -> Caller:
    """Let the file permissions of the socket decide."""
    return ANONYMOUS


def server_for(platform: SmallPlatform, folder: Path) -> uvicorn.Server:
    """Return a server of the platform, and of what service keys and refusals lie in the home, on the home's socket."""
    keys = Keys(bare_store(Home(folder).trust), clock=SystemClock(), repository=NoServer())
    home = Home(folder)
    observed = Observed(refusals_beside(home.access_log), lambda: LANDSCAPE, SystemClock())
    config = uvicorn.Config(
        serve(platform, keys, observed, SmallLimits(), NoOrchestrator(), authenticate=anybody),
        uds=str(Home(folder).agent_socket),
        log_level="error",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def main(folder: Path, mood: str) -> int:
    """Serve until told to stop."""
    print(f"agent starts in a {mood} mood", flush=True)  # noqa: T201
    if mood == "refuse":
        return 3
    if mood == "crash":
        return 1
    if mood == "slow":
        time.sleep(60)
    platform = SmallPlatform(str(folder))
    if mood == "half":
        platform.problems = ["postgres: disk full"]
    server = server_for(platform, folder)

    def leave() -> None:
        asyncio.get_running_loop().call_later(0.05, setattr, server, "should_exit", True)

    platform._stopped = leave
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), (sys.argv[2:] or ["good"])[0]))
