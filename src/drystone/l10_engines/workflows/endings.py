"""Waits for the ends of workflows: one listener for all who wait in this process, and only while somebody does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from drystone.l00_kernel.errors import DeadlineExceeded
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.errors import DatabaseUnavailable
from drystone.l10_engines.workflows import statements, waking
from drystone.l10_engines.workflows.errors import WorkflowNotFound
from drystone.l10_engines.workflows.waking import Outcome

_POLL_S, _AGAIN_S = 2.0, 0.2


class Endings:
    """Tells how workflows ended.

    Args:
        database: Where the tables are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, set[asyncio.Future[Outcome]]] = {}
        self._look = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    async def wait(self, id_: str, within: timedelta) -> Outcome:
        """Wait until a workflow has ended.

        Raises:
            WorkflowNotFound: There is none.
            DeadlineExceeded: It has not ended in time.
            DatabaseUnavailable: It cannot be found out whether there is one.
        """
        if not await self._database.fetch(statements.EXISTS, id=id_):
            raise WorkflowNotFound(f"there is no workflow {id_}, or it was forgotten", workflow=id_)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(id_, set()).add(future)
        self._look.set()
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await future
        except TimeoutError as e:
            raise DeadlineExceeded(f"{id_} has not ended within {within}", workflow=id_) from e
        finally:
            await self._leave(id_, future)

    async def _leave(self, id_: str, future: asyncio.Future[Outcome]) -> None:
        others = self._waiting.get(id_, set())
        others.discard(future)
        if not others:
            self._waiting.pop(id_, None)
        if not self._waiting and self._listener is not None:
            listener, self._listener = self._listener, None
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    async def _listen(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            while True:
                try:
                    session = await self._database.open()
                    try:
                        async for word in session.notified(waking.channel_of(self._database)):
                            if word != waking.DUE:
                                self._look.set()
                    finally:
                        await session.close()
                except DatabaseUnavailable:
                    await asyncio.sleep(_AGAIN_S)

    async def _tell(self) -> None:
        """Look who has ended whenever somebody has, and from time to time."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await self._look.wait()
            self._look.clear()
            with suppress(DatabaseUnavailable):
                rows = await self._database.fetch(statements.OUTCOMES, ids=list(self._waiting))
                for id_, state, result, error in rows:
                    for future in self._waiting.get(id_, set()):
                        if not future.done():
                            future.set_result(waking.outcome(state, result, error))
