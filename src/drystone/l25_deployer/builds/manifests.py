"""Which files of a folder an installation of packages depends on.

An environment is shared by all versions of the code that install the same. Sharing too much would run old code, so
whatever may name code of the folder itself makes the installation depend on all of it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from drystone.l25_deployer.builds.folder import Entry

SUFFIXES = frozenset({".txt", ".toml", ".cfg", ".lock", ".in"})
"""Of the files at the top of a folder that tell an installation what to install."""

_PREFIX = re.compile(r"--[a-z-]+=|-[rcef](?=[^-])")
_EXTRAS = re.compile(r"\[[^\]]*\]$")
_FOLDER_FOLLOWS = frozenset({"-e", "--editable", "-f", "--find-links"})


class _NamesFolder(Exception):
    """The installation takes code of the folder itself."""


def manifests(
    folder: Path, entries: tuple[Entry, ...], setup: tuple[str, ...]
) -> tuple[Entry, ...]:
    """Select the entries on which an installation of packages can depend.

    They are the manifests (requirements, lock and project files) at the top of the folder, the files that the
    set-up names and those that these name in turn (pip: requirements file format). When one of them names a
    folder, as ``pip install .`` does, they are all.

    Raises:
        ArtefactRefused: A file went away meanwhile.
    """
    files = {entry.path: entry for entry in entries}
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    chosen = {p for p in files if "/" not in p and PurePosixPath(p).suffix in SUFFIXES}
    try:
        chosen |= set(_named(setup, ".", files.keys(), folders))
        read: set[str] = set()
        while unread := chosen - read:
            path = unread.pop()
            read.add(path)
            if PurePosixPath(path).suffix in {".txt", ".in"}:
                here = posixpath.dirname(path) or "."
                text = (folder / path).read_text(errors="replace")
                for line in text.replace("\\\n", " ").splitlines():
                    words = re.sub(r"(^|\s)#.*", "", line).split()
                    chosen |= set(_named(words, here, files.keys(), folders))
    except (_NamesFolder, FileNotFoundError):
        return entries
    return tuple(entry for entry in entries if entry.path in chosen)


def _named(
    words: Iterable[str], here: str, files: Iterable[str], folders: set[str]
) -> Iterator[str]:
    """Yield the files that words of a command or a requirements file name, relative to it or to the folder.

    Raises:
        _NamesFolder: One names a folder.
    """
    known, before = set(files), ""
    for word in words:
        option = _PREFIX.match(word)
        name = _EXTRAS.sub("", word[option.end() :] if option else word)
        is_remote = "://" in name and not name.startswith("file:")
        # Pip takes a bare word for a package even where there is a folder of that name.
        may_be_folder = "/" in name or name.startswith(".") or option or before in _FOLDER_FOLLOWS
        before = word
        if is_remote:
            continue
        if name.startswith("file:"):
            raise _NamesFolder
        for path in (posixpath.normpath(name), posixpath.normpath(f"{here}/{name}")):
            if path in known:
                yield path
            elif may_be_folder and (path in folders or path == "."):
                raise _NamesFolder
