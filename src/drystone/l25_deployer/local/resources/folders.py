"""A folder in one file, and a folder that is made of it; blocking calls.

A volume belongs to a service, which may change it while it is read: every folder and file is opened below the one before it, and no link is
ever followed. Each file is as it was when it was read, in the length that it had when it was opened.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast

import msgspec

from drystone.l00_kernel.atomic import sync_file_system
from drystone.l00_kernel.errors import Invalid
from drystone.l25_deployer.local.resources.copies import Measure

if TYPE_CHECKING:
    from os import stat_result

FILE = "files.tar"
_PIECE = 1 << 20
_BLOCK = 512
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class ArchiveUnfit(Invalid):
    """An archive names a place outside the folder that is made of it."""


def size_of(folder: Path, *, without: frozenset[str] = frozenset()) -> int:
    """Return the bytes that a copy of a folder takes at most, without what has these names directly in it."""
    total = 0
    for path, folders, files, place in _walked(folder):
        if Path(path) == folder:
            folders[:] = [name for name in folders if name not in without]
        for name in (*folders, *files):
            try:
                size = os.stat(name, dir_fd=place, follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
            total += size + 4 * _BLOCK
    return total


def pack(folder: Path, file: Path, *, without: frozenset[str] = frozenset()) -> Measure:
    """Copy a folder into a file, with modes, owners, links and times; sockets are left out.

    Args:
        folder: The folder.
        file: Does not exist yet.
        without: Names directly in the folder that are left out.

    Returns:
        How many entries there are, and a sum of them.

    Raises:
        OSError: Something cannot be read, or there is no room.
    """
    with file.open("xb") as out:
        return pack_into(folder, out, without=without)


def pack_into(folder: Path, out: IO[bytes], *, without: frozenset[str] = frozenset()) -> Measure:
    """Copy a folder into a file that is written from its beginning to its end, as :func:`pack` does."""
    adding = _Adding()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, found, place in _entries(folder, without):
            info = _described(name, found, place)
            if info is None:
                continue
            if info.isreg():
                descriptor = os.open(PurePosixPath(name).name, _READ, dir_fd=place)
                with os.fdopen(descriptor, "rb") as content:
                    opened = os.fstat(descriptor)
                    if not stat.S_ISREG(opened.st_mode):
                        continue
                    info.size = opened.st_size
                    reading = _Exactly(content, info.size)
                    tar.addfile(info, cast("IO[bytes]", reading))
                    adding.add(info, reading.digest)
            else:
                tar.addfile(info)
                adding.add(info, "")
    return adding.measure()


def measure(folder: Path) -> Measure:
    """Read a folder and add up what is in it, as :func:`pack` does."""
    adding = _Adding()
    for name, found, place in _entries(folder):
        info = _described(name, found, place)
        if info is None:
            continue
        digest = ""
        if info.isreg():
            descriptor = os.open(PurePosixPath(name).name, _READ, dir_fd=place)
            with os.fdopen(descriptor, "rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        adding.add(info, digest)
    return adding.measure()


def unpack(file: Path, folder: Path) -> None:
    """Make a folder of a file, in a place that nobody else can enter; what lies there must be gone.

    Raises:
        ArchiveUnfit: An entry would lie outside the folder.
        OSError: There is no room.
    """
    with file.open("rb") as content:
        unpack_from(content, folder)


def unpack_from(content: IO[bytes], folder: Path) -> None:
    """Make a folder of what is read from the beginning to the end, as :func:`unpack` does."""
    folder.mkdir(mode=0o700, parents=True)
    own: tarfile.TarInfo | None = None
    with tarfile.open(fileobj=content, mode="r|", bufsize=_PIECE) as tar:
        folders = []
        for info in tar:
            if info.name == ".":
                own = info
                continue
            _require_inside(folder, info.name)
            tar.extract(
                info, folder, set_attrs=not info.isdir(), numeric_owner=True, filter="fully_trusted"
            )
            if info.isdir():
                folders.append(info)
        for info in reversed(
            folders
        ):  # a folder that may not be written is closed when all of it is there
            _attributes(tar, info, folder / info.name)
        if own is not None:
            _attributes(tar, own, folder)
    sync_file_system(folder)


def _attributes(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    tar.chown(info, str(path), numeric_owner=True)
    tar.chmod(info, str(path))
    tar.utime(info, str(path))


def _require_inside(folder: Path, name: str) -> None:
    """Refuse a name that leads out of a folder, by itself or through a link that was made before."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise ArchiveUnfit(f"{name!r} would lie outside the volume; nothing was changed")
    place = folder
    for part in parts[:-1]:
        place /= part
        if place.is_symlink():
            raise ArchiveUnfit(f"{name!r} would lie behind a link; nothing was changed")


def _walked(folder: Path) -> Iterator[tuple[str, list[str], list[str], int]]:
    """Walk below a folder; one that cannot be read is no empty one, but one that has just gone is none.

    Raises:
        OSError: Something cannot be read.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    return os.fwalk(folder, onerror=refuse, follow_symlinks=False)


def _entries(
    folder: Path, without: frozenset[str] = frozenset()
) -> Iterator[tuple[str, stat_result, int]]:
    """Yield the folder itself and all in it, by name, with an open folder in which each lies."""
    for place, folders, files, descriptor in _walked(folder):
        folders.sort()
        inside = os.path.relpath(place, folder)
        if inside == ".":
            folders[:] = [name for name in folders if name not in without]
        yield inside, os.fstat(descriptor), descriptor
        for name in sorted(files):
            if inside == "." and name in without:
                continue
            try:
                found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield (name if inside == "." else f"{inside}/{name}"), found, descriptor
        for name in folders:
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):  # a link to a folder, which is not entered
                yield (name if inside == "." else f"{inside}/{name}"), found, descriptor


def _described(name: str, found: stat_result, place: int) -> tarfile.TarInfo | None:
    """Say what an entry is; None for what cannot be kept."""
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(found.st_mode)
    info.uid, info.gid, info.mtime = found.st_uid, found.st_gid, found.st_mtime
    if stat.S_ISDIR(found.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(found.st_mode):
        info.type = tarfile.SYMTYPE
        info.linkname = os.readlink(PurePosixPath(name).name, dir_fd=place)
    elif stat.S_ISREG(found.st_mode):
        info.size = found.st_size
    elif stat.S_ISFIFO(found.st_mode):
        info.type = tarfile.FIFOTYPE
    else:
        return None
    return info


class _Adding:
    """Adds entries up."""

    def __init__(self) -> None:
        self._count = self._sum = 0

    def add(self, info: tarfile.TarInfo, digest: str) -> None:
        mode = 0 if info.issym() else info.mode
        texts = (info.name, info.linkname, digest)
        said = msgspec.json.encode([info.type, mode, *map(os.fsencode, texts)])
        self._count += 1
        self._sum += int.from_bytes(hashlib.sha256(said).digest()[:8], "big")

    def measure(self) -> Measure:
        return Measure(self._count, str(self._sum))


class _Exactly:
    """Reads so many bytes of a file, with zeros for those that it has lost since it was opened."""

    def __init__(self, content: IO[bytes], size: int) -> None:
        self._content, self._left = content, size
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of what was read so far."""
        return self._digest.hexdigest()

    def read(self, size: int = _PIECE) -> bytes:
        """Return the next bytes."""
        wanted = min(size, self._left)
        piece = self._content.read(wanted)
        piece += bytes(wanted - len(piece))
        self._left -= wanted
        self._digest.update(piece)
        return piece
