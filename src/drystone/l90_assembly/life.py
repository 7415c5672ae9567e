"""One life of the agent: put the platform together, answer, bring it up, and leave when told to."""

from __future__ import annotations

import asyncio
import getpass
import signal
import sys
from collections.abc import Mapping

from drystone.l00_kernel import fault_points
from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import Caller, serve
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.migrations import forget_earlier
from drystone.l00_kernel.ports import Log
from drystone.l00_kernel.settings import Settings
from drystone.l80_governance.costs.service import Budgets, Costs, Prices
from drystone.l90_assembly.agent_socket import listening, server_of
from drystone.l90_assembly.arrival import arrive
from drystone.l90_assembly.garbage import old_objects_left_alone
from drystone.l90_assembly.limits import held_of
from drystone.l90_assembly.lines import LineLog
from drystone.l90_assembly.observed import serve_metrics
from drystone.l90_assembly.runtimes import Trials
from drystone.l90_assembly.standalone import Standalone, assemble

LISTENS = FaultPoint("up.socket.bound", "the agent can be reached; nothing was started")


async def live(home: Home, environ: Mapping[str, str], trials: Trials) -> None:
    """Bring the platform up and look after it until it is stopped or this process is told to leave.

    Args:
        home: Where it keeps everything; its lock is held.
        environ: The agent's environment.
        trials: Finds what can run here; begun already.

    Raises:
        PlatformError: It cannot be put together.
    """
    clock = SystemClock()
    log = LineLog(sys.stderr, clock)
    for said in fault_points.arm(environ.get(fault_points.VARIABLE, ""), home.run, log.warning):
        log.warning(said)
    await arrive(home, log)
    settings = Settings.load(home, environ)
    stopped, leaving = asyncio.Event(), asyncio.Event()
    whole = await assemble(
        home,
        settings,
        trials=trials,
        clock=clock,
        log=log,
        environ=environ,
        on_stopped=stopped.set,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leaving.set)
    me = Caller(getpass.getuser(), frozenset({"admin"}))

    async def authenticate(_headers: Mapping[str, str]) -> Caller:
        return me  # only the home's owner can open the socket

    app = serve(
        whole.deployer,
        whole.operations,
        Costs(whole.operations, Prices(settings.costs.prices), Budgets(settings.costs.budgets)),
        whole.keys,
        whole.certificates,
        whole.peers,
        whole.observed,
        held_of(home, whole.services, whole.statistics),
        whole.migrations,
        whole.backups,
        whole.computing.jobs,
        whole.orchestrator,
        authenticate=authenticate,
        clock=clock,
        log=log,
    )
    server = server_of(app)
    with listening(home.agent_socket) as listener, old_objects_left_alone():
        LISTENS.reach()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        counting = asyncio.create_task(serve_metrics(settings.metrics.port, whole.statistics, log))
        copying = asyncio.create_task(whole.schedule.run())
        starting = asyncio.create_task(_start(home, whole, log))
        await _first(stopped, leaving)
        starting.cancel()
        counting.cancel()
        copying.cancel()
        server.should_exit = True
        await serving
        await asyncio.gather(starting, counting, copying, return_exceptions=True)
        await whole.leave()
        log.info("agent leaves")


async def _start(home: Home, whole: Standalone, log: Log) -> None:
    try:
        await whole.platform.start()
    except Exception as e:
        # Nobody waits for this before the agent leaves; whoever looks for what is missing finds it in the log.
        log.error("the start broke off", error=e)  # noqa: TRY400 - not a logger of the library
        raise
    if not whole.platform.startup.failures:
        await asyncio.to_thread(forget_earlier, home)


async def _first(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
