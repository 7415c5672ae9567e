"""From text to value, one function for each kind of value: what YAML, CSV and scenarios have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from drystone.l00_kernel import durations
from drystone.l00_kernel.yaml_text.problems import nearest, one_of, quoted

Word = TypeVar("Word", bound=StrEnum)

_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}


class Unfit(Exception):
    """A text is not of its kind; the message says what would be."""


def text(written: str) -> str:
    """Take it as it is."""
    return written


def number(written: str) -> float:
    """Read ``3``, ``0.5`` or ``1e-3``."""
    if not _NUMBER.fullmatch(written):
        raise Unfit(f"expected a number, got {quoted(written)}")
    return float(written)


def whole(written: str) -> int:
    """Read a whole number."""
    if not _WHOLE.fullmatch(written):
        raise Unfit(f"expected a whole number, got {quoted(written)}")
    return int(written)


def share(written: str) -> float:
    """Read ``0.999`` or ``99.9%``."""
    try:
        if written.endswith("%"):
            # One division of exact decimals, so that 99.9% is the same number as 0.999.
            return float(f"{number(written[:-1].strip())!r}e-2")
        return number(written)
    except Unfit as unfit:
        raise Unfit(f"expected a share such as 0.999 or 99.9%, got {quoted(written)}") from unfit


def duration(written: str) -> timedelta:
    """Read ``90m``, ``2h`` or ``1.5d``."""
    try:
        return durations.duration(written)
    except durations.NoDuration as error:
        expected = "expected a duration such as 90s, 30m, 2h or 1d"
        raise Unfit(f"{expected}, got {quoted(written)}") from error
    except durations.TooLong as error:
        raise Unfit(
            f"{quoted(written)} is longer than a hundred years; write a shorter duration"
        ) from error


def day(written: str) -> date:
    """Read ``2027-01-31``."""
    expected = f"expected a day such as 2027-01-31, got {quoted(written)}"
    if len(written) != 10:
        raise Unfit(expected)
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        raise Unfit(expected) from error


def moment(written: str) -> datetime:
    """Read ``2027-01-31T08:30:00Z``, or a day, which stands for its begin in universal time."""
    expected = f"expected a time such as 2027-01-31T08:30:00Z, got {quoted(written)}"
    try:
        found = datetime.fromisoformat(written) if 10 <= len(written) <= 40 else None
        if found is None:
            raise Unfit(expected)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unfit(expected) from error


def flag(written: str) -> bool:
    """Read ``true`` or ``false``."""
    found = _FLAGS.get(written.lower())
    if found is None:
        raise Unfit(f"expected true or false, got {quoted(written)}")
    return found


def word(kind: type[Word], synonyms: Mapping[str, str] | None = None) -> Callable[[str], Word]:
    """Return what reads one of the words of a kind.

    Args:
        kind: The words.
        synonyms: What else is taken for one of them.
    """
    known = {str(one): one for one in kind}
    also = {name: known[ours] for name, ours in (synonyms or {}).items()}

    def read(written: str) -> Word:
        found = known.get(written) or also.get(written) or known.get(written.strip().lower())
        if found is None:
            near = nearest(written, known)
            meant = f"; did you mean {near}?" if near else ""
            raise Unfit(f"expected {one_of(list(known))}, got {quoted(written)}{meant}")
        return found

    return read
