"""Files of evidence: read, changed by one process at a time, and replaced as a whole."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.home import Home, NewerHome, NoHome, NotAHome
from drystone.l05_graph.evidence import Evidence
from drystone.l05_graph.forms import evidence as form
from drystone.l85_surfaces.cli.dependencies.reading import read_bytes
from drystone.l85_surfaces.cli.errors import FileUnreadable

MOST_BYTES = 256 * 1024 * 1024


def of_platform(folder: Path) -> str | None:
    """Return where the platform of a home keeps evidence; None where there is no home."""
    try:
        return str(Home.open(folder).evidence)
    except (NoHome, NotAHome, NewerHome):
        return None


def evidence_of(file: str, *, must_be: bool = False) -> Evidence:
    """Read evidence; there is none where there is no file yet, unless it must be there.

    Raises:
        FileUnreadable: It cannot be read.
        ModelInvalid: It has mistakes.
    """
    if not must_be and not Path(file).exists():
        return Evidence(())
    return form.read(read_bytes(file, MOST_BYTES), file=file)


def changed(file: str, change: Callable[[Evidence], Evidence]) -> Evidence:
    """Change evidence: read, change and write while nobody else does.

    Whoever is killed on the way leaves what was there before.

    Args:
        file: Where it is; made when it is not there yet.
        change: Returns what it becomes.

    Raises:
        FileUnreadable: It cannot be read or written, or would become too large.
        ModelInvalid: It has mistakes.
    """
    path = Path(file)
    try:
        with _alone_in(path.parent):
            before = evidence_of(file)
            after = change(before)
            if after != before:
                content = form.dump(after).encode()
                if len(content) > MOST_BYTES:
                    raise FileUnreadable(
                        f"{file} would have more than {MOST_BYTES:,} bytes; keep less of what is old:"
                        f" drystone deps ingest --keep 1d --evidence {file}",
                        file=file,
                    )
                write_atomically(path, content)
    except OSError as e:
        raise FileUnreadable(f"{file} cannot be written: {e.strerror}", file=file) from e
    return after


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other import changes evidence in a folder. The lock is on the folder itself and leaves no file there."""
    if folder.name == "dependencies" and folder.parent.is_dir():
        folder.mkdir(
            mode=0o700, exist_ok=True
        )  # in the home of a platform whose view was never opened
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
