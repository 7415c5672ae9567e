"""Volumes: folders of the home that outlive releases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from typing_extensions import override

from drystone.l00_kernel.atomic import sync_folder
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.removal import remove_tree
from drystone.l25_deployer.local.ending import finished
from drystone.l25_deployer.local.resources.copies import Copied, LaidOut, Measure
from drystone.l25_deployer.local.resources.port import Owner, ResourceDriver
from drystone.l25_deployer.stacks.model import Volume

_SCRATCH, _FORMER = ".restoring", ".replaced"
"""Folders of the volumes' own folder; no environment's name begins with a dot."""

VOLUME_BEGUN = FaultPoint("resources.volume.begun", "the folder of a volume is next", writes=True)


class Volumes(ResourceDriver[Volume]):
    """Keeps each volume in a folder of its own.

    Args:
        root: Folder that holds them.
    """

    engine = "file system"
    has_backup = True

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, owner: Owner) -> Path:
        """Return the folder of a volume."""
        return self._root / owner.path

    @override
    async def apply(self, owner: Owner, wanted: Volume) -> dict[str, str]:
        path = self.path(owner)
        VOLUME_BEGUN.reach()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {"path": str(path)}

    @override
    async def remove(self, owner: Owner, wanted: Volume) -> None:
        await asyncio.to_thread(remove_tree, self.path(owner))

    @override
    async def suspend(self, owner: Owner) -> None:
        return

    @override
    async def room_for_copy(self, owner: Owner, wanted: Volume) -> int:
        from drystone.l25_deployer.local.resources import folders  # noqa: PLC0415 - with tarfile

        return await asyncio.to_thread(folders.size_of, self.path(owner))

    @override
    async def back_up(self, owner: Owner, wanted: Volume, folder: Path) -> Copied:
        from drystone.l25_deployer.local.resources import folders  # noqa: PLC0415 - with tarfile

        at = datetime.now(UTC)
        packing = asyncio.to_thread(folders.pack, self.path(owner), folder / folders.FILE)
        found = await finished(packing)
        return Copied(at, {"files": found})

    @override
    async def lay_out(self, owner: Owner, wanted: Volume, folder: Path) -> LaidOut:
        from drystone.l25_deployer.local.resources import folders  # noqa: PLC0415 - with tarfile

        scratch, former = self._root / _SCRATCH / owner.path, self._root / _FORMER / owner.path
        (self._root / _SCRATCH).mkdir(mode=0o700, exist_ok=True)
        await asyncio.to_thread(remove_tree, scratch)
        await finished(asyncio.to_thread(folders.unpack, folder / folders.FILE, scratch))
        return _Beside(scratch, self.path(owner), former)


class _Beside(LaidOut):
    """A folder that is to take the place of another one."""

    def __init__(self, scratch: Path, live: Path, former: Path) -> None:
        self._scratch, self._live, self._former = scratch, live, former

    @override
    async def holds(self) -> dict[str, Measure]:
        from drystone.l25_deployer.local.resources import folders  # noqa: PLC0415 - with tarfile

        return {"files": await asyncio.to_thread(folders.measure, self._scratch)}

    @override
    async def put_in_place(self) -> None:
        await finished(asyncio.to_thread(self._swap))
        await asyncio.to_thread(remove_tree, self._former)

    def _swap(self) -> None:
        """Let the folders change places; a death between the two renames is met by laying out again."""
        if not self._scratch.exists():
            return
        remove_tree(self._former)
        self._former.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._live.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._live.exists():
            self._live.rename(self._former)
        self._scratch.rename(self._live)
        sync_folder(self._live.parent)

    @override
    async def discard(self) -> None:
        await asyncio.to_thread(remove_tree, self._scratch)
