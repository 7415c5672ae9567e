"""What is kept: indices, documents, other names, and how many documents there ever were."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import msgspec

from drystone.l10_engines.search.columns import Columns
from drystone.l10_engines.search.mapping import Mapping


class Record(msgspec.Struct, frozen=True):
    """What is known of an index.

    Attributes:
        number: Of the index; never used for another one.
        name: What clients call it.
        uuid: What tells it from one of the same name before or after it.
        created: Milliseconds since 1970.
        mapping: Its fields.
        columns: Where these lie.
        settings: As somebody gave them, flat.
        generation: Which folder the index of words lies in.
        next_seq: Number of the next change.
        indexed_row: Documents up to this row are in the index of words.
        indexed_seq: Changes up to this one are in the index of words.
    """

    number: int
    name: str
    uuid: str
    created: int
    mapping: Mapping
    columns: Columns
    settings: dict[str, str] = {}
    generation: int = 0
    next_seq: int = 0
    indexed_row: int = 0
    indexed_seq: int = -1


class Document(msgspec.Struct, frozen=True):
    """A document as it lies there.

    Attributes:
        row: Where.
        id: What it is called.
        seq: Number of the change that wrote it, in its index.
        version: How often one of this name was written.
        source: What a client sent.
    """

    row: int
    id: str
    seq: int
    version: int
    source: bytes


class Alias(msgspec.Struct, frozen=True):
    """A second name of an index.

    Attributes:
        name: That name.
        number: Of the index.
        is_write: Whether what is written to the alias goes there; None where nobody said so.
    """

    name: str
    number: int
    is_write: bool | None = None


class Mark:
    """How many documents were ever written, beside the file that holds them.

    It is not forced to the disk, so it costs nothing, and after a power cut it may tell of fewer than there are. When it tells
    of more, answered writes are lost.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read(self) -> int:
        """Return the number; 0 where it cannot be read."""
        said = os.pread(self._file, 12, 0)
        number, checksum = said[:8], said[8:]
        if zlib.crc32(number) != int.from_bytes(checksum):
            return 0
        return int.from_bytes(number)

    def write(self, number: int) -> None:
        """Note a number."""
        said = number.to_bytes(8)
        os.pwrite(self._file, said + zlib.crc32(said).to_bytes(4), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
