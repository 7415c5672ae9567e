"""A copy of all documents of a search in one file, and what such a file holds; blocking calls.

The copy is of one moment, and may be made while the engine writes: SQLite gives who reads an unchanging state. The index of words is not
copied; it is made of the documents.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.shortage import needs_room

if TYPE_CHECKING:
    import sqlite3

DOCUMENTS = "documents.sqlite"
"""The file in the folder of an engine's data that is copied; the only one of a copy."""

_LIVING = """
select indices.name, documents.id, documents.version, documents.source, documents.checksum
from documents join indices using (number) where dead is null
"""
_NAMES = "select name from indices"


class Contents(msgspec.Struct, frozen=True):
    """How many documents an index has, and a sum of all of them that does not depend on the order."""

    count: int
    digest: str


def dump(data: Path, folder: Path) -> None:
    """Copy all documents into a file :data:`DOCUMENTS` that does not exist yet.

    Args:
        data: Folder of the engine's data.
        folder: Where the copy is to lie.

    Raises:
        DiskFull: There is no room for it.
        Unavailable: The file cannot be read.
    """
    with needs_room(folder), _opened(data / DOCUMENTS) as connection:
        connection.execute("vacuum into ?", (str(folder / DOCUMENTS),))


def contents(file: Path) -> dict[str, Contents]:
    """Read all documents of a file, and return what each index has.

    Args:
        file: A copy.

    Raises:
        Unavailable: It is not what was written.
    """
    with _opened(file) as connection:
        found = {str(name): (0, 0) for (name,) in connection.execute(_NAMES)}
        for name, identity, version, source, checksum in connection.execute(_LIVING):
            if zlib.crc32(source) != checksum:
                raise Unavailable(f"the document '{identity}' in {file} is not what was written")
            said = msgspec.msgpack.encode([identity, version, source])
            count, total = found[name]
            found[name] = (count + 1, total + int.from_bytes(hashlib.sha256(said).digest()[:8]))
    return {name: Contents(count, str(total)) for name, (count, total) in found.items()}


def lay(copy: Path, place: Path) -> None:
    """Make a file of documents of a copy, on the disk when this returns.

    Args:
        copy: The copy.
        place: Where the file is to lie; nothing is there.

    Raises:
        DiskFull: There is no room for it.
    """
    with needs_room(place.parent), copy.open("rb") as source, place.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    place.chmod(0o600)


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    import sqlite3  # noqa: PLC0415 - hardly ever done

    try:
        with closing(
            sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True, timeout=30)
        ) as found:
            yield found
    except sqlite3.Error as e:
        if (getattr(e, "sqlite_errorcode", 0) & 0xFF) == sqlite3.SQLITE_FULL:
            raise OSError(28, f"No space left on device: {file.parent}") from e
        raise Unavailable(f"the documents in {file} cannot be read: {e}") from e


def size_of(data: Path) -> int:
    """Return the most bytes that a copy may take."""
    files = (data / DOCUMENTS, data / f"{DOCUMENTS}-wal")
    return sum(file.stat().st_size for file in files if file.exists())
