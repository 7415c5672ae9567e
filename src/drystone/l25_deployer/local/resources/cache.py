"""Caches: one process for each, so that its memory and its keys are its own."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs
from typing_extensions import override

from drystone.l10_engines.cache.configuration import Eviction
from drystone.l10_engines.cache.server import CacheEngine, Valkey
from drystone.l25_deployer.errors import NotRenewable
from drystone.l25_deployer.local.resources.credentials import Credentials, password
from drystone.l25_deployer.local.resources.port import Owner, ResourceDriver
from drystone.l25_deployer.stacks.model import Cache

if TYPE_CHECKING:
    from drystone.l10_engines.supervision.supervisor import Supervisor


class Caches(ResourceDriver[Cache]):
    """Runs a Valkey for each cache, or gives out one that runs elsewhere.

    Args:
        supervisor: Keeps the caches.
        root: Folder with one folder per cache.
        credentials: Makes up and keeps their passwords.
        elsewhere: A cache that somebody else runs, for every resource; None to run them here.
    """

    engine = "valkey"

    def __init__(
        self,
        supervisor: Supervisor,
        root: Path,
        credentials: Credentials,
        elsewhere: CacheEngine | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._root = root
        self._credentials = credentials
        self._elsewhere = elsewhere
        self._running: dict[Owner, tuple[Cache, CacheEngine]] = {}

    @override
    def engine_of(self, owner: Owner) -> str:
        return self._elsewhere.name if self._elsewhere else f"cache {owner.name}"

    @override
    async def apply(self, owner: Owner, wanted: Cache) -> dict[str, str]:
        engine = self._elsewhere or await self._engine(owner, wanted)
        await self._supervisor.ensure(engine.name)
        access = engine.access()
        if self._elsewhere is None:
            coming = (self._credentials.coming(owner) or {}).get("password")
            await engine.also_accept(coming)
            access = structs.replace(access, password=coming or access.password)
        return {
            "url": access.url(),
            "host": access.host,
            "port": str(access.port),
            "password": access.password,
        }

    @override
    def require_renewable(self, owner: Owner) -> None:
        if self._elsewhere is not None:
            raise NotRenewable(
                f"'{owner.resource}' of {owner.service} in {owner.environment} is a cache that somebody else runs: replace"
                " its password there, then change cache.url"
            )

    @override
    async def begin_renewal(self, owner: Owner, wanted: Cache) -> None:
        self._credentials.prepare(owner, {"password": password})
        await self.apply(owner, wanted)

    @override
    async def end_renewal(self, owner: Owner, wanted: Cache) -> None:
        self._credentials.settle(
            owner
        )  # what the server is started with; both open it until it is told
        await self.apply(owner, wanted)

    @override
    async def withdraw_renewal(self, owner: Owner, wanted: Cache) -> None:
        self._credentials.withdraw(owner)
        await self.apply(owner, wanted)

    async def _engine(self, owner: Owner, wanted: Cache) -> CacheEngine:
        """Return the engine with these settings; one that runs with others takes them over."""
        if owner in self._running:
            settings, engine = self._running[owner]
            if settings == wanted:
                return engine
            await self._supervisor.forget(engine.name)
        directory = self._root / owner.path
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = Valkey(
            self.engine_of(owner),
            directory,
            memory=wanted.memory,
            eviction=Eviction(wanted.eviction),
            password_file=self._credentials.file(owner),
        )
        self._supervisor.add(new)
        self._running[owner] = (wanted, new)
        return new

    @override
    async def remove(self, owner: Owner, wanted: Cache) -> None:
        if self._elsewhere is None:
            engine = await self._engine(owner, wanted)
            await self._supervisor.remove(engine.name)
            del self._running[owner]
            await asyncio.to_thread(shutil.rmtree, self._root / owner.path, ignore_errors=True)
        self._credentials.forget(owner)

    @override
    async def suspend(self, owner: Owner) -> None:
        running = self._running.pop(owner, None)
        if running is not None:
            await self._supervisor.remove(running[1].name)
