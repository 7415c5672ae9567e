"""What a page of lists shows: rows of words, and what can be ended in a row."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

What: TypeAlias = Literal["guardrails", "registry", "access"]
Kind: TypeAlias = Literal["exceptions", "freezes", "tokens", "glass"]
KINDS: tuple[Kind, ...] = ("exceptions", "freezes", "tokens", "glass")
"""What can be ended on these pages."""


class State(msgspec.Struct, frozen=True):
    """A word with a mood."""

    word: str


Cell: TypeAlias = str | datetime | State | None


class Ending(msgspec.Struct, frozen=True):
    """That whoever looks may end something.

    Attributes:
        kind: What it is.
        id: Which.
        label: Of the button.
        about: What will happen.
    """

    kind: Kind
    id: str
    label: str
    about: str


class Row(msgspec.Struct, frozen=True):
    """A row; its first cell names it."""

    cells: tuple[Cell, ...]
    ending: Ending | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A list.

    Attributes:
        heading: What it lists.
        lead: A sentence about it.
        columns: Its columns.
        rows: Its rows.
        empty: What is said where there are none.
        key: By which more of it is asked for; empty for one that is always shown whole.
        next: Cursor of what follows; None where nothing does.
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    lead: str = ""
    empty: str = "None."
    key: str = ""
    next: str | None = None


class Turned(msgspec.Struct, frozen=True):
    """Which page of which list somebody turned to.

    Attributes:
        part: Key of the list; empty for the begin of all of them.
        cursor: Where it goes on; empty for its begin.
    """

    part: str = ""
    cursor: str = ""

    def at(self, part: str) -> str | None:
        """Return where a list goes on; None for its begin."""
        return (self.cursor or None) if part == self.part else None


class Listing(msgspec.Struct, frozen=True):
    """A page of lists.

    Attributes:
        what: Which.
        parts: All of its lists, or the one that somebody turned to.
        turned: The key of that one; empty for all.
    """

    what: What
    parts: tuple[Part, ...]
    turned: str = ""

    def showing(self, turned: Turned) -> Listing:
        """Return what is left when somebody turned to one list."""
        some = tuple(one for one in self.parts if one.key == turned.part and one.key)
        return msgspec.structs.replace(self, parts=some, turned=turned.part) if some else self
