"""How far a function has come with a stream, or with the time: a small file for each, written after what it tells of is done."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, write_atomically


class Bookmark(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far somebody has come.

    Attributes:
        since: When it was begun.
        shards: Of a stream, the sequence number of the last record that was finished, by shard.
        last: Of a clock, when it last called.
    """

    since: datetime
    shards: dict[str, str] = {}
    last: datetime | None = None


class Bookmarks:
    """The bookmarks of a home.

    Args:
        root: Folder that holds them.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, owner: str, function: str, trigger: str, now: datetime) -> Bookmark:
        """Return a bookmark; the first time it is made, and is of now.

        Args:
            owner: Whose account the function lies in.
            function: Its name.
            trigger: What the descriptor calls that which calls it.
            now: The time.

        Raises:
            DiskFull: It cannot be written.
        """
        found = read_if_exists(self._path(owner, function, trigger))
        if found is not None:
            try:
                return msgspec.json.decode(found, type=Bookmark)
            except msgspec.MsgspecError:
                pass  # begins anew: too often rather than never
        made = Bookmark(now)
        self.write(owner, function, trigger, made)
        return made

    def write(self, owner: str, function: str, trigger: str, bookmark: Bookmark) -> None:
        """Write how far somebody has come.

        Raises:
            DiskFull: It cannot be written.
        """
        path = self._path(owner, function, trigger)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.encode(bookmark))

    def forget(self, owner: str, function: str) -> None:
        """Remove the bookmarks of a function. Idempotent."""
        shutil.rmtree(self._root / owner / function, ignore_errors=True)

    def _path(self, owner: str, function: str, trigger: str) -> Path:
        return self._root / owner / function / f"{trigger}.json"
