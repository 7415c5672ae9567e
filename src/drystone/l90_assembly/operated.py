"""What people see and do of services that run, asked through the orchestrator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.contract import connect
from drystone.l25_deployer.backups.api import BackupsApi
from drystone.l25_deployer.jobs.api import JobsApi
from drystone.l25_deployer.operations.api import OperationsApi
from drystone.l35_mesh.observed.api import ObservedApi
from drystone.l50_orchestrator.operating.allowing import Allowing, Streams
from drystone.l50_orchestrator.operating.jobs import Jobbed
from drystone.l50_orchestrator.operating.keeping import Kept
from drystone.l50_orchestrator.operating.service import Entered, Operated
from drystone.l50_orchestrator.operating.watching import Watched

if TYPE_CHECKING:
    from drystone.l00_kernel.contract import Api
    from drystone.l00_kernel.home import Home
    from drystone.l25_deployer.api import DeployerApi
    from drystone.l50_orchestrator.releases.parts import Parts


class Operations(msgspec.Struct, frozen=True):
    """The services that do it.

    Attributes:
        anywhere: Those that answer over a network, too.
        here: Those that answer on the socket of the home alone.
    """

    anywhere: tuple[Api, ...]
    here: tuple[Api, ...]


@asynccontextmanager
async def operations_of(
    home: Home, deployer: DeployerApi, parts: Parts
) -> AsyncIterator[Operations]:
    """Connect them to the agent of a home, until the block ends.

    Args:
        home: Whose.
        deployer: Of the same home.
        parts: What decides, and what is written in.
    """
    agent = home.agent_socket
    allowing = Allowing(
        parts.database,
        gate=parts.gate,
        book=parts.book,
        registry=parts.registry,
        streams=Streams(),
    )
    async with AsyncExitStack() as stack:
        operations = await stack.enter_async_context(connect(OperationsApi, uds=agent))
        observed = await stack.enter_async_context(connect(ObservedApi, uds=agent))
        jobs = await stack.enter_async_context(connect(JobsApi, uds=agent))
        backups = await stack.enter_async_context(connect(BackupsApi, uds=agent))
        yield Operations(
            anywhere=(
                Operated(allowing, deployer=deployer, operations=operations),
                Watched(allowing, deployer=deployer, operations=operations, observed=observed),
                Kept(allowing, backups),
                Jobbed(allowing, jobs),
            ),
            here=(Entered(allowing, deployer=deployer, operations=operations),),
        )
