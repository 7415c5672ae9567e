"""The live platform as a model, and the versions that people keep of it, in its home."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from datetime import timedelta

from typing_extensions import override

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.contract import ANONYMOUS, Context, connect
from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.home import Home
from drystone.l05_graph.forms import survey
from drystone.l05_graph.model import Model
from drystone.l25_deployer.api import DeployerApi
from drystone.l80_governance.dependencies.models import KeptVersions, Models, Version

FRESH = timedelta(seconds=1)
"""For so long the platform is not asked again: a page and its parts come together."""
LIMIT = timedelta(seconds=10)


class LiveModels(Models):
    """Asks the platform's agent for the model; versions lie in ``dependencies/versions`` of the home.

    Args:
        home: Of the platform; it exists.
        clock: For when versions are kept.
    """

    def __init__(self, home: Home, clock: Clock | None = None) -> None:
        self._home = home
        home.dependencies.mkdir(mode=0o700, exist_ok=True)
        self._kept = KeptVersions(home.dependencies / "versions", clock or SystemClock())
        self._asking = asyncio.Lock()
        self._model = Model()
        self._digest = ""
        self._asked: float | None = None

    @override
    async def current(self) -> Model:
        """Return what runs now.

        Raises:
            Unavailable: The platform's agent does not answer.
            ModelInvalid: What it says contradicts itself.
        """
        async with self._asking:
            now = time.monotonic()
            if self._asked is None or now - self._asked >= FRESH.total_seconds():
                await self._ask()
                self._asked = time.monotonic()
            return self._model

    async def _ask(self) -> None:
        try:
            async with (
                asyncio.timeout(LIMIT.total_seconds()),
                connect(DeployerApi, uds=self._home.agent_socket) as api,
            ):
                said = (await api.dependencies(Context(ANONYMOUS))).survey
        except TimeoutError as e:
            raise Unavailable(
                f"the platform's agent says nothing for {LIMIT.total_seconds():g} s; load the page again"
            ) from e
        digest = hashlib.sha256(said.encode()).hexdigest()
        if digest != self._digest:
            self._model = await asyncio.to_thread(survey.read, said, file="the live platform")
            self._digest = digest

    @override
    async def versions(self) -> Sequence[Version]:
        return await asyncio.to_thread(self._kept.every)

    @override
    async def version(self, name: str) -> Model:
        return await asyncio.to_thread(self._kept.model, name)

    @override
    async def keep(self, model: Model, *, title: str, author: str) -> Version:
        return await asyncio.to_thread(self._kept.keep, model, title, author)
