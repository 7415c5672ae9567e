"""The services of the orchestrator, put together in one process."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from drystone.l00_kernel.contract import Caller, serve

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l10_engines.on_demand.serving import App
    from drystone.l10_engines.postgres.database import Database


@asynccontextmanager
async def orchestrated(
    home: Home, database: Database, *, clock: Clock, log: Log
) -> AsyncIterator[App]:
    """Bring the tables to the present, and yield what answers; what it has begun ends with the block.

    Args:
        home: Whose services; its agent carries out what is decided.
        database: The orchestrator's tables.
        clock: The time.
        log: Where it reports.

    Raises:
        Unavailable: The database cannot be reached.
    """
    me = Caller(getpass.getuser(), frozenset({"admin"}))

    async def authenticate(_headers: Mapping[str, str]) -> Caller:
        return me  # only the home's owner can open the socket

    yield serve(authenticate=authenticate, clock=clock, log=log)
