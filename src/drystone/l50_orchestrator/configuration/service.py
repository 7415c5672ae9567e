"""The implementation of :class:`ConfigurationApi`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.descriptor.block import Block
from drystone.l50_orchestrator.configuration import store
from drystone.l50_orchestrator.configuration.api import (
    Applied,
    ConfigurationApi,
    ConfigurationPlan,
    File,
)
from drystone.l50_orchestrator.configuration.errors import (
    AppliedElsewhere,
    ApplyStopped,
    FilesRefused,
    RemovalNotConfirmed,
)
from drystone.l50_orchestrator.configuration.reading import (
    Key,
    Reading,
    Wanted,
    dangling,
    read,
    report,
)
from drystone.l50_orchestrator.configuration.steps import Step, difference, words
from drystone.l50_orchestrator.configured import Configured

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.database import Database, Session

PATIENCE = timedelta(minutes=10)
"""How long one apply waits for another."""

_MOST_LEFT = 10


class Configuration(ConfigurationApi):
    """Everything that files can say of the orchestrator.

    Args:
        database: Where the lock is; there are no tables.
        kinds: Each part's own, in no particular order.
        patience: See :data:`PATIENCE`.
    """

    def __init__(
        self,
        database: Database,
        kinds: Iterable[Configured[Any]],
        *,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._database = database
        self._kinds = {one.kind: one for one in kinds}
        self._patience = patience

    @override
    async def plan(
        self, ctx: Context, *, files: list[File], prune: bool = False
    ) -> ConfigurationPlan:
        steps = await self._steps(ctx, await self._read(files), prune=prune)
        return ConfigurationPlan(tuple(step.view() for step in steps), words(steps))

    @override
    async def apply(
        self, ctx: Context, *, files: list[File], prune: bool = False, confirm: str = ""
    ) -> AsyncIterator[Applied]:
        wanted = await self._read(files)
        async with self._session() as session:
            if not await store.is_locked_now(session):
                yield Applied("waiting")
                await self._wait(session)
            steps = await self._steps(ctx, wanted, prune=prune)
            _check_confirmed(steps, confirm)
            for number, step in enumerate(steps):
                await self._do(ctx, steps, number)
                yield Applied("done", number + 1, len(steps), step.view())
            yield Applied("finished", len(steps), len(steps))

    async def _read(self, files: list[File]) -> Wanted:
        reading: Reading = await asyncio.to_thread(read, files, self._kinds)
        if reading.problems:
            raise FilesRefused(reading.report())
        return reading.wanted

    async def _steps(self, ctx: Context, wanted: Wanted, *, prune: bool) -> list[Step]:
        """Compare what is wanted with what is present.

        Raises:
            FilesRefused: Something needs what there will not be.
        """
        present: dict[Key, Block] = {}
        for kind, configured in self._kinds.items():
            for name, item in (await configured.present(ctx)).items():
                present[kind, name] = item
        pruned = wanted.kinds if prune else frozenset[str]()
        items = wanted.items
        stays = {key for key in present if key[0] not in pruned}
        problems = dangling(wanted, stays | items.keys(), self._kinds)
        if problems:
            raise FilesRefused(report(problems, wanted.texts))
        return difference(items, present, self._kinds, prune=pruned)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        session = await self._database.open()
        try:
            yield session
        finally:
            await session.close()

    async def _wait(self, session: Session) -> None:
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await store.lock(session)
        except TimeoutError:
            raise AppliedElsewhere(
                "another apply has not ended for ten minutes: look who it is, and apply again when it has"
            ) from None

    async def _do(self, ctx: Context, steps: list[Step], number: int) -> None:
        step = steps[number]
        kind, name = step.key
        try:
            if step.item is None:
                await self._kinds[kind].remove(ctx, name)
            else:
                await self._kinds[kind].put(ctx, name, step.item)
        except PlatformError as e:
            left = [f"{one.action} {'/'.join(one.key)}" for one in steps[number + 1 :]]
            more = f" and {len(left) - _MOST_LEFT} more" if len(left) > _MOST_LEFT else ""
            after = f"; left: {', '.join(left[:_MOST_LEFT])}{more}" if left else ""
            raise ApplyStopped(
                f"{step.action} {kind}/{name} failed: {e.message}. {number} of {len(steps)} steps are done and stay{after}."
                " Mend this and apply again: what is done is not done again",
                cause=e.code(),
            ) from e


def _check_confirmed(steps: list[Step], confirm: str) -> None:
    needed = words(steps)
    if confirm == needed or not needed:
        return
    gone = [f"{step.key[0]}/{step.key[1]}" for step in steps if step.item is None]
    more = f" and {len(gone) - 20} more" if len(gone) > 20 else ""
    raise RemovalNotConfirmed(
        f"this would remove {', '.join(gone[:20])}{more}; to confirm it, give the words: {needed}",
        words=needed,
    )
