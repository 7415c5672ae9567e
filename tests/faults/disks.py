"""Small disks: file systems in memory that tests fill to the last byte."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MEBIBYTE = 1024**2
ROOM = 48 * MEBIBYTE
"""For a home with an edge and a few small services: three times of what a deploy must find free."""


@contextmanager
def small_disk(place: Path, size: int = ROOM, *, files: int = 4000) -> Iterator[Path]:
    """Mount a file system over a folder, and unmount it whatever happens.

    Args:
        place: The folder; what it holds is hidden meanwhile.
        size: Bytes.
        files: How many files it can hold.
    """
    options = f"size={size},nr_inodes={files},mode=711"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"file systems cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        # Lazily at last: what a broken test left running may still have files open on it.
        for words in (["umount"], ["umount"], ["umount", "--lazy"]):
            if (
                subprocess.run([*words, str(place)], capture_output=True, check=False).returncode
                == 0
            ):
                break
            time.sleep(0.5)


class Ballast:
    """What fills a disk: one file, or ever so many empty ones.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ballast"
        self._many = folder / "many"

    def fill(self) -> None:
        """Take every byte that is left, as often as it is called."""
        with suppress(OSError), self._file.open("ab", buffering=0) as stream:
            for size in (MEBIBYTE, 4096, 64, 1):
                with suppress(OSError):
                    while stream.write(bytes(size)) == size:
                        pass

    async def keep_full(self) -> None:
        """Take whatever is given back, until cancelled."""
        while True:
            self.fill()
            await asyncio.sleep(0.01)

    def take_all_files(self) -> None:
        """Make files until no further one can be made."""
        self._many.mkdir(exist_ok=True)
        number = sum(1 for _ in self._many.iterdir())
        with suppress(OSError):
            while True:
                (self._many / str(number)).touch()
                number += 1

    def free(self) -> None:
        """Give everything back."""
        self._file.unlink(missing_ok=True)
        if self._many.exists():
            for path in self._many.iterdir():
                path.unlink()
            self._many.rmdir()
