"""A merge of three texts, line by line: what both began with, ours, and theirs. Pure.

It is diff3 (Khanna, Kunal, Pierce: A Formal Investigation of Diff3, 2007): lines that all three share divide the texts into pieces.
In each piece, what only one side changed is taken; what both changed alike is taken once; what both changed otherwise is kept twice,
between marks. No line of ours is ever lost.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec

OURS, BETWEEN, THEIRS = "<<<<<<<", "=======", ">>>>>>>"
"""Marks around a piece that both sides changed, as version control writes them."""

Lines: TypeAlias = Sequence[str]


class Merged(msgspec.Struct, frozen=True):
    """What a merge gives.

    Attributes:
        text: The text, with marks where it is not clear.
        conflicts: Pieces between marks.
    """

    text: str
    conflicts: int


def merge(
    base: str, ours: str, theirs: str, *, our_name: str = "ours", their_name: str = "theirs"
) -> Merged:
    """Merge what two sides made of one text.

    Args:
        base: What both began with.
        ours: What one side made of it.
        theirs: What the other side made of it.
        our_name: How marks call our side.
        their_name: How marks call theirs.
    """
    if theirs in (ours, base):
        return Merged(ours, 0)
    if ours == base:
        return Merged(theirs, 0)
    shared = [text.splitlines(keepends=True) for text in (base, ours, theirs)]
    found: list[str] = []
    conflicts = 0
    for before, our, their in _pieces(*shared):
        if their in (our, before):
            found += our
        elif our == before:
            found += their
        else:
            conflicts += 1
            found += [f"{OURS} {our_name}\n", *_ended(our), f"{BETWEEN}\n", *_ended(their)]
            found.append(f"{THEIRS} {their_name}\n")
    return Merged("".join(found), conflicts)


def is_open(text: str) -> bool:
    """Tell whether a text still has marks of a merge."""
    starts = [line[:7] for line in text.splitlines()]
    return OURS in starts and THEIRS in starts


def _ended(lines: Lines) -> list[str]:
    """End the last line, so that a mark begins a line of its own."""
    return [line if line.endswith(("\n", "\r")) else f"{line}\n" for line in lines]


def _pieces(base: Lines, ours: Lines, theirs: Lines) -> Iterator[tuple[Lines, Lines, Lines]]:
    """Divide three texts at the lines that all of them share."""
    at = our_at = their_at = 0
    for line, our_line, their_line in [
        *_in_all(base, ours, theirs),
        (len(base), len(ours), len(theirs)),
    ]:
        between = (base[at:line], ours[our_at:our_line], theirs[their_at:their_line])
        if any(between):
            yield between
        if line < len(base):
            yield base[line : line + 1], ours[our_line : our_line + 1], theirs[their_line:][:1]
        at, our_at, their_at = line + 1, our_line + 1, their_line + 1


def _in_all(base: Lines, ours: Lines, theirs: Lines) -> list[tuple[int, int, int]]:
    our_places, their_places = _same(base, ours), _same(base, theirs)
    return [
        (line, our_places[line], their_places[line]) for line in our_places if line in their_places
    ]


def _same(base: Lines, other: Lines) -> dict[int, int]:
    matcher = difflib.SequenceMatcher(None, base, other, autojunk=False)
    return {
        start + step: other_start + step
        for start, other_start, size in matcher.get_matching_blocks()
        for step in range(size)
    }
