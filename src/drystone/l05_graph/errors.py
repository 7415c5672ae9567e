"""What can be wrong with a model."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from drystone.l00_kernel.errors import Conflict, Invalid, NotFound

MOST_SHOWN = 20


class Mistake(msgspec.Struct, frozen=True):
    """One mistake in a model.

    Attributes:
        message: What is wrong, which, and what to do.
        place: File and line, or wherever it was read; empty when it was not read.
    """

    message: str
    place: str = ""

    def sentence(self) -> str:
        """Return it with its place."""
        return f"{self.place}: {self.message}" if self.place else self.message


class ModelInvalid(Invalid):
    """The model contradicts itself.

    Args:
        mistakes: All of them.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        lines = [mistake.sentence() for mistake in mistakes[:MOST_SHOWN]]
        if len(mistakes) > MOST_SHOWN:
            lines.append(f"and {len(mistakes) - MOST_SHOWN} more")
        super().__init__("\n".join(lines))
        self.mistakes = tuple(mistakes)


class ComponentNotFound(NotFound):
    """The model has no component of that name."""


class ScenarioStale(Conflict):
    """The scenario was made for another model."""
