"""Files of the sign-in: documents that several processes change, one at a time.

::

    trust/signin/signing.json    keys that sign sessions, and the secret of notes
    trust/signin/users.json      people of the embedded provider
    trust/signin/builds.json     tokens that were issued to builds; of each, what recognises it
    trust/signin/refresh.json    refresh tokens of the embedded provider; likewise
    trust/signin/sessions/…      one file for each person who is signed in

The agent, the service and the command line share them; whoever changes one holds ``lock``.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.ownership import make_private
from drystone.l35_mesh.signin.errors import RecordsDamaged

T = TypeVar("T", bound=msgspec.Struct)


def folder_of(home: Home) -> Path:
    """Return where the sign-in of a home keeps its files."""
    return home.trust / "signin"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let nobody else change files of a folder meanwhile; the folder is made."""
    make_private(folder)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class Document(Generic[T]):
    """One file that holds one value.

    Args:
        path: The file, which need not exist.
        empty: What it holds before it is first written.
    """

    def __init__(self, path: Path, empty: T) -> None:
        self._path = path
        self._empty = empty

    def read(self) -> T:
        """Return what it holds.

        Raises:
            RecordsDamaged: It cannot be read.
        """
        content = read_if_exists(self._path)
        if content is None:
            return self._empty
        try:
            return msgspec.json.decode(content, type=type(self._empty))
        except (msgspec.MsgspecError, ValueError):  # whose words could quote a secret
            raise RecordsDamaged(
                f"{self._path} cannot be read; restore it from a copy, or move it away and begin anew"
            ) from None

    def changed(self) -> int:
        """Return when it was last written, in nanoseconds; 0 where it never was."""
        try:
            return self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def change(self, by: Callable[[T], T]) -> T:
        """Replace what it holds by what a function makes of it, and return that.

        Raises:
            RecordsDamaged: It cannot be read.
            DiskFull: There is no room for it; nothing has changed.
        """
        with locked(self._path.parent):
            before = self.read()
            after = by(before)
            if after != before:
                document = msgspec.json.format(msgspec.json.encode(after), indent=1)
                write_atomically(self._path, document)
        return after
