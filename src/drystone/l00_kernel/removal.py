"""Remove folders in which somebody else could do as he liked, such as a volume of a service.

``shutil.rmtree`` descends as deep as the tree, so that a few thousand folders in each other end it, and stops at a
folder that its owner closed to himself. Here every folder that is met is first moved up, next to the others that
wait, and then emptied: however deep the tree, two folders are open. No link is ever followed, and nothing outside is
opened, whatever is put in the place of something meanwhile.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WAITING = ".removed-"


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it; a link or a file in its place is removed itself. Idempotent.

    Raises:
        OSError: Something in it is another user's, or a file system is mounted in it; the rest may be gone.
    """
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(kind):
        path.unlink(missing_ok=True)
        return
    with suppress(FileNotFoundError):  # somebody else removes it too
        top = _open(str(path))
        try:
            _empty(top, top)
            while waiting := [name for name in os.listdir(top) if name.startswith(_WAITING)]:  # noqa: PTH208 - by a descriptor
                for name in waiting:
                    _remove_waiting(top, name)
        finally:
            os.close(top)
        path.rmdir()


def _remove_waiting(top: int, name: str) -> None:
    folder = _open(name, top)
    try:
        _empty(folder, top)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _empty(folder: int, top: int) -> None:
    """Remove a folder's files, and move its folders up, to be emptied later."""
    for name in os.listdir(folder):
        # Some wait here already, moved by this removal or by one that was cut short.
        if folder == top and name.startswith(_WAITING) and _is_folder(name, folder):
            continue
        try:
            os.unlink(name, dir_fd=folder)
        except (IsADirectoryError, PermissionError):
            if not _is_folder(name, folder):
                raise
            os.close(
                _open(name, folder)
            )  # which opens it to its owner: only such a folder may be moved
            waiting = f"{_WAITING}{secrets.token_hex(8)}"
            os.rename(name, waiting, src_dir_fd=folder, dst_dir_fd=top)


def _is_folder(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _open(name: str, parent: int | None = None) -> int:
    """Open a folder, giving its owner back the rights to it that he took from himself."""
    place = os.open(name, os.O_PATH | _OPEN, dir_fd=parent)
    try:
        if os.fstat(place).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            # By its descriptor: what has this name now may be something else.
            os.chmod(f"/proc/self/fd/{place}", 0o700)  # noqa: PTH101 - as above
        return os.open(f"/proc/self/fd/{place}", _OPEN & ~os.O_NOFOLLOW)
    finally:
        os.close(place)
