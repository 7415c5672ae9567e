"""What a deploy would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.tables import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drystone.l25_deployer.api import PlanChange, PlanView

SIGNS = {"add": ("+", Style.ADDED), "change": ("~", Style.CHANGED), "remove": ("-", Style.REMOVED)}
TITLES = {
    "eternal": "data",
    "resources": "release",
    "deployment": "compute",
    "environment": "surroundings",
    "route": "traffic",
}
LONGEST_VALUE = 60


def plan(view: PlanView, *, paint: Paint = PLAIN) -> Iterator[str]:
    """Changes by stack, then what stands in the way and what is worth knowing."""
    where = f"{paint(view.service, Style.NAME)} in {view.environment}"
    yield f"{where}: {_count(view.changes)}  ({view.file}; {view.runtime})"
    for stack in dict.fromkeys(change.stack for change in view.changes):
        yield ""
        yield paint(TITLES.get(stack, stack), Style.QUIET)
        for change in view.changes:
            if change.stack == stack:
                yield from _change(change, paint)
    yield from _list("would be refused", view.refused, paint, Style.BAD)
    yield from _list(
        "deletes data",
        [f"{name}: deploy with --delete-data {name} to delete its data" for name in view.confirm],
        paint,
        Style.BAD,
    )
    yield from _list("accepted, not acted on yet", view.not_yet, paint, Style.WARN)
    yield from _list("worth knowing", view.notes, paint, Style.QUIET)


def _count(changes: Sequence[PlanChange]) -> str:
    if not changes:
        return "nothing to change"
    counts = {
        word: sum(change.action == action for change in changes)
        for action, word in (("add", "added"), ("change", "changed"), ("remove", "removed"))
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _change(change: PlanChange, paint: Paint) -> Iterator[str]:
    sign, style = SIGNS[change.action]
    values = [shorten(v, LONGEST_VALUE) for v in (change.old, change.new) if v is not None]
    origin = f"  line {change.line}" if change.line is not None else ""
    yield f"  {paint(f'{sign} {change.path}', style)}  {' → '.join(values)}{paint(origin, Style.QUIET)}"
    if change.consequence:
        yield f"      {change.consequence}"


def _list(title: str, lines: Sequence[str], paint: Paint, style: Style) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield paint(title, style)
    for line in lines:
        first, *rest = line.splitlines() or [""]
        yield f"  {first}"
        for more in rest:
            yield f"    {more}"
