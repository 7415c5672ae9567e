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
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    lead: str = ""
    empty: str = "None."


class Listing(msgspec.Struct, frozen=True):
    """A page of lists."""

    what: What
    parts: tuple[Part, ...]
