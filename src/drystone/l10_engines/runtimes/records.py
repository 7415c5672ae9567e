"""Small documents in an instance's folder, written whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")
STARTED, ENDED = "instance.json", "ended.json"


class Owner(msgspec.Struct, frozen=True):
    """The part of ``instance.json`` that every runtime writes.

    Attributes:
        runtime: Name of the one that started the instance.
    """

    runtime: str


def write_record(path: Path, value: object) -> None:
    """Write a document (mode 0600) that survives a loss of power."""
    write_atomically(path, msgspec.json.encode(value))


def read_record(path: Path, kind: type[T]) -> T | None:
    """Read a document; None when there is none.

    Raises:
        msgspec.DecodeError: It is none of this kind.
    """
    content = read_if_exists(path)
    return None if content is None else msgspec.json.decode(content, type=kind)
