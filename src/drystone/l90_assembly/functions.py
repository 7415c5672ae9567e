"""What runs code of services when somebody or something asks for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from drystone.l25_deployer.jobs import batch_protocol
from drystone.l25_deployer.jobs.service import Jobs
from drystone.l25_deployer.jobs.store import RunStore
from drystone.l25_deployer.local.functions.bookmarks import Bookmarks
from drystone.l25_deployer.local.functions.receiving import Receiving
from drystone.l25_deployer.local.functions.service import Functions
from drystone.l25_deployer.local.functions.triggers import Triggers

if TYPE_CHECKING:
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l10_engines.aws.server import AwsEngine
    from drystone.l25_deployer.local.services import Services

SOCKET = "functions.sock"
"""Where the stand-in for AWS hands over what the agent runs."""

BOOKMARKS = "functions"
"""Folder of the home that holds how far functions have come with what calls them."""

RUNS = "jobs"
"""Folder of the home that holds how runs of jobs stand."""


class Computing:
    """Everything that runs code on request.

    Args:
        home: Whose.
        services: What is deployed.
        aws: Where requests come from, and calls wait.
        log: Where to report.
    """

    def __init__(self, home: Home, services: Services, aws: AwsEngine, log: Log) -> None:
        bookmarks = Bookmarks(home.path / BOOKMARKS)
        self.functions = Functions(services, aws, home.socket, bookmarks)
        self.jobs = Jobs(services, RunStore(home.path / RUNS))
        self.jobs.load()
        self._triggers = Triggers(services, self.functions, aws, bookmarks=bookmarks, log=log)
        answer = partial(batch_protocol.answer, self.jobs)
        self._receiving = Receiving(home.socket(SOCKET), self.functions, answer)

    async def begin(self) -> None:
        """Take requests from now on.

        Raises:
            SocketUnusable: Nobody can listen for them.
        """
        self.functions.begin()
        await self._receiving.begin()
        self._triggers.begin()
        self.jobs.begin()

    async def leave(self) -> None:
        """Take none any more, and end what runs of functions; jobs go on."""
        await self.jobs.leave()
        await self._triggers.leave()
        await self._receiving.leave()
        await self.functions.leave()
