"""The diary of a run: one line for each thing that was done and each thing that was seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

WIDTH = 9


class Journal:
    """Writes lines with the seconds since the beginning, to a file and to whoever watches.

    Args:
        path: The file; replaced.
        show: Called with each line as well.
    """

    def __init__(self, path: Path, show: Callable[[str], None] = lambda _line: None) -> None:
        self.path = path
        self._show = show
        self._begun = time.monotonic()
        path.write_text("", encoding="utf-8")

    def now(self) -> float:
        """Return the seconds since the journal was begun, which is the time of everything in it."""
        return time.monotonic() - self._begun

    def write(self, kind: str, text: str) -> None:
        """Add a line.

        Args:
            kind: ``plan``, ``deploy``, ``rollback``, ``strike``, ``rest``, ``broken``, ``verdict`` and the like.
            text: What happened; further lines are indented.
        """
        line = f"{self.now():{WIDTH}.3f} {kind:<9} {text}".replace("\n", "\n" + " " * (WIDTH + 11))
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._show(line)
