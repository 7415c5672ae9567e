"""What a backup of one resource is to its driver: parts in a folder, and a proof of what they hold."""

from __future__ import annotations

import abc
from datetime import datetime

import msgspec

from drystone.l00_kernel.errors import Invalid


class NoBackup(Invalid):
    """Resources of this type have no backup."""


class Measure(msgspec.Struct, frozen=True):
    """How much there is of one thing, and a digest of all of it that does not depend on the order.

    Attributes:
        count: Rows of a table, objects of a bucket, files of a volume.
        digest: Equal for equal contents, as text.
    """

    count: int
    digest: str


class Copied(msgspec.Struct, frozen=True):
    """What was copied.

    Attributes:
        at: The moment of which the copy is.
        holds: What it holds, by the name of each part: a table, ``objects``, ``files``.
    """

    at: datetime
    holds: dict[str, Measure]


class LaidOut(abc.ABC):
    """A copy that was laid out beside the resource in use, as the engine holds it."""

    @abc.abstractmethod
    async def holds(self) -> dict[str, Measure]:
        """Read all that was laid out back from the engine and return what it holds, as :class:`Copied` does.

        Raises:
            PlatformError: The engine does not answer.
        """

    @abc.abstractmethod
    async def put_in_place(self) -> None:
        """Let it take the place of the resource in use, whose data goes. May be repeated after any failure.

        Raises:
            PlatformError: The engine does not answer.
        """

    @abc.abstractmethod
    async def discard(self) -> None:
        """Remove what was laid out. Idempotent."""


def differences(expected: dict[str, Measure], found: dict[str, Measure]) -> list[str]:
    """Say in what two contents differ, part by part, by name."""
    said = []
    for name in sorted(expected.keys() | found.keys()):
        one, other = expected.get(name), found.get(name)
        if one == other:
            continue
        if one is None or other is None:
            said.append(f"{name}: {'is missing' if other is None else 'should not be there'}")
        elif one.count != other.count:
            said.append(f"{name}: {one.count} and {other.count}")
        else:
            said.append(f"{name}: other values")
    return said
