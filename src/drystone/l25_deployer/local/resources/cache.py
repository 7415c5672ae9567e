"""Caches: one process for each, so that its memory and its keys are its own."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs
from typing_extensions import override

from drystone.l10_engines.cache import copying
from drystone.l10_engines.cache.configuration import Eviction
from drystone.l10_engines.cache.server import CacheEngine, Valkey
from drystone.l10_engines.supervision.errors import EngineNotFound
from drystone.l25_deployer.errors import NotRenewable
from drystone.l25_deployer.local.ending import finished
from drystone.l25_deployer.local.resources.copies import Copied, LaidOut, Measure
from drystone.l25_deployer.local.resources.credentials import Credentials, password
from drystone.l25_deployer.local.resources.port import Owner, ResourceDriver
from drystone.l25_deployer.stacks.model import Cache

if TYPE_CHECKING:
    from drystone.l10_engines.supervision.supervisor import Supervisor

FILE = "entries"
"""The only file of a copy."""

_SCRATCH = ".restoring"
"""Folder of the caches' own folder; no environment's name begins with a dot."""


class Caches(ResourceDriver[Cache]):
    """Runs a Valkey for each cache, or gives out one that runs elsewhere.

    Args:
        supervisor: Keeps the caches.
        root: Folder with one folder per cache.
        credentials: Makes up and keeps their passwords.
        elsewhere: A cache that somebody else runs, for every resource; None to run them here.
    """

    engine = "valkey"
    has_backup = True

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
        if owner not in self._running and (self._root / _SCRATCH / owner.path).exists():
            await self._beside(owner, new, wanted).discard()
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

    @override
    def backs_up(self, wanted: Cache) -> bool:
        return self._elsewhere is None  # that one holds the entries of others, too

    @override
    async def room_for_copy(self, owner: Owner, wanted: Cache) -> int:
        if self._elsewhere is not None:
            raise self._no_backup(owner)
        return wanted.memory

    @override
    async def back_up(self, owner: Owner, wanted: Cache, folder: Path) -> Copied:
        engine = await self._started(await self._engine(owner, wanted))
        at = datetime.now(UTC)
        dumping = asyncio.to_thread(copying.dump, engine.access(), folder / FILE)
        return Copied(at, _measures(await finished(dumping)))

    @override
    async def lay_out(self, owner: Owner, wanted: Cache, folder: Path) -> LaidOut:
        live = await self._started(await self._engine(owner, wanted))
        beside = self._beside(owner, live, wanted)
        await beside.discard()
        try:
            await beside.load(folder / FILE)
        except BaseException:
            await beside.discard()
            raise
        return beside

    def _beside(self, owner: Owner, live: CacheEngine, wanted: Cache) -> _Beside:
        return _Beside(self._supervisor, self._root / _SCRATCH / owner.path, live, wanted)

    async def _started(self, engine: CacheEngine) -> CacheEngine:
        await self._supervisor.ensure(engine.name)
        return engine


class _Beside(LaidOut):
    """A cache that runs until its entries have taken the place of another one's."""

    def __init__(
        self, supervisor: Supervisor, directory: Path, live: CacheEngine, wanted: Cache
    ) -> None:
        self._supervisor, self._directory, self._live = supervisor, directory, live
        # What lies in a copy fits; evictions would be taken for a damaged one.
        self._scratch = Valkey(
            f"{live.name} restoring",
            directory,
            memory=2 * wanted.memory,
            eviction=Eviction.NOEVICTION,
        )

    async def load(self, file: Path) -> None:
        """Start it, and let it hold what a copy does."""
        self._directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._supervisor.add(self._scratch)
        await self._supervisor.ensure(self._scratch.name)
        await finished(asyncio.to_thread(copying.load, file, self._scratch.access()))

    @override
    async def holds(self) -> dict[str, Measure]:
        return _measures(await asyncio.to_thread(copying.contents, self._scratch.access()))

    @override
    async def put_in_place(self) -> None:
        access = (self._scratch.access(), self._live.access())
        await finished(asyncio.to_thread(copying.take_over, *access))
        await self.discard()

    @override
    async def discard(self) -> None:
        with suppress(EngineNotFound):  # an agent that died has left it to run
            await self._supervisor.remove(self._scratch.name)
        await self._scratch.stop()
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)


def _measures(found: copying.Entries) -> dict[str, Measure]:
    return {"entries": Measure(found.count, found.digest)}
