"""How two models differ: the changes, what they mend, and what they break."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, Self

from drystone.l05_graph.changes import (
    AddComponent,
    AddDependency,
    AddGroup,
    Change,
    RemoveComponent,
    RemoveDependency,
    RemoveGroup,
    sentence,
)
from drystone.l05_graph.findings import Finding, Severity
from drystone.l85_surfaces.cli.dependencies.reading import Given
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.findings import entry, finding
from drystone.l85_surfaces.cli.views.deps.text import bounded, count, more, wrapped

MOST_FINDINGS = 10


class Difference(NamedTuple):
    """What changed, which findings came with it, and which are gone."""

    changes: Sequence[Change]
    worse: Sequence[Finding]
    better: Sequence[Finding]

    @classmethod
    def of(
        cls, changes: Sequence[Change], before: Sequence[Finding], after: Sequence[Finding]
    ) -> Self:
        """Compare the findings of two models."""
        old, new = {one.key for one in before}, {one.key for one in after}
        return cls(
            changes,
            [one for one in after if one.key not in old],
            [one for one in before if one.key not in new],
        )

    @property
    def is_worse(self) -> bool:
        """Whether an error came."""
        return any(one.severity is Severity.ERROR for one in self.worse)


def differences(
    found: Difference,
    old: Given,
    new: Given,
    today: date,
    *,
    paint: Paint = PLAIN,
    show_all: bool = False,
) -> Iterator[str]:
    """Tell the changes and what they do."""
    counts = (
        f"{count(len(found.changes), 'change')}, {count(len(found.worse), 'finding')} more,"
        f" {count(len(found.better), 'finding')} fewer"
    )
    yield f"{paint(old.name, Style.NAME)} → {paint(new.name, Style.NAME)}: {counts}"
    some, left_out = bounded(found.changes, show_all=show_all)
    if some:
        yield ""
    for change in some:
        sign, style = _sign(change)
        first, *rest = wrapped(
            sentence(change).removeprefix("add ").removeprefix("remove "), f"{sign} ", "  "
        )
        yield paint(first, style)
        yield from rest
    if left_out:
        yield paint(more(left_out, "changes"), Style.QUIET)
    for title, style, every, where in (
        ("becomes worse", Style.BAD, found.worse, new),
        ("becomes better", Style.GOOD, found.better, old),
    ):
        shown, left_out = bounded(every, show_all=show_all, most=MOST_FINDINGS)
        if shown:
            yield ""
            yield paint(title, style)
        for one in shown:
            yield ""
            yield from finding(one, where, today, paint=paint)
        if left_out:
            yield ""
            yield paint(more(left_out, "findings"), Style.QUIET)


def _sign(change: Change) -> tuple[str, Style]:
    if isinstance(change, AddComponent | AddDependency | AddGroup):
        return "+", Style.GOOD
    if isinstance(change, RemoveComponent | RemoveDependency | RemoveGroup):
        return "-", Style.BAD
    return "~", Style.WARN


def document(found: Difference, old: Given, new: Given, today: date) -> Mapping[str, Any]:
    """Return what a machine is told."""
    return {
        "before": old.model.digest,
        "after": new.model.digest,
        "changes": [
            {"change": type(change).__name__, "sentence": sentence(change)}
            for change in found.changes
        ],
        "worse": [entry(one, new, today) for one in found.worse],
        "better": [entry(one, old, today) for one in found.better],
    }
