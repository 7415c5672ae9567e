"""An engine that somebody else runs: the platform connects to it and never starts or stops it."""

from __future__ import annotations

import abc
import asyncio

from typing_extensions import override

from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.port import Engine, EngineState, EngineStatus

PROBE_LIMIT = 1.0
START_LIMIT = 10.0


class ExternalEngine(Engine):
    """The part that all external engines share.

    Args:
        name: The engine's name among all engines of one home.
        endpoint: ``host:port``, for reports.
    """

    def __init__(self, name: str, endpoint: str) -> None:
        super().__init__(name)
        self.endpoint = endpoint
        self._version: str | None = None
        self._last_error = ""

    @abc.abstractmethod
    async def check(self) -> str:
        """Ask the engine for its version, with the credentials that will be used.

        Raises:
            EngineFailed: It refuses, does not answer or is too old.
        """

    @override
    async def start(self) -> None:
        try:
            async with asyncio.timeout(START_LIMIT):
                self._version = await self.check()
        except TimeoutError as e:
            self._last_error = (
                f"{self.name}: nothing answers at {self.endpoint} for {START_LIMIT:g} s; "
                "check the address and the network"
            )
            raise EngineFailed(self._last_error, engine=self.name) from e
        except EngineFailed as e:
            self._last_error = str(e)
            raise
        self._last_error = ""

    @override
    async def stop(self) -> None:
        pass

    @override
    async def is_ready(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_LIMIT):
                await self.check()
        except (TimeoutError, EngineFailed):
            return False
        return True

    @override
    async def wait(self) -> str:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")

    @override
    def status(self) -> EngineStatus:
        return EngineStatus(
            name=self.name,
            state=EngineState.EXTERNAL,
            version=self._version,
            endpoint=self.endpoint,
            last_error=self._last_error,
        )
