"""What a part of the orchestrator implements for each kind of thing that can be said in files."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from drystone.l00_kernel.context import Context
from drystone.l00_kernel.yaml_text.tree import Path
from drystone.l25_deployer.descriptor.block import Block
from drystone.l25_deployer.descriptor.words import Name

B = TypeVar("B", bound=Block)


class Reference(msgspec.Struct, frozen=True):
    """That an item needs another one.

    Attributes:
        kind: Of the other one.
        name: Likewise.
        path: Keys of the item that say so, ``("team",)``; its mistakes are shown there.
    """

    kind: str
    name: str
    path: Path


class Configured(abc.ABC, Generic[B]):
    """One kind of the orchestrator's state, as it stands in files: a mapping from names to items.

    ``present`` and the files speak of the same values: what :meth:`put` was given, :meth:`present` returns, both as
    :meth:`canonical` has them, so that applying the same files again finds nothing to do.

    Attributes:
        kind: The key in the files, a plural: ``teams``.
        schema: What one item may say. Everything that :meth:`put` refuses by its form alone, it refuses first.
        names: The form that the names of items have; an annotation of a text, as for the keys of a block.
        built_in: Names that are always there and are no items: they may be referred to.
    """

    kind: ClassVar[str]
    schema: ClassVar[type[Block]]
    names: ClassVar[Any] = Name
    built_in: frozenset[str] = frozenset()

    def references(self, name: str, item: B) -> tuple[Reference, ...]:
        """Return what an item needs: it is put after that, and removed before it."""
        return ()

    def canonical(self, item: B) -> B:
        """Return an item in the one form in which items are compared: what has no order sorted, what stands twice once."""
        return item

    def rises(self, before: B, item: B) -> bool:
        """Tell whether an item changes so that those which need it, and change likewise, have to be put before it."""
        return False

    @abc.abstractmethod
    async def present(self, ctx: Context) -> Mapping[str, B]:
        """Return all items by name, as files would say them.

        Raises:
            Denied: The caller may not see them.
        """

    @abc.abstractmethod
    async def put(self, ctx: Context, name: str, item: B) -> None:
        """Bring an item to what is said. Idempotent; asks the gate, and notes in the audit log what it changes.

        Raises:
            PlatformError: Why not; other items are put all the same when this is mended and applied again.
        """

    @abc.abstractmethod
    async def remove(self, ctx: Context, name: str) -> None:
        """Take an item away; one that is not there already is none. Asks and notes as :meth:`put`.

        Raises:
            PlatformError: Why not; who uses it.
        """
