"""Copies of what services keep, and the way back to one, for those who may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l50_orchestrator.access.gate import PLATFORM_ROLE
from drystone.l50_orchestrator.operating.allowing import Allowing, Wanted
from drystone.l50_orchestrator.operating.api import KeepingApi
from drystone.l50_orchestrator.ports import Action

if TYPE_CHECKING:
    from datetime import datetime

    from drystone.l00_kernel.context import Context
    from drystone.l00_kernel.ports import Field
    from drystone.l25_deployer.api import Progress
    from drystone.l25_deployer.backups.api import BackupsApi, ResourceBackups


class Kept(KeepingApi):
    """Asks for copies of what the services of this platform keep.

    Args:
        allowing: Decides, writes down and bounds.
        backups: Of this platform.
    """

    def __init__(self, allowing: Allowing, backups: BackupsApi) -> None:
        self._allowing = allowing
        self._backups = backups

    @override
    async def backups(
        self, ctx: Context, *, environment: str, service: str
    ) -> list[ResourceBackups]:
        named = await self._allowing.allowed(ctx, Wanted(Action.SEE, environment, service))
        found = await self._backups.backups(named, environment=environment, service=service)
        return found if PLATFORM_ROLE in ctx.caller.roles else [_placeless(one) for one in found]

    @override
    def take(
        self, ctx: Context, *, environment: str, service: str, resource: str | None = None
    ) -> AsyncIterator[Progress]:
        return self._allowing.stream(
            ctx,
            Wanted(
                Action.BACK_UP, environment, service, "backup", {"resource": resource or "every"}
            ),
            lambda named: self._backups.take(
                named, environment=environment, service=service, resource=resource
            ),
        )

    @override
    def restore(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        resource: str,
        backup: str | None = None,
        at: datetime | None = None,
        confirm: str | None = None,
        keeps_before: bool = True,
    ) -> AsyncIterator[Progress]:
        said: dict[str, Field] = {
            "resource": resource,
            "backup": backup or "",
            "to": "" if at is None else at.isoformat(),
            "keeps_before": keeps_before,
        }
        return self._allowing.stream(
            ctx,
            Wanted(Action.RESTORE, environment, service, "restore", said),
            lambda named: self._backups.restore(
                named,
                environment=environment,
                service=service,
                resource=resource,
                backup=backup,
                at=at,
                confirm=confirm,
                keeps_before=keeps_before,
            ),
        )

    @override
    def prove(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        resource: str,
        backup: str | None = None,
    ) -> AsyncIterator[Progress]:
        said: dict[str, Field] = {"resource": resource, "backup": backup or ""}
        return self._allowing.stream(
            ctx,
            Wanted(Action.BACK_UP, environment, service, "restore-test", said),
            lambda named: self._backups.prove(
                named,
                environment=environment,
                service=service,
                resource=resource,
                backup=backup,
            ),
        )


def _placeless(found: ResourceBackups) -> ResourceBackups:
    """Return backups without where they lie on the machine, which is its owner's to know."""
    backups = [msgspec.structs.replace(one, folder="") for one in found.backups]
    return msgspec.structs.replace(found, backups=backups)
