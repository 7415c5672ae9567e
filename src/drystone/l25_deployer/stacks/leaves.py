"""Stacks as leaves: every field by its path, and back.

A leaf is a number, a text, a truth value or a list; empty mappings and absent values have no leaf, since the fields that
hold them default to just that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from drystone.l25_deployer.stacks.model import Stacks

Leaf: TypeAlias = object
StackPath: TypeAlias = tuple[str, ...]
"""Stack, then field by field: ``("deployment", "groups", "web", "memory")``."""


def flatten(stacks: Stacks) -> dict[StackPath, Leaf]:
    """Give every leaf of stacks by its path, sorted."""
    found: dict[StackPath, Leaf] = {}
    spread(msgspec.json.decode(msgspec.json.encode(stacks)), (), found)
    return dict(sorted(found.items()))


def spread(value: Leaf, path: StackPath, into: dict[StackPath, Leaf]) -> None:
    """Add a value's leaves below a path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            spread(item, (*path, str(key)), into)
    elif value is not None:
        into[path] = value


def unflatten(leaves: Mapping[StackPath, Leaf]) -> Stacks:
    """Build stacks of their leaves.

    Raises:
        msgspec.ValidationError: The leaves are not those of stacks.
    """
    root = nest(leaves, ())
    for stack in ("eternal", "deployment"):  # these may be empty, and then have no leaf
        root.setdefault(stack, {})
    return msgspec.convert(root, Stacks)


def nest(leaves: Mapping[StackPath, Leaf], below: StackPath) -> dict[str, Leaf]:
    """Give the leaves below a path as nested mappings."""
    root: dict[str, Leaf] = {}
    for path, value in leaves.items():
        if path[: len(below)] != below:
            continue
        *steps, last = path[len(below) :]
        place = root
        for step in steps:
            inner = place.setdefault(step, {})
            assert isinstance(inner, dict)  # noqa: S101 - a path is a leaf or a mapping, never both
            place = inner
        place[last] = value
    return root
