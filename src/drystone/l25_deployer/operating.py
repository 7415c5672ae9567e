"""Operations as tasks: they go on when their callers leave, and all of them end when the platform stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l25_deployer.local import operations
from drystone.l25_deployer.local.telling import Teller

if TYPE_CHECKING:
    from drystone.l25_deployer.api import Progress
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.services import Services


class Operating:
    """Runs operations on services.

    Args:
        services: What is deployed.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._machine = services.machine
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    async def stop(self) -> None:
        """Abort every operation, and begin no other one."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def operate(
        self,
        kept: KeptService,
        work: Callable[[Teller], Awaitable[None]],
        *,
        wait: bool = True,
        key: str | None = None,
    ) -> AsyncIterator[Progress]:
        """Run an operation in a task of its own and yield its progress.

        An operation that has begun goes on when the caller leaves; one that waits for its turn gives it up.
        """
        if self._is_stopping:
            raise Unavailable("the platform is stopping; start it again with `drystone up`")
        queue: asyncio.Queue[Progress | None] = asyncio.Queue()
        tell = Teller(queue.put_nowait, self._machine.clock)

        async def run() -> None:
            try:
                await operations.exclusively(kept, tell, lambda: work(tell), wait=wait, key=key)
            finally:
                kept.users -= 1
                self._services.drop_if_empty(kept)
                queue.put_nowait(None)

        kept.users += 1
        task = asyncio.create_task(run(), name=f"operate on {kept.name}")
        self._tasks.add(task)
        task.add_done_callback(self._over)
        try:
            while (progress := await queue.get()) is not None:
                yield progress
        finally:
            if not task.done() and kept.task is not task:
                task.cancel()  # it still waits for its turn, and nobody waits for it any more
        await task

    async def run(
        self, name: str, work: Callable[[Teller], Awaitable[None]]
    ) -> AsyncGenerator[Progress, None]:
        """Do something beside the operations, in a task of its own that ends with its caller, and yield its progress.

        Args:
            name: What it is, for the log.
            work: Does it.
        """
        if self._is_stopping:
            raise Unavailable("the platform is stopping; start it again with `drystone up`")
        queue: asyncio.Queue[Progress | None] = asyncio.Queue()
        tell = Teller(queue.put_nowait, self._machine.clock)

        async def run() -> None:
            try:
                await work(tell)
            finally:
                queue.put_nowait(None)

        task = asyncio.create_task(run(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        try:
            while (progress := await queue.get()) is not None:
                yield progress
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))  # so that nothing is left of it when its caller goes on
        await task

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, PlatformError):
            self._machine.log.error("operation failed", error=error, task=task.get_name())
