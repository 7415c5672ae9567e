"""Make artefacts work at the place to which their home was moved or copied.

A virtual environment names its own path: in the first line of its scripts, in ``pyvenv.cfg``, in what it notes about
editable installations; so may anything that a set-up wrote. `uv venv --relocatable` avoids that for scripts that uv
installs; pip, which knows no such thing, writes them as well. So the one way that serves both is to replace the path
where it stands in a text or is the target of a link. What stands in a binary stays as it is.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from drystone.l00_kernel.atomic import write_atomically

LARGEST = 1024 * 1024
"""Bytes of the largest file that is taken for a text; environments hold some scripts that large, and no larger."""

_LONGEST = 4000
"""Bytes of the longest path that is opened; Linux takes 4095, and a document is written under a longer name."""


def relocate(artifacts: Path, former: Path, *, now: Path | None = None) -> list[Path]:
    """Replace the path of a folder of artefacts wherever an artefact names it. Idempotent.

    What a set-up has closed to its owner, or put deeper than any path leads, stays as it is.

    Args:
        artifacts: The folder.
        former: Its path when the artefacts were made.
        now: The path to write; ``artifacts`` when None.

    Returns:
        The files and links that were changed.
    """
    old, new = (os.fsencode(f"{path}/") for path in (former, now or artifacts))
    changed = []
    for path in _everything_in(artifacts):
        with suppress(PermissionError):
            entry = path.lstat()
            if stat.S_ISLNK(entry.st_mode):
                is_changed = _relink(path, old, new)
            else:
                is_small = stat.S_ISREG(entry.st_mode) and entry.st_size <= LARGEST
                is_changed = is_small and _rewrite(path, old, new, entry)
            if is_changed:
                changed.append(path)
    return changed


def _everything_in(folder: Path) -> Iterator[Path]:
    """Iterate over all files, links and folders; unlike :func:`os.walk` however deep they lie."""
    waiting = [str(folder)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError as e:
            if e.errno in {errno.EACCES, errno.ENAMETOOLONG, errno.ENOENT}:
                continue
            raise
        waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        yield from (Path(e.path) for e in entries if len(os.fsencode(e.path)) < _LONGEST)


def _relink(link: Path, old: bytes, new: bytes) -> bool:
    target = os.fsencode(link.readlink())
    if not target.startswith(old):
        return False
    link.unlink()
    link.symlink_to(os.fsdecode(new + target.removeprefix(old)))
    return True


def _rewrite(path: Path, old: bytes, new: bytes, entry: os.stat_result) -> bool:
    text = path.read_bytes()
    if old not in text or b"\0" in text:
        return False
    mode = stat.S_IMODE(entry.st_mode)
    write_atomically(path, text.replace(old, new), mode=mode, owner=(entry.st_uid, entry.st_gid))
    return True
