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
    """Read a document; None when there is none that can be read as one.

    A damaged record tells as little as a missing one. What it named is found by its marks, and ended as a stray.
    """
    content = read_if_exists(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError:
        return None


def forget_process(state: Path) -> None:
    """Forget which process the instance of a folder was: the folder came to this place without it."""
    (state / STARTED).unlink(missing_ok=True)
