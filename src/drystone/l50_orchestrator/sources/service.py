"""Keeps what services are made of: the implementation of :class:`SourcesApi`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l50_orchestrator.ports import Action, Gate
from drystone.l50_orchestrator.sources import lists
from drystone.l50_orchestrator.sources.api import PREFIX, SourceFile, SourceOffer, SourcesApi
from drystone.l50_orchestrator.sources.errors import SourceUnknown
from drystone.l50_orchestrator.sources.keeping import Shelf

Needed = Callable[[str], Awaitable[frozenset[str]]]
"""Given a service, returns the folders of sources that its releases may need again."""

Places = Callable[[str], Awaitable[list[str]]]
"""Given an environment, or a type whose environments are regions, returns which environments are meant."""

_AT_ONCE = 2
"""Sources that are put together at the same time; the disk does no more."""


class Sources(SourcesApi):
    """Sources in a folder of the home.

    Args:
        root: The folder; nobody else may enter it.
        gate: Who may do what.
        places: Tells which environments are meant.
        needed: Tells which sources stay.
    """

    def __init__(self, root: Path, *, gate: Gate, places: Places, needed: Needed) -> None:
        self._root = root
        self._gate = gate
        self._places = places
        self._needed = needed
        self._making = asyncio.Semaphore(_AT_ONCE)

    @override
    async def offer(
        self, ctx: Context, *, environment: str, service: str, files: list[SourceFile]
    ) -> SourceOffer:
        await self._require(ctx, environment, service)
        ordered = await asyncio.to_thread(lists.checked, files)
        source = await asyncio.to_thread(lists.name_of, ordered)
        shelf, digits = self._shelf(service), lists.digits_of(source)
        async with self._making:
            if await asyncio.to_thread(shelf.folder, digits) is not None:
                return SourceOffer(source)
            if missing := await asyncio.to_thread(shelf.missing, ordered):
                return SourceOffer(source, missing)
            await asyncio.to_thread(shelf.make, digits, ordered)
            folders = await self._needed(service)
            await asyncio.to_thread(shelf.sweep, frozenset(Path(one).name for one in folders))
        return SourceOffer(source)

    @override
    async def send(
        self, ctx: Context, *, environment: str, service: str, pieces: list[bytes]
    ) -> None:
        await self._require(ctx, environment, service)
        await asyncio.to_thread(_put, self._shelf(service), pieces)

    async def folder_of(self, ctx: Context, source: str, *, environment: str, service: str) -> str:
        """Return the folder of a source that was sent for a service.

        Args:
            ctx: Who asks; may deploy the service there.
            environment: Where it is to be deployed.
            service: Which service.
            source: ``sha256:…``; nothing stands for a service that is made of nothing but its descriptor.

        Raises:
            SourceUnknown: It is not kept.
            SourceRefused: It names no source.
            Denied: The caller may not deploy the service there.
        """
        await self._require(ctx, environment, service)
        if not source:
            return str(await asyncio.to_thread(self._nothing))
        found = await asyncio.to_thread(self._shelf(service).folder, lists.digits_of(source))
        if found is None:
            raise SourceUnknown(
                f"{PREFIX}{lists.digits_of(source)} was not sent for {service}, or too long ago; send it again"
            )
        return str(found)

    def _nothing(self) -> Path:
        empty = self._root / ".empty"
        empty.mkdir(mode=0o700, parents=True, exist_ok=True)
        return empty

    def _shelf(self, service: str) -> Shelf:
        return Shelf(self._root / service)

    async def _require(self, ctx: Context, environment: str, service: str) -> None:
        # The gate refuses names that no service can have, so that they can stand in a path.
        places = await self._places(environment)
        await self._gate.require(ctx, Action.DEPLOY, service=service, environment=places[0])


def _put(shelf: Shelf, pieces: list[bytes]) -> None:
    shelf.put({lists.name_of_piece(piece): piece for piece in pieces})
