"""Files that are either the old content or the new one, whatever happens in between.

A document is written beside its place, forced to the disk and renamed over the old one; the folder is
forced too, so that the rename itself survives a power cut. A writer that dies leaves at most a file whose
name starts with :data:`PARTIAL`, which no reader takes for a document; :func:`remove_partials` takes it away. Its
name is new each time, so that two writers of one document do not meet; the last to finish wins.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.shortage import needs_room

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PARTIAL = ".partial-"

_AT_ONCE = 1024
"""How many parts one call writes (IOV_MAX of linux/uio.h)."""


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


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk: what was created, renamed or removed in it stays so."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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
