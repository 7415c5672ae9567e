"""Volumes: folders of the home that outlive releases."""

from __future__ import annotations

import asyncio
from pathlib import Path

from typing_extensions import override

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.removal import remove_tree
from drystone.l25_deployer.local.resources.port import Owner, ResourceDriver
from drystone.l25_deployer.stacks.model import Volume

VOLUME_BEGUN = FaultPoint("resources.volume.begun", "the folder of a volume is next", writes=True)


class Volumes(ResourceDriver[Volume]):
    """Keeps each volume in a folder of its own.

    Args:
        root: Folder that holds them.
    """

    engine = "file system"

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
