"""Further places in which backups lie: folders of other disks, which the settings name and descriptors ask for.

A copy there has the same folder and the same files, and is removed when its time is over there: a place is never emptied because
the first one is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from drystone.l00_kernel.atomic import sync_file, sync_folder
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.shortage import LEAST_BYTES, needs_room, room_at
from drystone.l25_deployer.backups.domain import Manifest, outlived
from drystone.l25_deployer.backups.store import (
    DRAFT,
    BackupStore,
    make_folder,
    read_manifest,
    require_whole,
)
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.stacks.backup_plan import BackupPlan


class FurtherPlaces:
    """Keeps copies of backups in further places; blocking calls.

    Args:
        store: Where the backups lie.
        places: Folders, by the names that descriptors use.
    """

    def __init__(self, store: BackupStore, places: Mapping[str, Path]) -> None:
        self._store, self._places = store, places

    def keep(
        self, owner: Owner, plan: BackupPlan, every: Sequence[Manifest], now: datetime
    ) -> list[str]:
        """Let every place that a plan names hold the backups of a resource, and let old ones go there.

        Args:
            owner: Whose.
            plan: Names the places.
            every: The backups that there are.
            now: The time.

        Returns:
            What failed, a sentence for each place; the others have theirs.
        """
        failed = []
        for name in plan.copy_to:
            try:
                self._keep(owner, name, plan, every, now)
            except (PlatformError, OSError) as e:
                failed.append(f"{name}: {e}")
        return failed

    def _keep(
        self,
        owner: Owner,
        name: str,
        plan: BackupPlan,
        every: Iterable[Manifest],
        now: datetime,
    ) -> None:
        if name not in self._places:
            known = ", ".join(sorted(self._places)) or "none is named"
            raise PlatformError(
                f"the settings know no such place ({known}): name its folder in the table [backups.places]"
            )
        root = self._places[name]
        if not root.is_dir():
            raise PlatformError(f"the folder {root} is missing: is its disk there?")
        there = BackupStore(root)
        for one in every:
            if not there.has(owner, one.id):
                self._copy(owner, one, there)
        for one in outlived(there.all(owner), keep=plan.keep, now=now):
            there.remove(owner, one.id)

    def _copy(self, owner: Owner, one: Manifest, there: BackupStore) -> None:
        """Copy a backup and read every byte of the copy again before it gets its name."""
        source, target = self._store.place(owner, one.id), there.folder(owner) / one.id
        room = room_at(there.root)
        if room.bytes < one.size + LEAST_BYTES:
            raise PlatformError(
                f"{room.sentence()}; a backup of {one.size / 1e6:.0f} MB has no room"
            )
        draft = target.with_name(f"{DRAFT}{one.id}")
        shutil.rmtree(draft, ignore_errors=True)
        with needs_room(there.root):
            make_folder(draft)
            try:
                for path in sorted(source.rglob("*")):
                    if path.is_file():
                        into = draft / path.relative_to(source)
                        make_folder(into.parent)
                        shutil.copyfile(path, into)
                        sync_file(into)
                require_whole(draft, read_manifest(draft).parts)
                sync_folder(draft)
                draft.rename(target)
                sync_folder(target.parent)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
