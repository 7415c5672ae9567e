"""Whose calls are counted: names, which whoever calls may choose, by a header for one.

So the names that are kept are bounded, for each limit and for all together. One that has nothing used up any more gives way
to a new one. Where even that leaves no room, all further names share one place: a flood of invented names is limited as one
caller, and takes nothing from those who are known.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

MOST_NAMES = 20_000
"""Names that one limit keeps."""

MOST_NAMES_OF_ALL = 200_000

LONGEST = 200
"""Characters of a name; of a longer one a digest is kept."""

FURTHER = "\0further"
"""The name that all share for whom there is no room; no header can hold it."""

_LOOKED_AT = 4
"""Names that are looked at whenever a new one comes."""

State = TypeVar("State")


def name_of(value: str) -> str:
    """Return the name under which a value of a header is counted."""
    if len(value) <= LONGEST:
        return value
    return hashlib.blake2b(value.encode(errors="surrogateescape"), digest_size=16).hexdigest()


class Room:
    """How many more names may be kept, over all limits.

    Args:
        left: So many.
    """

    def __init__(self, left: int = MOST_NAMES_OF_ALL) -> None:
        self.left = left


class Names(Generic[State]):
    """The names of one limit, and what is known of each.

    Args:
        room: Shared by all limits.
        is_idle: Tells whether what is known of a name at a moment is as good as nothing.
    """

    def __init__(self, room: Room, is_idle: Callable[[State, int], bool]) -> None:
        self._room = room
        self._is_idle = is_idle
        self._states: dict[str, State] = {}
        self._ring: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._states)

    def place(self, name: str, now: int) -> str:
        """Return the name under which a call is counted: its own, if there is room for it."""
        if name in self._states:
            return name
        for _ in range(min(_LOOKED_AT, len(self._ring))):
            oldest = self._ring.popleft()
            if self._is_idle(self._states[oldest], now):
                del self._states[oldest]
                self._room.left += 1
            else:
                self._ring.append(oldest)
        if self._room.left <= 0 or len(self._states) >= MOST_NAMES:
            return FURTHER
        return name

    def get(self, name: str) -> State | None:
        """Return what is known of a name."""
        return self._states.get(name)

    def put(self, name: str, state: State) -> None:
        """Keep what is known of a name that :meth:`place` gave."""
        if name not in self._states:
            self._ring.append(name)
            self._room.left -= 1
        self._states[name] = state

    def items(self) -> Iterable[tuple[str, State]]:
        """Return every name, and what is known of it."""
        return self._states.items()

    def forget(self) -> None:
        """Give all room back."""
        self._room.left += len(self._states)
        self._states.clear()
        self._ring.clear()
