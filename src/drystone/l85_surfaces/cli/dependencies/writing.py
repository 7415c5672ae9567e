"""Files that a command makes and never overwrites."""

from __future__ import annotations

import os
from pathlib import Path

from drystone.l85_surfaces.cli.errors import FileThere, FileUnreadable


def written_once(file: str, content: bytes) -> None:
    """Write a file that is not there yet.

    Raises:
        FileThere: It is there.
        FileUnreadable: It cannot be written.
    """
    path = Path(file)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError as e:
        raise FileThere(
            f"{file} is there already and stays as it is; name another file, or move it away",
            file=file,
        ) from e
    except OSError as e:
        raise FileUnreadable(f"{file} cannot be written: {e.strerror}", file=file) from e
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
    except OSError as e:
        path.unlink(missing_ok=True)
        raise FileUnreadable(f"{file} cannot be written: {e.strerror}", file=file) from e
