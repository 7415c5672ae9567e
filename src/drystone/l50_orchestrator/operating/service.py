"""Asks the gate, writes the audit log, and lets the platform do it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.errors import Unavailable
from drystone.l50_orchestrator.operating.api import OperatingApi
from drystone.l50_orchestrator.ports import Action

if TYPE_CHECKING:
    from drystone.l00_kernel.ports import Field
    from drystone.l10_engines.postgres.database import Database
    from drystone.l25_deployer.api import DeployerApi, ExecOutput, Progress
    from drystone.l25_deployer.operations.api import Forwarding, OperationsApi
    from drystone.l50_orchestrator.ports import Book, Gate, Registry

HERE = "here"
_PROGRAM = 200


class Operated(OperatingApi):
    """Operates the services of this platform.

    Args:
        database: Of the orchestrator.
        gate: Decides who may do what.
        book: The audit log.
        registry: Tells where an environment runs.
        deployer: Of this platform.
        operations: Likewise.
    """

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        book: Book,
        registry: Registry,
        deployer: DeployerApi,
        operations: OperationsApi,
    ) -> None:
        self._database = database
        self._gate = gate
        self._book = book
        self._registry = registry
        self._deployer = deployer
        self._operations = operations

    @override
    async def scale(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        instances: int | None = None,
        group: str | None = None,
    ) -> AsyncIterator[Progress]:
        named = await self._allowed(
            ctx,
            Action.STEER,
            "scale",
            (environment, service),
            instances="auto" if instances is None else instances,
            group=group or "",
        )
        async for one in self._operations.scale(
            named, environment=environment, service=service, instances=instances, group=group
        ):
            yield one

    @override
    async def restart(
        self, ctx: Context, *, environment: str, service: str, group: str | None = None
    ) -> AsyncIterator[Progress]:
        named = await self._allowed(
            ctx, Action.STEER, "restart", (environment, service), group=group or ""
        )
        async for one in self._operations.restart(
            named, environment=environment, service=service, group=group
        ):
            yield one

    @override
    async def execute(
        self, ctx: Context, *, environment: str, service: str, command: list[str]
    ) -> AsyncIterator[ExecOutput]:
        program = command[0][:_PROGRAM] if command else ""
        named = await self._allowed(
            ctx, Action.DEPLOY, "exec", (environment, service), program=program
        )
        async for one in self._deployer.execute(
            named, environment=environment, service=service, command=command
        ):
            yield one

    @override
    async def forward(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        to: str | None = None,
        remote: int | None = None,
        local: int | None = None,
    ) -> AsyncIterator[Forwarding]:
        named = await self._allowed(
            ctx, Action.DEPLOY, "forward", (environment, service), to=to or "", port=remote or 0
        )
        async for one in self._operations.forward(
            named, environment=environment, service=service, to=to, remote=remote, local=local
        ):
            yield one

    async def _allowed(
        self, ctx: Context, action: Action, verb: str, key: tuple[str, str], **said: Field
    ) -> Context:
        """Return a context in the name of who asks, once they may do it and it is written down.

        Args:
            ctx: Who asks.
            action: What they must be allowed.
            verb: What they want.
            key: Environment and service.
            said: Particulars for the audit log.

        Raises:
            Denied: They may not.
            NotFound: There is no such environment.
            Unavailable: It runs on another platform.
        """
        environment, service = key
        actor = await self._gate.require(ctx, action, service=service, environment=environment)
        place = await self._registry.environment(environment)
        if place.target != HERE:
            raise Unavailable(
                f"{environment} runs on the platform '{place.target}': operate its services there"
            )
        async with self._database.session() as session, session.transaction():
            await self._book.note(
                session, actor, f"service.{verb}", f"{environment}/{service}", **said
            )
        return Context(Caller(actor.name))
