"""An engine's log: bounded in size, and read back when the engine does not start."""

from __future__ import annotations

import os
from pathlib import Path

LOG_LIMIT = 8 * 1024 * 1024


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
