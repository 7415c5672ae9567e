"""Counts what was compared, in bounded memory, and keeps it in a file that survives whoever counts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l35_mesh.migration.api import Compared, Example

MOST_EXAMPLES = 20
MOST_REASONS = 16
MOST_BYTES = 1 << 20


class Tally:
    """What was compared of one service.

    Args:
        since: When it begins, where nothing was counted before.
        before: What was counted before.
    """

    def __init__(self, since: datetime, before: Compared | None = None) -> None:
        self._so_far = before or Compared(since=since, last=None)
        self._examples = {
            (one.method, one.path, tuple(one.differences)): one for one in self._so_far.examples
        }
        self._left_out = dict(self._so_far.left_out)

    def same(self, now: datetime) -> None:
        """Count two answers that mean the same."""
        self._so_far = msgspec.structs.replace(self._so_far, same=self._so_far.same + 1, last=now)

    def different(self, now: datetime, method: str, path: str, differences: list[str]) -> None:
        """Count two answers that differ.

        Args:
            now: When.
            method: Of the request.
            path: Without anything secret.
            differences: How.
        """
        so_far = self._so_far
        self._so_far = msgspec.structs.replace(so_far, different=so_far.different + 1, last=now)
        key = (method, path, tuple(differences))
        known = self._examples.get(key)
        if known is not None:
            self._examples[key] = msgspec.structs.replace(known, count=known.count + 1, last=now)
        elif len(self._examples) < MOST_EXAMPLES:
            self._examples[key] = Example(method, path, differences, 1, now)

    def left_out(self, reason: str) -> None:
        """Count a copy of which nothing can be said."""
        if reason in self._left_out or len(self._left_out) < MOST_REASONS:
            self._left_out[reason] = self._left_out.get(reason, 0) + 1

    @property
    def so_far(self) -> Compared:
        """What was counted, the most frequent differences first."""
        examples = sorted(self._examples.values(), key=lambda one: (-one.count, one.path))
        return msgspec.structs.replace(
            self._so_far, examples=examples, left_out=dict(self._left_out)
        )


def read(path: Path) -> Compared | None:
    """Read what was counted; nothing when there is none or it cannot be read, since counting can begin again."""
    content = read_if_exists(path)
    if content is None or len(content) > MOST_BYTES:
        return None
    try:
        return msgspec.json.decode(content, type=Compared)
    except msgspec.DecodeError:
        return None


def write(path: Path, compared: Compared) -> None:
    """Keep what was counted.

    Raises:
        OSError: It cannot be written.
    """
    write_atomically(path, msgspec.json.encode(compared))
