"""What was used last, as much as there is room for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from drystone.l05_graph.model import Model

MOST_LINES = 2_000_000
"""Components and dependencies of all models of a kind that are held together: about two gigabytes with all that follows."""
_MOST_MODELS = 4

Value = TypeVar("Value")


def lines_of(model: Model) -> int:
    """Return how much of the room for models one takes; there is room for four at most."""
    lines = len(model.components) + len(model.dependencies)
    return max(lines, MOST_LINES // _MOST_MODELS)


class Latest(Generic[Value]):
    """What was used last, as much as there is room for.

    Args:
        room: How much in all.
        size: How much each takes.
    """

    def __init__(self, room: int, size: Callable[[Value], int]) -> None:
        self._room, self._size = room, size
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._used = 0

    def get(self, key: Hashable) -> Value | None:
        """Return what is kept, and keep it longer."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        """Keep something, in place of what was used longest ago."""
        if key in self._kept:
            self._used -= self._size(self._kept.pop(key))
        self._kept[key] = value
        self._used += self._size(value)
        while self._used > self._room and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._used -= self._size(gone)
