"""Searches: one process for each, so that its memory, its documents and its password are its own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs
from typing_extensions import override

from drystone.l00_kernel.atomic import sync_folder
from drystone.l00_kernel.removal import remove_tree
from drystone.l10_engines.search import copying
from drystone.l10_engines.search.server import SearchEngine, Tantivy
from drystone.l25_deployer.local.ending import finished
from drystone.l25_deployer.local.resources.copies import Copied, LaidOut, Measure
from drystone.l25_deployer.local.resources.credentials import Credentials, password
from drystone.l25_deployer.local.resources.port import Owner, ResourceDriver
from drystone.l25_deployer.stacks.provided import Search

if TYPE_CHECKING:
    from drystone.l10_engines.supervision.supervisor import Supervisor

_SCRATCH = ".restoring"
"""Folder of the searches' own folder; no environment's name begins with a dot."""


class Searches(ResourceDriver[Search]):
    """Runs a process for each search.

    Args:
        supervisor: Keeps the processes.
        root: Folder with one folder per search.
        credentials: Makes up and keeps their passwords.
    """

    engine = "search"
    has_backup = True

    def __init__(self, supervisor: Supervisor, root: Path, credentials: Credentials) -> None:
        self._supervisor = supervisor
        self._root = root
        self._credentials = credentials
        self._running: dict[Owner, tuple[int, Tantivy]] = {}

    @override
    def engine_of(self, owner: Owner) -> str:
        return f"search {owner.name}"

    @override
    async def apply(self, owner: Owner, wanted: Search) -> dict[str, str]:
        engine = await self._started(owner, wanted)
        coming = (self._credentials.coming(owner) or {}).get("password")
        engine.also_accept(coming)
        if wanted.indices:
            await engine.declare(wanted.indices)
        access = engine.access()
        access = structs.replace(access, password=coming or access.password)
        return {
            "url": access.url(),
            "host": access.host,
            "port": str(access.port),
            "user": access.user,
            "password": access.password,
        }

    @override
    def require_renewable(self, owner: Owner) -> None:
        return

    @override
    async def begin_renewal(self, owner: Owner, wanted: Search) -> None:
        self._credentials.prepare(owner, {"password": password})
        await self.apply(owner, wanted)

    @override
    async def end_renewal(self, owner: Owner, wanted: Search) -> None:
        self._credentials.settle(owner)
        await self.apply(owner, wanted)

    @override
    async def withdraw_renewal(self, owner: Owner, wanted: Search) -> None:
        self._credentials.withdraw(owner)
        await self.apply(owner, wanted)

    async def _started(self, owner: Owner, wanted: Search) -> SearchEngine:
        engine = await self._engine(owner, wanted)
        await self._supervisor.ensure(engine.name)
        return engine

    async def _engine(self, owner: Owner, wanted: Search) -> Tantivy:
        """Return the engine; one that runs with another bound is started anew."""
        if owner in self._running:
            most, engine = self._running[owner]
            if most == wanted.storage:
                return engine
            await self._supervisor.remove(engine.name)
        directory = self._root / owner.path
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = Tantivy(
            self.engine_of(owner),
            directory,
            most=wanted.storage,
            password_file=self._credentials.file(owner),
        )
        self._supervisor.add(new)
        self._running[owner] = (wanted.storage, new)
        return new

    @override
    async def remove(self, owner: Owner, wanted: Search) -> None:
        engine = await self._engine(owner, wanted)
        await self._supervisor.remove(engine.name)
        del self._running[owner]
        await asyncio.to_thread(remove_tree, self._root / owner.path)
        self._credentials.forget(owner)

    @override
    async def suspend(self, owner: Owner) -> None:
        running = self._running.pop(owner, None)
        if running is not None:
            await self._supervisor.remove(running[1].name)

    @override
    async def room_for_copy(self, owner: Owner, wanted: Search) -> int:
        engine = await self._started(owner, wanted)
        return await asyncio.to_thread(copying.size_of, self._data(owner, engine))

    def _data(self, owner: Owner, _engine: SearchEngine) -> Path:
        return self._root / owner.path / "data"

    @override
    async def back_up(self, owner: Owner, wanted: Search, folder: Path) -> Copied:
        engine = await self._started(owner, wanted)
        at = datetime.now(UTC)
        await finished(asyncio.to_thread(copying.dump, self._data(owner, engine), folder))
        found = asyncio.to_thread(copying.contents, folder / copying.DOCUMENTS)
        return Copied(at, _measures(await finished(found)))

    @override
    async def lay_out(self, owner: Owner, wanted: Search, folder: Path) -> LaidOut:
        scratch = self._root / _SCRATCH / owner.path
        await asyncio.to_thread(remove_tree, scratch)
        await finished(asyncio.to_thread(_laid, folder / copying.DOCUMENTS, scratch))
        return _Beside(self, owner, wanted, scratch)

    async def exchange(self, owner: Owner, wanted: Search, scratch: Path) -> None:
        """Let a folder of documents take the place of the one in use, in a process that begins with it.

        Args:
            owner: Whose search.
            wanted: What it is to be.
            scratch: The folder; it is gone afterwards, and what is not there any more is in use already.
        """
        engine = await self._engine(owner, wanted)
        if await asyncio.to_thread(scratch.exists):
            await self._supervisor.remove(engine.name)
            del self._running[owner]
            await finished(asyncio.to_thread(_swap, scratch, self._root / owner.path / "data"))
        await self._started(owner, wanted)


class _Beside(LaidOut):
    """Documents that are to take the place of others."""

    def __init__(self, searches: Searches, owner: Owner, wanted: Search, scratch: Path) -> None:
        self._searches, self._owner, self._wanted = searches, owner, wanted
        self._scratch = scratch

    @override
    async def holds(self) -> dict[str, Measure]:
        found = asyncio.to_thread(copying.contents, self._scratch / copying.DOCUMENTS)
        return _measures(await finished(found))

    @override
    async def put_in_place(self) -> None:
        await self._searches.exchange(self._owner, self._wanted, self._scratch)

    @override
    async def discard(self) -> None:
        await asyncio.to_thread(remove_tree, self._scratch)


def _laid(copy: Path, scratch: Path) -> None:
    """Lay a copy out in a folder; a link would let the engine write into the backup."""
    scratch.mkdir(mode=0o700, parents=True)
    copying.lay(copy, scratch / copying.DOCUMENTS)


def _swap(scratch: Path, live: Path) -> None:
    """Let the folders change places; a death between the two renames is met by laying out again."""
    former = scratch.with_name(f"{scratch.name}.replaced")
    remove_tree(former)
    live.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if live.exists():
        live.rename(former)
    scratch.rename(live)
    sync_folder(live.parent)
    remove_tree(former)


def _measures(found: dict[str, copying.Contents]) -> dict[str, Measure]:
    return {name: Measure(one.count, one.digest) for name, one in found.items()}
