"""Read a folder as an artefact: what belongs to it, and the digest that names its content."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from drystone.l25_deployer.errors import ArtefactRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

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
MANIFEST_SUFFIXES = frozenset({".txt", ".toml", ".cfg", ".lock", ".in"})


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
        status = path.lstat()
        name = path.relative_to(folder).as_posix()
        if stat.S_ISLNK(status.st_mode):
            entries.append(Entry(name, "link", _inner_target(folder, path)))
        elif stat.S_ISREG(status.st_mode):
            size += status.st_size
            if len(entries) >= MAX_FILES or size > MAX_BYTES:
                raise ArtefactRefused(
                    f"{folder} holds more than {MAX_FILES} files or {MAX_BYTES // 1024**2} MiB;"
                    " deploy a folder that holds the service alone",
                    folder=str(folder),
                )
            kind = "program" if status.st_mode & stat.S_IXUSR else "file"
            entries.append(Entry(name, kind, _hash(path)))
        else:
            raise ArtefactRefused(
                f"{path} is neither a file nor a folder; remove it from the service's folder",
                path=str(path),
            )
    return tuple(sorted(entries, key=lambda entry: entry.path))


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ArtefactRefused(f"{error.filename} cannot be read: {error.strerror}") from error

    for here, folders, files in os.walk(folder, onerror=refuse):
        inside = sorted(name for name in folders if name not in LEFT_OUT)
        folders[:] = [name for name in inside if not Path(here, name).is_symlink()]
        for name in (*files, *(name for name in inside if Path(here, name).is_symlink())):
            if name not in LEFT_OUT and not name.endswith(".pyc"):
                yield Path(here, name)


def _inner_target(folder: Path, link: Path) -> str:
    target = str(link.readlink())
    reached = Path(os.path.normpath(link.parent / target))
    if PurePosixPath(target).is_absolute() or not reached.is_relative_to(folder):
        raise ArtefactRefused(
            f"{link} leads to {target}, outside the service's folder; replace it by what it points at",
            path=str(link),
        )
    return target


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise ArtefactRefused(f"{path} cannot be read: {e.strerror}", path=str(path)) from e


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
        try:
            shutil.copyfile(folder / entry.path, copy, follow_symlinks=False)
        except FileNotFoundError as e:
            raise ArtefactRefused(f"{folder / entry.path} went away while it was copied") from e
        copy.chmod(0o755 if entry.kind == "program" else 0o644)
        if _hash(copy) != entry.content:
            raise ArtefactRefused(
                f"{folder / entry.path} changed while it was copied; deploy again"
            )


def digest(*parts: object) -> str:
    """Name content by SHA-256 over its canonical JSON; 32 hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


def manifests(
    folder: Path, entries: tuple[Entry, ...], setup: tuple[str, ...]
) -> tuple[Entry, ...]:
    """Select the entries on which an installation of packages can depend.

    They are the files that the set-up names, and the manifests (requirements, lock and project files)
    at the top of the folder. When the set-up, or a manifest, names a folder, as ``pip install .`` does,
    they are all.
    """
    folders = {str(parent) for entry in entries for parent in PurePosixPath(entry.path).parents}
    named = {str(PurePosixPath(word)) for word in setup if word}
    chosen = tuple(
        entry
        for entry in entries
        if entry.path in named
        or ("/" not in entry.path and PurePosixPath(entry.path).suffix in MANIFEST_SUFFIXES)
    )
    if named & folders or any(_installs_folder(folder / entry.path) for entry in chosen):
        return entries
    return chosen


def _installs_folder(manifest: Path) -> bool:
    """Tell whether a requirements file installs code of the folder itself (pip: requirements file format)."""
    if manifest.suffix not in {".txt", ".in"}:
        return False
    lines = manifest.read_text(errors="replace").splitlines()
    return any(
        line.lstrip().startswith((".", "-e", "--editable", "file:")) or " @ file:" in line
        for line in lines
    )
