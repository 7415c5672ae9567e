"""Files that an engine needs: whole or not there, and a log that cannot fill the disk."""

from __future__ import annotations

import os
from pathlib import Path

LOG_LIMIT = 8 * 1024 * 1024


def write_atomically(
    path: Path, content: bytes, *, mode: int = 0o600, owner: tuple[int, int] | None = None
) -> None:
    """Write a file so that a reader, or the next boot, sees the old content or the new one.

    Args:
        path: The file; its folder exists.
        content: All of it.
        mode: Permission bits.
        owner: Numeric user and group; this process's own when None.
    """
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(handle, mode)
        if owner is not None:
            os.fchown(handle, *owner)
        os.fsync(handle)
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (fsync(2) says why a file's own sync is not enough)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rotate(log: Path, *, limit: int = LOG_LIMIT) -> None:
    """Keep one older log once the current one exceeds ``limit`` bytes."""
    if log.exists() and log.stat().st_size > limit:
        log.replace(log.with_name(f"{log.name}.1"))


def tail(log: Path, *, since: int = 0, lines: int = 12) -> str:
    """Return the last lines of a log, from at most its last 8 KiB.

    Args:
        log: The file; a missing one is empty.
        since: Offset in bytes before which nothing is of interest.
        lines: How many.
    """
    if not log.exists():
        return ""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(since if since <= size else 0, size - 8192))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])
