"""What changes of a model make better and worse."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from drystone.l05_graph.disaster import Disaster
from drystone.l05_graph.findings import Finding, Severity
from drystone.l05_graph.outcome import Spread
from drystone.l05_graph.tabletop import tabletop
from drystone.l05_graph.words import TangleKind
from drystone.l80_governance.dependencies.analysis import Analysis
from drystone.l80_governance.dependencies.durations import spoken

_RUNS_OF = 20_000
"""Rehearsals times components: what takes about a second of one processor."""
_SEED = 1
_SHOWN = 12
MOST_MEASURED = 10_000
"""Of more components availability and recovery would take minutes."""
_KINDS: Mapping[str, Collection[TangleKind]] = {
    "deadlock": (TangleKind.DEADLOCK,),
    "deadlock or co-start": (TangleKind.DEADLOCK, TangleKind.CO_START),
    "of any kind": tuple(TangleKind),
}
_LEFT_OUT = (
    f"Availability and recovery are not measured here: a model has more than {MOST_MEASURED:,} components."
    " The pages of services and the tabletop tell them for one at a time."
)


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What is compared of one model.

    Attributes:
        analysis: Of it.
        highest: The availability that each component cannot exceed.
        recovery: How long it takes to bring everything back.
        stuck: How many components never come back by themselves, nor by break-glass steps that are written down.
        is_whole: Whether availability and recovery were measured; of a model without measure they are not.
    """

    analysis: Analysis
    highest: Mapping[str, float]
    recovery: Spread | None
    stuck: int
    is_whole: bool = True


@dataclass(frozen=True, kw_only=True)
class Line:
    """One measure, before and after.

    Attributes:
        name: What is measured.
        before: As text.
        after: As text.
        is_better: None when nothing changed, or nobody can say.
        is_grave: Whether nothing else makes up for it when it gets worse.
    """

    name: str
    before: str
    after: str
    is_better: bool | None
    is_grave: bool = False


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What becomes better and worse.

    Attributes:
        lines: Measures.
        gained: Findings that come.
        lost: Findings that go.
        moved: Components whose availability changes most: name, before, after.
        left_out: What was not measured and why, as a sentence; empty when all was.
    """

    lines: Sequence[Line]
    gained: Sequence[Finding]
    lost: Sequence[Finding]
    moved: Sequence[tuple[str, float, float]]
    left_out: str = ""


def measured(analysis: Analysis) -> Measures:
    """Measure a model."""
    model = analysis.model
    size = len(model.components)
    if not size:
        return Measures(analysis=analysis, highest={}, recovery=None, stuck=0)
    if size > MOST_MEASURED:
        return Measures(analysis=analysis, highest={}, recovery=None, stuck=0, is_whole=False)
    every = analysis.availabilities
    runs = max(5, min(100, _RUNS_OF // size))
    whole = tabletop(model, Disaster(everything=True), runs=runs, seed=_SEED)
    return Measures(
        analysis=analysis,
        highest={name: every.bound(name) for name in model.by_name},
        recovery=whole.many.lasts if whole.many is not None else None,
        stuck=len(whole.unrecovered),
    )


def compared(before: Measures, after: Measures) -> Effects:
    """Compare two models."""
    old = {one.key: one for one in before.analysis.findings}
    new = {one.key: one for one in after.analysis.findings}
    moved = [
        (name, share, after.highest[name])
        for name, share in before.highest.items()
        if abs(after.highest.get(name, share) - share) > 1e-12
    ]
    moved.sort(key=lambda one: (-abs(one[2] - one[1]), one[0]))
    return Effects(
        lines=_lines(before, after),
        gained=[one for key, one in new.items() if key not in old],
        lost=[one for key, one in old.items() if key not in new],
        moved=moved[:_SHOWN],
        left_out="" if before.is_whole and after.is_whole else _LEFT_OUT,
    )


def _lines(before: Measures, after: Measures) -> list[Line]:
    a, b = before.analysis, after.analysis
    lines = [
        _less(
            f"Findings: {severity}s",
            a.severities[severity],
            b.severities[severity],
            is_grave=severity is Severity.ERROR,
        )
        for severity in (Severity.ERROR, Severity.WARNING)
    ]
    lines += [
        _less(f"Components in tangles: {name}", *(_tangled(each, kinds) for each in (a, b)))
        for name, kinds in _KINDS.items()
    ]
    lines.append(_less("Cost of the cheapest cut", a.layers.cost, b.layers.cost))
    if not (before.is_whole and after.is_whole):
        return lines
    lines += [
        _more("Lowest availability", _lowest(before), _lowest(after)),
        _sooner("Recovery of everything, in half of the cases", before, after, 0.5),
        _sooner("Recovery of everything, in nine of ten", before, after, 0.9),
        _less("Components that never come back", before.stuck, after.stuck, is_grave=True),
    ]
    return lines


def _tangled(analysis: Analysis, kinds: Collection[TangleKind]) -> int:
    """Count those in tangles of some kinds; a tangle that becomes a milder one is not worse than before."""
    inside = {v for one in analysis.tangles if one.kind in kinds for v in one.members.tolist()}
    return len(inside)


def _less(name: str, before: float, after: float, *, is_grave: bool = False) -> Line:
    better = None if abs(before - after) < 1e-9 else after < before
    return Line(
        name=name,
        before=f"{before:,.10g}",
        after=f"{after:,.10g}",
        is_better=better,
        is_grave=is_grave,
    )


def _more(name: str, before: float | None, after: float | None) -> Line:
    better = None
    if before is not None and after is not None and abs(before - after) > 1e-12:
        better = after > before
    return Line(name=name, before=percent(before), after=percent(after), is_better=better)


def _sooner(name: str, before: Measures, after: Measures, share: float) -> Line:
    old, new = _within(before, share), _within(after, share)
    never = timedelta.max
    better = None if old == new else (new or never) < (old or never)
    return Line(name=name, before=spoken(old), after=spoken(new), is_better=better)


def _within(one: Measures, share: float) -> timedelta | None:
    if one.recovery is None or one.stuck:
        return None  # some of it never comes back
    return one.recovery.p50 if share == 0.5 else one.recovery.p90


def _lowest(one: Measures) -> float | None:
    return min(one.highest.values(), default=None)


def percent(share: float | None) -> str:
    """Write a share of the time so that nines can be told apart."""
    return "—" if share is None else f"{100 * share:.5f}".rstrip("0").rstrip(".") + " %"
