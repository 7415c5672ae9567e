"""What this machine can run out of, told apart from what is broken.

A disk that is full or became read-only, no more file descriptors, no memory for another process: such a failure says nothing about the thing
that was asked, and it passes. Whoever judges others by what he could find out, a health check above all, must not
take his own shortage for their illness.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from drystone.l00_kernel.errors import Unavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_SHORT = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EAGAIN,
        errno.ENOBUFS,
        errno.EADDRNOTAVAIL,  # every port for outgoing connections is taken
    }
)
_MEBIBYTE = 1024**2

LEAST_BYTES = 16 * _MEBIBYTE
LEAST_FILES = 200
"""With less than this a file system counts as full: a deploy would hardly come to its end."""


class DiskFull(Unavailable):
    """A disk that the platform writes to is full, or read-only; free space there and try again."""


class Room(msgspec.Struct, frozen=True):
    """How full one file system is.

    Attributes:
        place: A folder on it that the platform uses.
        mount: Where it is mounted.
        bytes: How many can still be written.
        size: How many it holds altogether.
        files: How many can still be made; None where the file system knows no such limit.
        is_read_only: Whether nothing at all can be written: the kernel does that to a disk that fails.
    """

    place: Path
    mount: Path
    bytes: int
    size: int
    files: int | None
    is_read_only: bool = False

    @property
    def is_full(self) -> bool:
        """Whether so little is left that a deploy would hardly come to its end."""
        if self.is_read_only:
            return True
        return self.bytes < LEAST_BYTES or (self.files is not None and self.files < LEAST_FILES)

    def sentence(self) -> str:
        """Say it to a person, with what to do."""
        if self.is_read_only:
            return (
                f"the disk of {self.place} (file system {self.mount}) is read-only: find out why, and make it"
                " writable again"
            )
        if self.bytes >= LEAST_BYTES and self.files is not None and self.files < LEAST_FILES:
            return (
                f"the disk of {self.place} (file system {self.mount}) is full: room for {self.files}"
                " more files; remove files there"
            )
        free, size = (round(n / _MEBIBYTE, 1) for n in (self.bytes, self.size))
        return (
            f"the disk of {self.place} (file system {self.mount}) is full: {free:g} of {size:g} MB"
            " are free; free space there"
        )


def room_at(place: Path) -> Room:
    """Measure the file system on which a folder lies, or its nearest parent that exists."""
    there = place
    while not there.exists() and there != there.parent:
        there = there.parent
    found = os.statvfs(there)
    mount = there.resolve()
    while not os.path.ismount(mount) and mount != mount.parent:
        mount = mount.parent
    return Room(
        place,
        mount,
        found.f_bavail * found.f_frsize,
        found.f_blocks * found.f_frsize,
        found.f_favail if found.f_files else None,
        bool(found.f_flag & os.ST_RDONLY),
    )


def full_disks(places: tuple[Path, ...]) -> list[Room]:
    """Return those file systems that are full, each once."""
    rooms = {room.mount: room for room in map(room_at, reversed(places))}
    return [room for room in rooms.values() if room.is_full]


def is_full(error: BaseException) -> bool:
    """Tell whether something failed because a disk, or the share of its user, is full or read-only."""
    return isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in _FULL)


def is_shortage(error: BaseException | None) -> bool:
    """Tell whether something failed for want of descriptors, memory, processes or ports of this machine."""
    return isinstance(error, OSError) and error.errno in _SHORT


def passes(error: BaseException) -> bool:
    """Tell whether something failed for want of room of any kind, which says nothing about what was asked."""
    return is_full(error) or is_shortage(error)


def in_words(error: BaseException) -> str:
    """Say why the system refused something; for what this machine can run out of, with what to do."""
    match error.errno if isinstance(error, OSError) else None:
        case errno.EAGAIN:
            return (
                "no further process can be made: a limit of processes (pids.max of a control group, `ulimit -u`) is"
                " reached; end some or raise it"
            )
        case errno.EMFILE | errno.ENFILE:
            return "no further file can be opened: the limit (`ulimit -n`, fs.file-max) is reached; raise it"
        case errno.ENOMEM:
            return "there is no memory for a further process; end something"
    return str(error)


@contextmanager
def needs_room(place: Path) -> Iterator[None]:
    """Name the disk when something fails because it is full.

    Args:
        place: What is written, or the folder in which it is.

    Raises:
        DiskFull: It is; the message has the file system and what to do.
    """
    try:
        yield
    except OSError as e:
        if not is_full(e):
            raise
        raise DiskFull(f"{_blame(place)}, then try again", place=str(place)) from e


def _blame(place: Path) -> str:
    room = room_at(place)
    if room.is_full:
        return room.sentence()
    # A quota, or somebody freed space in this very moment.
    return f"{place} cannot be written: the disk, or this user's share of it, is full; free space there"
