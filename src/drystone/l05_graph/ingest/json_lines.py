"""JSON lines of which a few keys matter, read as fast as lines of one program allow.

Lines that a program writes have the same keys in the same order, nearly always. So the keys are learnt from the lines: a type
is made that has all of them, what matters by its meaning and the rest as text that nobody looks at, and that refuses any other
key. A line that it refuses is read slowly, and its keys are learnt. Nothing is guessed: a line gives the same in either way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec

MOST_KEYS = 64
"""So many keys are learnt; lines with others are read slowly."""
MISSING = (None, "", "-")
"""Values that say that there is none."""

_PLAIN = re.compile(r"[ !#-\[\]-~]{1,100}")
"""Keys that a type can have; lines with others are read slowly."""

_slowly = msgspec.json.Decoder(dict[str, Any]).decode


class Learner:
    """Reads the lines of a file.

    Args:
        keys: What matters, and under which keys it may be; the first that is there counts.
    """

    def __init__(self, keys: Mapping[str, Sequence[str]]) -> None:
        self._keys = keys
        self._meaning = {key for some in keys.values() for key in some}
        self._learnt: dict[str, None] = {}
        self._fast: Callable[[bytes], Any] | None = None
        self._several: list[tuple[str, list[str]]] = []

    def read(self, line: bytes) -> Any:
        """Return an object with an attribute for all that matters; None, or one of ``MISSING``, where the line lacks it.

        Raises:
            msgspec.DecodeError: The line is no JSON object.
            UnicodeDecodeError: It is not UTF-8.
            RecursionError: It is nested without end.
        """
        if self._fast is not None:
            try:
                found = self._fast(line)
            except msgspec.ValidationError:
                pass
            else:
                if self._several:
                    self._choose(found)
                return found
        return self._read_slowly(line)

    def _choose(self, found: Any) -> None:
        """Put the first that is there in the place of one that is missing."""
        for what, others in self._several:
            if getattr(found, what) in MISSING:
                every = (getattr(found, other) for other in others)
                setattr(found, what, next((one for one in every if one not in MISSING), None))

    def _read_slowly(self, line: bytes) -> Any:
        record = _slowly(line)
        is_new = not record.keys() <= self._learnt.keys()
        if is_new and len(self._learnt) <= MOST_KEYS and all(map(_PLAIN.fullmatch, record)):
            self._learnt |= dict.fromkeys(record)
            self._fast = self._learn() if len(self._learnt) <= MOST_KEYS else None
        found = SimpleNamespace(**dict.fromkeys(self._keys))
        for what, some in self._keys.items():
            every = (record.get(key) for key in some)
            setattr(found, what, next((one for one in every if one not in MISSING), None))
        return found

    def _learn(self) -> Callable[[bytes], Any]:
        """Make what reads a line that has no other keys than those that were learnt."""
        names = {key: f"_{number}" for number, key in enumerate(self._learnt)}
        self._several = []
        for what, some in self._keys.items():
            there = [key for key in some if key in names]
            if len(there) > 1:
                self._several.append((what, [names[key] for key in there[1:]]))
            if there:
                names[there[0]] = what
        kinds = {key: Any if key in self._meaning else msgspec.Raw for key in names}
        kind = msgspec.defstruct(
            "Line",
            [(name, kinds[key], None) for key, name in names.items()],
            rename={name: key for key, name in names.items()},
            namespace={what: None for what in self._keys if what not in names.values()},
            forbid_unknown_fields=True,
            gc=False,
        )
        return msgspec.json.Decoder(kind).decode
