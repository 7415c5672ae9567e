"""What a block of the schema is: a frozen Struct whose annotations say all there is to say.

The annotation of a key holds its type, its form and, as a bare text in ``Annotated``, what it means. Rules that concern one
key alone live in forms; those that need several keys are :meth:`Block.mistakes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec


class Rule(msgspec.Struct, frozen=True):
    """A mistake that only several keys of a block together make."""

    key: str
    message: str
    help: str | None = None


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping of the schema with known keys.

    A block may be written short: ``owner: commerce`` is ``owner: {team: commerce}``.
    """

    SHORT: ClassVar[tuple[str, ...]] = ()
    """Keys that a single value or a list in place of the mapping gives."""

    EXACTLY_ONE: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of keys of which exactly one must be there."""

    ALSO_CALLED: ClassVar[dict[str, str]] = {}
    """Words of other platforms, with ours."""

    def mistakes(self) -> Iterator[Rule]:
        """List mistakes that several keys together make; asked only when each key alone is right."""
        return iter(())
