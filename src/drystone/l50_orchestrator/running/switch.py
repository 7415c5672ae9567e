"""Turns the orchestrator of a home on and off, and remembers which."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.supervision.port import EngineState
from drystone.l50_orchestrator.running.api import OrchestratorApi, OrchestratorView
from drystone.l50_orchestrator.running.engine import NAME, OrchestratorEngine
from drystone.l50_orchestrator.running.errors import OrchestratorNotReady

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.contract import Context
    from drystone.l10_engines.supervision.supervisor import Supervisor


class Wanted(msgspec.Struct, frozen=True):
    """What somebody decided."""

    is_on: bool
    since: datetime
    by: str


class Switch(OrchestratorApi):
    """The orchestrator of a home, on or off.

    Args:
        file: Keeps what was decided.
        engine: The process.
        supervisor: Keeps it running.
        clock: The time.
    """

    def __init__(
        self, file: Path, engine: OrchestratorEngine, supervisor: Supervisor, clock: Clock
    ) -> None:
        self._file = file
        self._engine = engine
        self._supervisor = supervisor
        self._clock = clock

    @property
    def wanted(self) -> Wanted | None:
        """What was decided last; None where nobody ever decided.

        Raises:
            OrchestratorNotReady: The file is damaged.
        """
        content = read_if_exists(self._file)
        try:
            return None if content is None else msgspec.json.decode(content, type=Wanted)
        except msgspec.DecodeError as e:
            raise OrchestratorNotReady(
                f"{self._file} cannot be read ({e}); remove it, and say `drystone orchestrator on` again"
            ) from e

    @override
    async def state(self, ctx: Context) -> OrchestratorView:
        wanted = self.wanted
        if wanted is None:
            return OrchestratorView(is_on=False)
        status = self._engine.status()
        is_ready = wanted.is_on and status.state is EngineState.READY
        return OrchestratorView(
            is_on=wanted.is_on,
            socket=str(self._engine.socket) if is_ready else "",
            since=wanted.since,
            by=wanted.by,
            problem="" if is_ready or not wanted.is_on else status.last_error or "it is starting",
        )

    @override
    async def turn_on(self, ctx: Context) -> OrchestratorView:
        before = self.wanted
        if before is None or not before.is_on:
            self._decide(ctx, is_on=True)
        try:
            await self._supervisor.ensure(NAME)
        except PlatformError as e:
            raise OrchestratorNotReady(f"the orchestrator does not come up: {e}") from e
        return await self.state(ctx)

    @override
    async def turn_off(self, ctx: Context) -> OrchestratorView:
        before = self.wanted
        if before is not None and before.is_on:
            self._decide(ctx, is_on=False)
        await self._supervisor.stop(NAME)
        return await self.state(ctx)

    def _decide(self, ctx: Context, *, is_on: bool) -> None:
        decided = Wanted(is_on, self._clock.now(), ctx.caller.name)
        write_atomically(self._file, msgspec.json.encode(decided))
