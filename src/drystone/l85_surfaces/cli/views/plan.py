"""What a deploy would change."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.costs import of_plan
from drystone.l85_surfaces.cli.views.tables import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drystone.l25_deployer.api import PlanChange, PlanView

SIGNS = {"add": ("+", Style.GOOD), "change": ("~", Style.WARN), "remove": ("-", Style.BAD)}
TITLES = {
    "eternal": "data",
    "resources": "release",
    "deployment": "compute",
    "environment": "surroundings",
    "route": "traffic",
}
LONGEST_PATH, LONGEST_VALUE = 30, 60


def plan(view: PlanView, *, paint: Paint = PLAIN) -> Iterator[str]:
    """Changes by stack, then what stands in the way and what is worth knowing."""
    where = f"{paint(view.service, Style.NAME)} in {view.environment}"
    yield f"{where}: {_count(view.changes)}  ({view.file})"
    for stack in dict.fromkeys(change.stack for change in view.changes):
        yield ""
        yield from _stack(stack, [c for c in view.changes if c.stack == stack], paint)
    yield from _list("would be refused", view.refused, paint, Style.BAD)
    yield from _list(
        "deletes data",
        [f"{name}: deploy with --delete-data {name} to delete its data" for name in view.confirm],
        paint,
        Style.BAD,
    )
    yield from _list("accepted, not acted on yet", view.not_yet, paint, Style.WARN)
    yield from _list("costs", of_plan(view), paint, Style.QUIET)
    yield from _list("worth knowing", view.notes, paint, Style.QUIET)
    exposed = [line for text in view.exposed for line in textwrap.wrap(text, 76)]
    yield from _list("not isolated", exposed, paint, Style.WARN)
    yield from _list("isolation", textwrap.wrap(view.runtime, 76), paint, Style.QUIET)


def _count(changes: Sequence[PlanChange]) -> str:
    if not changes:
        return "nothing to change"
    counts = {
        word: sum(change.action == action for change in changes)
        for action, word in (("add", "added"), ("change", "changed"), ("remove", "removed"))
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _stack(stack: str, changes: Sequence[PlanChange], paint: Paint) -> Iterator[str]:
    """One stack: what its changes mean stands in the title if all mean the same, else below each."""
    meanings = {change.consequence for change in changes}
    shared = next(iter(meanings)) if len(meanings) == 1 else ""
    title = paint(TITLES.get(stack, stack), Style.QUIET)
    yield f"{title}: {shared}" if shared else title
    width = min(max(len(change.path) for change in changes), LONGEST_PATH)
    for change in changes:
        sign, style = SIGNS[change.action]
        values = [shorten(v, LONGEST_VALUE) for v in (change.old, change.new) if v is not None]
        origin = paint(f"  line {change.line}", Style.QUIET) if change.line is not None else ""
        path = paint(f"{sign} {change.path.ljust(width)}", style)
        yield f"  {path}  {' → '.join(values)}{origin}".rstrip()
        if change.consequence and not shared:
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
