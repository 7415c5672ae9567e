"""The calls of :class:`RegistryApi` about environments and targets: who may is asked here, the rest is done by :class:`Grounds`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l50_orchestrator.ports import Action
from drystone.l50_orchestrator.registry.api import (
    EnvironmentSaid,
    EnvironmentView,
    RegistryApi,
    TargetSaid,
    TargetView,
)
from drystone.l50_orchestrator.registry.grounds import Grounds

if TYPE_CHECKING:
    from drystone.l50_orchestrator.ports import Gate


class Managing(RegistryApi):
    """What services run on, for those who may see or change it.

    Args:
        gate: Who may.
        grounds: Environments and targets.
    """

    def __init__(self, gate: Gate, grounds: Grounds) -> None:
        self._gate = gate
        self._grounds = grounds

    @override
    async def environments(self, ctx: Context) -> list[EnvironmentView]:
        await self._gate.require(ctx, Action.SEE)
        return await self._grounds.environments()

    @override
    async def set_environment(
        self, ctx: Context, *, environment: str, said: EnvironmentSaid
    ) -> EnvironmentView:
        actor = await self._gate.require(ctx, Action.ADMINISTER, environment=environment)
        return await self._grounds.set_environment(actor, environment, said)

    @override
    async def remove_environment(self, ctx: Context, *, environment: str) -> None:
        actor = await self._gate.require(ctx, Action.ADMINISTER, environment=environment)
        await self._grounds.remove_environment(actor, environment)

    @override
    async def targets(self, ctx: Context) -> list[TargetView]:
        await self._gate.require(ctx, Action.SEE)
        return await self._grounds.targets()

    @override
    async def set_target(self, ctx: Context, *, target: str, said: TargetSaid) -> TargetView:
        actor = await self._gate.require(ctx, Action.ADMINISTER)
        return await self._grounds.set_target(actor, target, said)

    @override
    async def remove_target(self, ctx: Context, *, target: str) -> None:
        actor = await self._gate.require(ctx, Action.ADMINISTER)
        await self._grounds.remove_target(actor, target)
