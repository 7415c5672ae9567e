"""What the views of dependencies have in common: paragraphs, bounded lists, counts and names of many."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style

WIDTH = 100
MOST = 20
"""So many entries of a list are shown, unless the reader asks for all."""

One = TypeVar("One")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def width_here() -> int:
    """Return how wide a line may be: a hundred columns, or fewer on a narrow terminal."""
    return max(40, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def wrapped(text: str, indent: str = "  ", hang: str | None = None) -> Iterator[str]:
    """Break a text into lines that fit.

    Args:
        text: What to say.
        indent: Before the first line.
        hang: Before all others; the same when None.
    """
    yield from textwrap.wrap(
        text,
        width_here(),
        initial_indent=indent,
        subsequent_indent=indent if hang is None else hang,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def labelled(label: str, text: str, *, paint: Paint = PLAIN, indent: str = "  ") -> Iterator[str]:
    """Say something behind a quiet word, such as ``do``; what follows hangs below the text."""
    head = f"{label:<7}"
    first, *rest = wrapped(text, indent + head, indent + " " * len(head))
    yield indent + paint(head, Style.QUIET) + first[len(indent + head) :]
    yield from rest


def heading(name: str, size: str, total: str, *, paint: Paint) -> Iterator[str]:
    """Say what was looked at and what is the sum of it, on one line where that fits."""
    head = f"{paint(name, Style.NAME)}: {size};"
    if len(_COLOURS.sub("", f"{head} {total}")) <= width_here():
        yield f"{head} {total}"
    else:
        yield head
        yield f"  {total}"


def numbered(number: int, wide: int, names: str, *, paint: Paint) -> Iterator[str]:
    """Write names behind the number of their wave or layer; further lines hang below the names.

    Args:
        number: Of the row.
        wide: Digits of the widest number.
        names: Of what is there, as :func:`named` writes them.
        paint: Colours the number.
    """
    head = f"{number:>{wide}}  "
    first, *rest = wrapped(names, head, " " * len(head))
    yield paint(head, Style.NAME) + first[len(head) :]
    yield from rest


def bounded(every: Sequence[One], *, show_all: bool, most: int = MOST) -> tuple[Sequence[One], int]:
    """Return the entries to show, and how many are left out."""
    if show_all or len(every) <= most:
        return every, 0
    return every[:most], len(every) - most


def more(left_out: int, what: str = "") -> str:
    """Say that there are more, and how to see them."""
    return f"… and {left_out:,} more{f', {what}' if what else ''} (--all)"


def named(names: Iterable[str], *, most: int = 8) -> str:
    """Name several; of many, the first and how many there are."""
    every = list(names)
    if len(every) <= most:
        return ", ".join(every)
    return f"{', '.join(every[: most - 1])} and {len(every) - most + 1:,} more"


def count(number: int, noun: str, nouns: str = "") -> str:
    """Return a number with its noun: ``1 service``, ``2,000 services``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {nouns or noun + 's'}"


def size_of(components: int, dependencies: int) -> str:
    """Say how large a model is."""
    what = count(dependencies, "dependency", "dependencies")
    return f"{count(components, 'component')}, {what}"


def cost(value: float) -> str:
    """Write a cost: ``4``, ``4.5``, ``1,272``."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def duration(value: timedelta) -> str:
    """Write a duration in its two largest units: ``45 s``, ``30 m``, ``2 h 15 m``, ``3 d 4 h``."""
    seconds = round(value.total_seconds())
    if 0 < value.total_seconds() < 1:
        return f"{value.total_seconds():.2f} s"
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    said = [f"{amount} {unit}" for amount, unit in parts if amount]
    return " ".join(said[:2]) or "0 s"


def percent(share: float, digits: int = 1) -> str:
    """Write a share as a percentage, without zeros at the end: ``99.95 %``."""
    text = f"{100 * share:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + " %"
