"""The live platform as a model, what its own edge has seen, and what people keep of both in its home."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import suppress
from datetime import timedelta

from typing_extensions import override

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.contract import ANONYMOUS, Context, connect
from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l00_kernel.home import Home
from drystone.l05_graph.evidence import Batch, Evidence
from drystone.l05_graph.forms import survey
from drystone.l05_graph.model import Model
from drystone.l25_deployer.api import DeployerApi
from drystone.l25_deployer.edge_log import AT_THE_EDGE, EdgeLog
from drystone.l35_mesh.observed.api import ObservedApi
from drystone.l35_mesh.observed.evidence import batch_of
from drystone.l80_governance.dependencies.models import Durations, KeepingModels, Took

FRESH = timedelta(seconds=1)
"""For so long the platform is not asked again: a page and its parts come together."""
LIMIT = timedelta(seconds=10)
REFUSED_ANEW = timedelta(seconds=5)
"""What services tried in vain is asked again after so long; proxy and agent take up to three seconds more."""
TIMED_ANEW = timedelta(seconds=5)
"""How long calls took is asked again after so long; proxies bring it up to date as often."""
SEEN_ANEW = timedelta(seconds=30)
"""Every page is a line of the edge's log; what it says is read again after so long."""


class LiveModels(KeepingModels):
    """Asks the platform's agent for the model, and the log of its edge for who was called from outside.

    Versions lie in ``dependencies/versions`` of the home, and what people have imported in ``dependencies/evidence.jsonl``.

    Args:
        home: Of the platform; it exists.
        clock: For when versions are kept.
        seen_anew: How long what the edge has seen is not read again.
    """

    def __init__(
        self, home: Home, clock: Clock | None = None, *, seen_anew: timedelta = SEEN_ANEW
    ) -> None:
        self._home = home
        home.dependencies.mkdir(mode=0o700, exist_ok=True)
        super().__init__(
            versions=home.dependencies / "versions", evidence=home.evidence, clock=clock
        )
        self._asking = asyncio.Lock()
        self._model = Model()
        self._digest = ""
        self._asked: float | None = None
        self._looking = asyncio.Lock()
        self._edge = EdgeLog(home.access_log)
        self._seen_anew = seen_anew
        self._looked: float | None = None
        self._heard: float | None = None
        self._timing = asyncio.Lock()
        self._timed: float | None = None
        self._durations: Durations = {}
        self._refused: Batch | None = None
        self._batches: tuple[Batch, ...] = ()
        self._all = Evidence()
        self._parts: tuple[Evidence, tuple[Batch, ...], Batch | None] = (self._all, (), None)

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

    async def _last_known(self) -> Model:
        """Return what runs now, or what ran when somebody could say: versions are shown without the agent too."""
        try:
            return await self.current()
        except PlatformError:
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
    async def evidence(self) -> Evidence:
        imported, model = await super().evidence(), await self._last_known()
        async with self._looking:
            now = time.monotonic()
            if self._looked is None or now - self._looked >= self._seen_anew.total_seconds():
                self._batches = await asyncio.to_thread(self._edge.batches, model)
                self._looked = time.monotonic()
            await self._hear(now)
            parts = (imported, self._batches, self._refused)
            if any(new is not old for new, old in zip(parts, self._parts, strict=True)):
                refused = () if self._refused is None else (self._refused,)
                self._all = await asyncio.to_thread(imported.replaced_by, *self._batches, *refused)
                self._parts = parts
            return self._all

    async def _hear(self, now: float) -> None:
        """Ask what was refused; without the agent, what it said last stays."""
        if self._heard is not None and now - self._heard < REFUSED_ANEW.total_seconds():
            return
        with suppress(PlatformError, TimeoutError):
            async with (
                asyncio.timeout(LIMIT.total_seconds()),
                connect(ObservedApi, uds=self._home.agent_socket) as api,
            ):
                found = batch_of((await api.refusals(Context(ANONYMOUS))).refusals)
            if found != self._refused:
                self._refused = found if found.observations else None
        self._heard = time.monotonic()

    @override
    async def durations(self) -> Durations:
        async with self._timing:
            now = time.monotonic()
            if self._timed is None or now - self._timed >= TIMED_ANEW.total_seconds():
                with suppress(
                    PlatformError, TimeoutError
                ):  # without the agent, what it said last stays
                    async with (
                        asyncio.timeout(LIMIT.total_seconds()),
                        connect(ObservedApi, uds=self._home.agent_socket) as api,
                    ):
                        said = await api.durations(Context(ANONYMOUS))
                    self._durations = {
                        (one.caller or AT_THE_EDGE, one.callee): Took(
                            one.p50, one.p95, one.p99, said.since
                        )
                        for one in said.durations
                    }
                self._timed = time.monotonic()
            return self._durations

    @property
    @override
    def how_to_import(self) -> str:
        return "drystone deps ingest SOURCE FILE…"
