"""Asks the gate, writes the audit log, and lets the platform do it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l50_orchestrator.operating.allowing import Allowing, Wanted
from drystone.l50_orchestrator.operating.api import EnteringApi, OperatingApi
from drystone.l50_orchestrator.ports import Action

if TYPE_CHECKING:
    from drystone.l00_kernel.context import Context
    from drystone.l00_kernel.ports import Field
    from drystone.l25_deployer.api import DeployerApi, ExecOutput, Progress
    from drystone.l25_deployer.operations.api import Forwarding, OperationsApi

_PROGRAM = 200


class Operated(OperatingApi):
    """Operates the services of this platform.

    Args:
        allowing: Decides, writes down and bounds.
        deployer: Of this platform.
        operations: Likewise.
    """

    def __init__(
        self, allowing: Allowing, *, deployer: DeployerApi, operations: OperationsApi
    ) -> None:
        self._allowing = allowing
        self._deployer = deployer
        self._operations = operations

    @override
    def scale(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        instances: int | None = None,
        group: str | None = None,
    ) -> AsyncIterator[Progress]:
        said: dict[str, Field] = {
            "instances": "auto" if instances is None else instances,
            "group": group or "",
        }
        return self._allowing.stream(
            ctx,
            Wanted(Action.STEER, environment, service, "scale", said),
            lambda named: self._operations.scale(
                named, environment=environment, service=service, instances=instances, group=group
            ),
        )

    @override
    def restart(
        self, ctx: Context, *, environment: str, service: str, group: str | None = None
    ) -> AsyncIterator[Progress]:
        return self._allowing.stream(
            ctx,
            Wanted(Action.STEER, environment, service, "restart", {"group": group or ""}),
            lambda named: self._operations.restart(
                named, environment=environment, service=service, group=group
            ),
        )

    @override
    def rotate(
        self, ctx: Context, *, environment: str, service: str, resource: str | None = None
    ) -> AsyncIterator[Progress]:
        return self._allowing.stream(
            ctx,
            Wanted(Action.STEER, environment, service, "rotate", {"resource": resource or ""}),
            lambda named: self._operations.rotate(
                named, environment=environment, service=service, resource=resource
            ),
        )

    @override
    async def abort(self, ctx: Context, *, environment: str, service: str) -> str:
        wanted = Wanted(Action.STEER, environment, service, "abort")
        named = await self._allowing.allowed(ctx, wanted)
        return await self._deployer.abort(named, environment=environment, service=service)


class Entered(EnteringApi):
    """Reaches into the services of this platform; see :class:`Operated`."""

    def __init__(
        self, allowing: Allowing, *, deployer: DeployerApi, operations: OperationsApi
    ) -> None:
        self._allowing = allowing
        self._deployer = deployer
        self._operations = operations

    @override
    def execute(
        self, ctx: Context, *, environment: str, service: str, command: list[str]
    ) -> AsyncIterator[ExecOutput]:
        said: dict[str, Field] = {"program": command[0][:_PROGRAM] if command else ""}
        return self._allowing.stream(
            ctx,
            Wanted(Action.DEPLOY, environment, service, "exec", said),
            lambda named: self._deployer.execute(
                named, environment=environment, service=service, command=command
            ),
        )

    @override
    def forward(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        to: str | None = None,
        remote: int | None = None,
        local: int | None = None,
    ) -> AsyncIterator[Forwarding]:
        said: dict[str, Field] = {"to": to or "", "port": remote or 0}
        return self._allowing.stream(
            ctx,
            Wanted(Action.DEPLOY, environment, service, "forward", said),
            lambda named: self._operations.forward(
                named, environment=environment, service=service, to=to, remote=remote, local=local
            ),
        )
