"""How far the reading of a large file has come, told on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import BinaryIO

from drystone.l00_kernel.visible import visible
from drystone.l85_surfaces.cli.terminal import is_terminal

CHUNK = 1 << 20
PATIENCE = timedelta(seconds=1)
"""So long nothing is told; most files are read by then."""
OFTEN = timedelta(milliseconds=200)


def chunks(opened: BinaryIO, name: str, size: int | None) -> Iterator[bytes]:
    """Read a file in pieces, and tell on a terminal how much of it was read.

    Args:
        opened: The file.
        name: What to call it.
        size: Its size in bytes; None when nobody knows.
    """
    if not is_terminal(sys.stderr):
        while chunk := opened.read(CHUNK):
            yield chunk
        return
    told, taken, tell_at = False, 0, time.monotonic() + PATIENCE.total_seconds()
    try:
        while chunk := opened.read(CHUNK):
            yield chunk
            taken += len(chunk)
            if time.monotonic() >= tell_at:
                told, tell_at = True, time.monotonic() + OFTEN.total_seconds()
                sys.stderr.write(f"\r\033[K{visible(name)}: {_share(taken, size)}")
                sys.stderr.flush()
    finally:
        if told:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def _share(taken: int, size: int | None) -> str:
    read = f"{taken >> 20:,} MiB"
    return f"{read} read" if not size else f"{taken / size:.0%} of {size >> 20:,} MiB read"
