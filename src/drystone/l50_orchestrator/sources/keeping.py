"""Sources on a disk: ``<root>/<service>/pieces/<sha256>`` and ``<root>/<service>/folders/<sha256>``.

A folder is made beside its place and moved there whole, so that one that has its name is complete.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.removal import remove_tree
from drystone.l00_kernel.shortage import needs_room
from drystone.l25_deployer.builds.folder import read_folder
from drystone.l25_deployer.errors import ArtefactRefused
from drystone.l50_orchestrator.sources.api import SourceFile
from drystone.l50_orchestrator.sources.errors import SourceRefused, TooMuchSent
from drystone.l50_orchestrator.sources.lists import MOST_BYTES, name_of_piece

PIECES_BYTES = 2 * MOST_BYTES
"""Of the pieces that are kept for one service: what it deploys next is mostly made of the same."""

_YOUNG = timedelta(minutes=10)
_SPARE_FOLDERS = 10


class Shelf:
    """The sources of one service.

    Args:
        place: Its folder, which need not exist.
    """

    def __init__(self, place: Path) -> None:
        self._pieces = place / "pieces"
        self._folders = place / "folders"

    def folder(self, digits: str) -> Path | None:
        """Return a source's folder, used now; None where it is not kept."""
        place = self._folders / digits
        try:
            os.utime(place)
        except FileNotFoundError:
            return None
        return place

    def missing(self, files: Sequence[SourceFile]) -> tuple[str, ...]:
        """Return the pieces that are not there, each once."""
        wanted = dict.fromkeys(piece for one in files for piece in one.pieces)
        return tuple(piece for piece in wanted if not (self._pieces / piece).is_file())

    def put(self, pieces: Mapping[str, bytes]) -> None:
        """Keep pieces, by their names.

        Raises:
            TooMuchSent: There is no room for them among the others.
            DiskFull: The disk is full.
        """
        with needs_room(self._pieces):
            self._pieces.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(sum(map(len, pieces.values())))
            for name, piece in pieces.items():
                write_atomically(self._pieces / name, piece, durably=False)

    def _make_room(self, size: int) -> None:
        room = PIECES_BYTES - size
        if sum(one.st_size for _, one in self._kept()) <= room:
            return
        before = time.time() - _YOUNG.total_seconds()
        for path, one in self._kept():
            if one.st_mtime < before:
                path.unlink(missing_ok=True)
        if sum(one.st_size for _, one in self._kept()) > room:
            raise TooMuchSent

    def _kept(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._pieces.iterdir():
            with suppress(FileNotFoundError):  # written under another name a moment ago
                yield path, path.stat()

    def make(self, digits: str, files: Sequence[SourceFile]) -> None:
        """Make the folder of a source, whose pieces are all there.

        Raises:
            SourceRefused: It is too large, or no folder that a service can be made of.
            DiskFull: The disk is full.
        """
        with needs_room(self._folders):
            self._folders.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = self._folders / f".{digits}-{secrets.token_hex(8)}"
            try:
                self._fill(place, files)
                self._check(place, files)
                os.sync()  # once for thousands of files: what has its name is whole after a power cut, too
                place.rename(self._folders / digits)
            except FileExistsError:
                pass
            except OSError:
                if not (self._folders / digits).is_dir():  # somebody else was faster
                    raise
            finally:
                remove_tree(place)

    def _fill(self, place: Path, files: Sequence[SourceFile]) -> None:
        place.mkdir(mode=0o700)
        size = 0
        links = []
        for one in files:
            path = place / one.path
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if one.kind == "link":
                links.append((path, one.target))
                continue
            with path.open("xb") as file:
                for name in one.pieces:
                    piece = self._piece(name)
                    size += len(piece)
                    if size > MOST_BYTES:
                        raise SourceRefused(
                            f"the source has more than {MOST_BYTES // 1024**2} MiB: build an image of it instead"
                        )
                    file.write(piece)
            path.chmod(0o700 if one.kind == "program" else 0o600)
            for name in one.pieces:
                os.utime(self._pieces / name)
        for path, target in links:  # last, so that nothing is ever written behind one
            path.symlink_to(target)

    def _piece(self, name: str) -> bytes:
        """Return what a piece holds; one that a power cut damaged is asked for again."""
        path = self._pieces / name
        piece = path.read_bytes()
        if name_of_piece(piece) != name:
            path.unlink(missing_ok=True)
            raise SourceRefused(f"piece {name} was damaged; send it again")
        return piece

    @staticmethod
    def _check(place: Path, files: Sequence[SourceFile]) -> None:
        try:
            found = {entry.path for entry in read_folder(place)}
        except ArtefactRefused as e:
            raise SourceRefused(e.message.replace(f"{place}/", "")) from e
        if lost := [one.path for one in files if one.path not in found]:
            raise SourceRefused(
                f"{lost[0]} never belongs to a service: version control, caches and environments are left out"
            )

    def sweep(self, needed: frozenset[str]) -> None:
        """Remove sources that nobody needs, but for the last ones.

        Args:
            needed: Digits of those that are needed.
        """
        spare = [
            (one.stat().st_mtime, one)
            for one in self._folders.iterdir()
            if one.name not in needed and not one.name.startswith(".")
        ]
        for _, one in sorted(spare)[:-_SPARE_FOLDERS]:
            remove_tree(one)
