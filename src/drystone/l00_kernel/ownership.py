"""Whether other users of the machine can put something in the place of a file or folder.

A path is as safe as the weakest folder on its way: whoever may write that one can rename the rest away and
put his own there, and what root writes then goes to him. Safe is what root or this user owns and no one else
may write. A folder with the sticky bit (``/tmp``) lets others write, but not rename what is ours. A group of
the user's own, which many distributions give each user, holds nobody else.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from drystone.l00_kernel.errors import Invalid

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class OthersCanWrite(Invalid):
    """Another user of this machine could change the file or put something else in its place."""


def require_safe_place(folder: Path) -> None:
    """Refuse a folder, which need not exist, that another user could replace or write into.

    Args:
        folder: Absolute. What exists of it and of every folder above is looked at; of a link both the
            link and where it leads.

    Raises:
        OthersCanWrite: The message says which folder, why and what to do.
    """
    for path in _on_the_way(folder):
        _require_owned(path, path.lstat())
        entry = path.stat()
        _require_owned(path, entry)
        is_shared_safely = path != folder and entry.st_mode & stat.S_ISVTX
        if not is_shared_safely:
            _require_closed(path, entry)


def require_safe_file(path: Path) -> None:
    """Refuse a file that another user owns or may write; a missing one is safe.

    Raises:
        OthersCanWrite: The message says why and what to do.
    """
    try:
        entry = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    _require_owned(path, entry)
    _require_closed(path, entry)


def _on_the_way(folder: Path) -> list[Path]:
    """Return what exists of a folder and of those above it, and of where links on the way lead."""
    found: dict[Path, None] = {}
    for path in (*reversed(folder.parents), folder):
        if not path.exists():  # what lies below is still to be made, by us
            break
        real = path.resolve()
        found |= dict.fromkeys((*reversed(real.parents), real, path))
    return list(found)


def _require_owned(path: Path, entry: os.stat_result) -> None:
    if entry.st_uid not in {0, os.geteuid()}:
        raise OthersCanWrite(
            f"{path} belongs to {_user(entry.st_uid)}, who could put something else in its place; choose a "
            f"place that belongs to you, or, if it should: chown -h {_user(os.geteuid())} {path}",
            path=str(path),
        )


def _require_closed(path: Path, entry: os.stat_result) -> None:
    who = entry.st_mode & _OTHERS
    if who & stat.S_IWGRP and _is_of_one_user(entry.st_gid):
        who &= ~stat.S_IWGRP
    if who:
        raise OthersCanWrite(
            f"others than its owner may write {path} (mode {stat.S_IMODE(entry.st_mode):04o}); see that nobody "
            f"has, and close it: chmod go-w {path}",
            path=str(path),
        )


def _is_of_one_user(group: int) -> bool:
    """Tell whether a group is the one of this user alone, or root's."""
    try:
        entry = grp.getgrgid(group)
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False
    return entry.gr_name in {name, "root"} and not set(entry.gr_mem) - {name, "root"}


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"the user {number}"


def make_private(folder: Path) -> None:
    """Make a folder that its owner alone may enter, and those above it that are missing, whatever the umask."""
    for place in (*reversed(folder.parents), folder):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)
