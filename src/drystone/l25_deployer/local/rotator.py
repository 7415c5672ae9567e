"""Replaces credentials that are old enough, and goes on with what an earlier life of the agent began."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.local.rotation import carry_on, rotate
from drystone.l25_deployer.local.telling import Teller
from drystone.l25_deployer.rotating import age_of, due

if TYPE_CHECKING:
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.services import Services

EVERY = timedelta(seconds=1)
RETRY_AFTER = timedelta(minutes=15)
"""After a replacement that failed, which is told meanwhile."""


class Rotator:
    """Looks every second at every service.

    Args:
        services: What is deployed.
        every: At what age the credentials are replaced of which no descriptor says one; None never.
    """

    def __init__(self, services: Services, *, every: timedelta | None = None) -> None:
        self._services = services
        self._every = every
        self._failed: dict[str, datetime] = {}
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look from now on, until :meth:`leave`."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go_on(), name="rotate")

    async def leave(self) -> None:
        """Stop looking; what was begun is left as it is, and gone on with by the next one."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            await self.look()

    async def look(self) -> None:
        """Look at every service once, one after the other."""
        for kept in self._services.all():
            try:
                await self._look_at(kept)
            except (PlatformError, OSError) as e:
                machine = self._services.machine
                self._failed[kept.name] = machine.clock.now()
                machine.log.warning("credentials not replaced", service=kept.name, reason=str(e))

    async def _look_at(self, kept: KeptService) -> None:
        machine, record = self._services.machine, kept.record
        now = machine.clock.now()
        failed = self._failed.get(kept.name)
        if kept.lock.locked() or not kept.recovered.is_set() or record.operation is not None:
            return
        if failed is None and record.rotation is not None and kept.rotation_trouble[1]:
            failed = self._failed[kept.name] = (
                now  # of somebody who asked for it, and may have stopped it
            )
        if failed is not None and now - failed < RETRY_AFTER:
            return
        # Of resources that are older than this part of the record: their age begins when one is asked for.
        unknown = {
            name: now
            for name, resource in record.eternal.items()
            if name not in record.rotated and age_of(resource, self._every) is not None
        }
        old = due(record.eternal, record.rotated, self._every, now)
        if record.canary is not None or not (unknown or old or record.rotation):
            return
        async with kept.lock:
            if kept.record is not record:
                return  # something was done to it meanwhile; the next look sees what
            if unknown:
                kept.note(rotated={**record.rotated, **unknown})
            tell = Teller(lambda _: None, machine.clock)
            if record.rotation is not None:
                await carry_on(kept, tell)
            elif old:
                await rotate(kept, tell, resources=old, by="platform", adds_versions=False)
        self._failed.pop(kept.name, None)
