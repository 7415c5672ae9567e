"""Steps by which files become what is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drystone.l50_orchestrator.configuration.api import StepView

SIGNS = {"create": ("+", Style.GOOD), "change": ("~", Style.WARN), "remove": ("-", Style.BAD)}


def steps(items: Sequence[StepView], *, paint: Paint = PLAIN) -> Iterator[str]:
    """One line per step, and one for each thing that it changes."""
    for one in items:
        sign, style = SIGNS[one.action]
        yield f"{paint(sign, style)} {one.kind} {paint(one.name, Style.NAME)}"
        for change in one.changes:
            yield f"    {change}"
    if not items:
        yield "nothing to do"
