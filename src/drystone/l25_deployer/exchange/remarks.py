"""What an import or export has to say beside its result."""

from __future__ import annotations

from typing import Literal

import msgspec

from drystone.l00_kernel.yaml_text.tree import Path, Span, dotted


class Remark(msgspec.Struct, frozen=True):
    """One thing that somebody has to know.

    Attributes:
        kind: ``lost``: it has no counterpart; ``guess``: it has one that may be wrong; ``todo``: something is left to do.
        file: The source.
        line: Its line, from 1; 0 where the source does not say it.
        path: What it is about: ``services.web.networks``.
        why: What was found, and why it is as it is.
        do: What to do.
    """

    kind: Literal["lost", "guess", "todo"]
    file: str
    line: int
    path: str
    why: str
    do: str


class Remarks:
    """Gathers remarks about one source.

    Args:
        file: How the source is called.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[Remark, None] = {}

    def lost(self, span: Span | None, path: Path, why: str, do: str) -> None:
        """Say that something has no counterpart."""
        self._add("lost", span, path, why, do)

    def guess(self, span: Span | None, path: Path, why: str, do: str = "look at it") -> None:
        """Say that something was taken for something."""
        self._add("guess", span, path, why, do)

    def todo(self, span: Span | None, path: Path, why: str, do: str) -> None:
        """Say that something is left to do."""
        self._add("todo", span, path, why, do)

    def _add(
        self,
        kind: Literal["lost", "guess", "todo"],
        span: Span | None,
        path: Path,
        why: str,
        do: str,
    ) -> None:
        line = span.line if span is not None else 0
        self._found[Remark(kind, self.file, line, dotted(path), why, do)] = None

    def all(self) -> tuple[Remark, ...]:
        """Return them in the order of the source."""
        return tuple(sorted(self._found, key=lambda one: (one.line, one.path, one.kind, one.why)))
