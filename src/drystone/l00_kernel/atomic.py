"""Files that are either the old content or the new one, whatever happens in between.

A document is written beside its place, forced to the disk and renamed over the old one; the folder is
forced too, so that the rename itself survives a power cut. A writer that dies leaves at most a file whose
name starts with :data:`PARTIAL`, which no reader takes for a document; :func:`remove_partials` takes it away. Its
name is new each time, so that two writers of one document do not meet; the last to finish wins.

A file of lines, one for each event, only grows: :func:`append_lines` adds all it is given or nothing.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.shortage import DiskFull, needs_room

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PARTIAL = ".partial-"

_AT_ONCE = 1024
"""How many parts one call writes (IOV_MAX of linux/uio.h)."""

_LOOKED_AT = 4096
"""Bytes in which the end of the last whole line is looked for at a time."""

BEGUN = FaultPoint("document.write.begun", "a document is about to be replaced", writes=True)
PARTIAL_WRITTEN = FaultPoint(
    "document.partial.written", "the new content lies beside the document, under another name"
)
RENAMED = FaultPoint(
    "document.rename.done", "a document is replaced; the change of its folder is not on the disk"
)


def write_atomically(
    path: Path,
    content: bytes | Sequence[bytes],
    *,
    mode: int = 0o600,
    owner: tuple[int, int] | None = None,
    durably: bool = True,
) -> None:
    """Replace a file's content as a whole, durably.

    Args:
        path: The file; its folder exists. A link is replaced, never followed.
        content: All of it, or its parts in order: large content is then never in memory as a whole.
        mode: Permission bits of the new file, whatever the umask.
        owner: Numeric user and group of the new file; this process's own when None.
        durably: False for what is made again where it is damaged: after a power cut the file may hold anything.

    Raises:
        DiskFull: There is no room for it; the old file is untouched.
        OSError: The folder is missing or not writable; the old file is untouched.
    """
    with needs_room(path.parent):
        BEGUN.reach()
        _replace(path, content, mode, owner, durably=durably)
    RENAMED.reach()
    if durably:
        sync_folder(path.parent)


def _replace(
    path: Path,
    content: bytes | Sequence[bytes],
    mode: int,
    owner: tuple[int, int] | None,
    *,
    durably: bool,
) -> None:
    descriptor, partial = tempfile.mkstemp(prefix=f"{PARTIAL}{os.getpid()}-", dir=path.parent)
    try:
        try:
            _write(descriptor, [content] if isinstance(content, bytes) else content)
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)  # after fchown, which clears some bits
            if durably:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        PARTIAL_WRITTEN.reach()
        os.replace(partial, path)  # noqa: PTH105 - mkstemp gives a string
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial)  # noqa: PTH108 - mkstemp gives a string
        raise


def _write(descriptor: int, parts: Sequence[bytes]) -> None:
    for first in range(0, len(parts), _AT_ONCE):
        some = parts[first : first + _AT_ONCE]
        left = sum(map(len, some)) - os.writev(descriptor, some)
        rest = memoryview(b"".join(some))[-left:] if left else b""
        while (
            rest
        ):  # the kernel takes less where room or a limit ends, and says at the next call what it is
            rest = rest[os.write(descriptor, rest) :]


def append_lines(path: Path, lines: bytes) -> None:
    """Add lines to the end of a file and force them to the disk: all of them or nothing.

    A last line that a crash cut short is taken away first; readers pass over it meanwhile (:func:`read_lines`).

    Args:
        path: The file, which only its owner may read when it is made here; its folder exists. A link is refused.
        lines: One or several, each with its end.

    Raises:
        DiskFull: There is no room for them; the file is as it was.
        OSError: The folder is missing or not writable.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    with needs_room(path.parent):
        descriptor = os.open(path, flags, 0o600)
        try:
            size = _end_of_lines(descriptor)
            if os.write(descriptor, lines) < len(lines):  # the disk filled up in the middle of it
                os.ftruncate(descriptor, size)
                raise DiskFull(f"the disk of {path} is full; free space there, then try again")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _end_of_lines(descriptor: int) -> int:
    """Cut an open file behind its last whole line and return its size."""
    size = end = os.fstat(descriptor).st_size
    while end:
        first = max(0, end - _LOOKED_AT)
        found = os.pread(descriptor, end - first, first).rfind(b"\n")
        if found >= 0:
            end = first + found + 1
            break
        end = first
    if end < size:
        os.ftruncate(descriptor, end)
    return end


def read_lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file, without their ends; a last one that was cut short is none.

    Raises:
        FileNotFoundError: There is no such file.
    """
    return path.read_bytes().split(b"\n")[:-1]


def sync_file(path: Path) -> None:
    """Force a file's content to the disk."""
    _sync(path, 0)


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk: what was created, renamed or removed in it stays so."""
    _sync(folder, os.O_DIRECTORY)


def _sync(path: Path, kind: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | kind)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Force everything to the disk that was written to the file system in which a folder lies.

    For trees of many files: one call (syncfs(2)) in place of one for each file.

    Raises:
        OSError: Something could not be written.
    """
    import ctypes  # noqa: PLC0415 - whoever only replaces files does without

    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if library.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


def remove_partials(folders: Iterable[Path]) -> int:
    """Remove from some folders what writers left that died; return how many there were.

    The name tells who writes, so what a living process is about to rename stays.
    """
    removed = 0
    for folder in folders:
        for path in folder.glob(f"{PARTIAL}*"):
            writer = path.name.removeprefix(PARTIAL).partition("-")[0]
            if writer != str(os.getpid()) and Path("/proc", writer).exists():
                continue
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def read_if_exists(path: Path) -> bytes | None:
    """Return a file's whole content; None where there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
