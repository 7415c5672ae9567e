"""Read a folder as an artefact: what belongs to it, and the digest that names its content."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from drystone.l25_deployer.errors import ArtefactRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

LEFT_OUT = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "__pycache__",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
    }
)
"""Names that never belong to an artefact: version control, local environments, caches."""

MAX_FILES = 100_000
MAX_BYTES = 2 * 1024**3
MAX_DEPTH = 100
"""Of folders in each other; the tools that read an artefact descend only so far."""


class Entry(msgspec.Struct, frozen=True):
    """One file or link of a folder.

    Attributes:
        path: Relative, with forward slashes.
        kind: ``file``, ``program`` (executable file) or ``link``.
        content: SHA-256 of a file's bytes, or the link's target.
    """

    path: str
    kind: str
    content: str


def read_folder(folder: Path) -> tuple[Entry, ...]:
    """List what a folder's artefact would hold, sorted by path.

    Raises:
        ArtefactRefused: The folder is missing, too large, or holds something that cannot be copied
            safely: a link that leads outside, a device, a socket.
    """
    if not folder.is_dir():
        raise ArtefactRefused(
            f"{folder} is not a folder; 'dir' is relative to the descriptor", folder=str(folder)
        )
    entries: list[Entry] = []
    size = 0
    for path in _walk(folder):
        try:
            status = path.lstat()
        except OSError as e:
            raise _unreadable(path, e) from e
        size += status.st_size if stat.S_ISREG(status.st_mode) else 0
        if len(entries) >= MAX_FILES or size > MAX_BYTES:
            raise ArtefactRefused(
                f"{folder} holds more than {MAX_FILES} files or {MAX_BYTES // 1024**2} MiB;"
                " deploy a folder that holds the service alone",
                folder=str(folder),
            )
        entries.append(_entry(folder, path, status.st_mode))
    return tuple(sorted(entries, key=lambda entry: entry.path))


def _entry(folder: Path, path: Path, mode: int) -> Entry:
    name = path.relative_to(folder).as_posix()
    if not _is_text(name):
        raise ArtefactRefused(
            f"{os.fsencode(path)!r} has a name that is not UTF-8; rename it", path=ascii(name)
        )
    if stat.S_ISLNK(mode):
        return Entry(name, "link", _inner_target(folder, path))
    if stat.S_ISREG(mode):
        kind = "program" if mode & stat.S_IXUSR else "file"
        return Entry(name, kind, _hash(path))
    raise ArtefactRefused(
        f"{path} is neither a file nor a folder; remove it from the service's folder",
        path=str(path),
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 come as lone surrogates (PEP 383)
        return False
    return True


def _unreadable(path: Path, error: OSError) -> ArtefactRefused:
    return ArtefactRefused(f"{path} cannot be read: {error.strerror}", path=str(path))


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ArtefactRefused(f"{error.filename} cannot be read: {error.strerror}") from error

    for here, folders, files in os.walk(folder, onerror=refuse):
        if len(Path(here).relative_to(folder).parts) > MAX_DEPTH:
            raise ArtefactRefused(
                f"{folder} holds more than {MAX_DEPTH} folders in each other; remove them",
                folder=str(folder),
            )
        inside = sorted(name for name in folders if name not in LEFT_OUT)
        folders[:] = [name for name in inside if not Path(here, name).is_symlink()]
        for name in (*files, *(name for name in inside if Path(here, name).is_symlink())):
            if name not in LEFT_OUT and not name.endswith(".pyc"):
                yield Path(here, name)


def _inner_target(folder: Path, link: Path) -> str:
    """Return where a link leads, when that is inside the folder, through whatever other links it goes."""
    try:
        target = str(link.readlink())
        reached = link.parent.joinpath(target).resolve()
        inside = reached.is_relative_to(folder.resolve())
    except RuntimeError as e:
        raise ArtefactRefused(f"{link} leads to itself; remove it", path=str(link)) from e
    except OSError as e:
        raise _unreadable(link, e) from e
    if PurePosixPath(target).is_absolute() or not inside or not _is_text(target):
        raise ArtefactRefused(
            f"{link} leads to {target!a}, outside the service's folder;"
            " replace it by what it points at",
            path=str(link),
        )
    return target


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    """Open a file that was one a moment ago: what it may have become neither blocks nor leads elsewhere."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        raise _unreadable(path, e) from e
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _changed(path)
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _hash(path: Path) -> str:
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_folder(folder: Path, entries: tuple[Entry, ...], target: Path) -> None:
    """Copy the entries below ``target``, which must not exist; the copies are read-only for others.

    Raises:
        ArtefactRefused: A file changed or went away since it was read.
    """
    target.mkdir(mode=0o755, parents=True)
    for entry in entries:
        copy = target / entry.path
        copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if entry.kind == "link":
            copy.symlink_to(entry.content)
            continue
        with _opened(folder / entry.path) as original, copy.open("xb") as file:
            shutil.copyfileobj(original, file)
        copy.chmod(0o755 if entry.kind == "program" else 0o644)
        if _hash(copy) != entry.content:
            raise _changed(folder / entry.path)


def _changed(path: Path) -> ArtefactRefused:
    return ArtefactRefused(f"{path} changed while it was copied; deploy again", path=str(path))


def digest(*parts: object) -> str:
    """Name content by SHA-256 over its canonical JSON; 32 hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
