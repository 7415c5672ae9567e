"""Releases, one release with its evidence, and how two differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.services import fact
from drystone.l85_surfaces.cli.views.tables import shorten, table
from drystone.l85_surfaces.cli.views.times import age, moment, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from drystone.l50_orchestrator.releases.api import (
        CurvePoint,
        Difference,
        ReleaseSummary,
        ReleaseView,
        RolloutView,
    )

BY_USER = frozenset({"errors", "dependency-errors"})
"""Where users are told apart, each counts once in these."""

STATES = {
    "served": Style.GOOD,
    "failed": Style.BAD,
    "refused": Style.BAD,
    "rolled-back": Style.BAD,
    "aborted": Style.QUIET,
}
"""Those that are not named are under way."""

LONGEST = 60
BAR = 40


def releases(
    items: Sequence[ReleaseSummary],
    *,
    now: datetime,
    paint: Paint = PLAIN,
    width: int | None = None,
) -> Iterator[str]:
    """One line per release."""
    rows = [
        (
            Piece(f"{item.environment}/{item.service}/{item.number}", Style.NAME),
            item.version,
            Piece(_state(item), STATES.get(item.state, Style.WARN)),
            item.kind,
            item.author,
            age(item.asked_at, now),
            shorten((item.why or item.message).partition("\n")[0], LONGEST),
        )
        for item in items
    ]
    headings = ("release", "version", "state", "kind", "by", "age", "why")
    return table(headings, rows, paint=paint, width=width)


def _state(item: ReleaseSummary) -> str:
    return "serves" if item.is_serving else item.state


def release(view: ReleaseView, *, paint: Paint = PLAIN) -> Iterator[str]:
    """All that is recorded of one."""
    one = view.summary
    name = f"{one.environment}/{one.service}/{one.number}"
    yield f"{paint(name, Style.NAME)}  version {one.version}  {paint(_state(one), STATES.get(one.state, Style.WARN))}"
    yield from fact("id", one.id, paint=paint)
    yield from fact("why", one.why, paint=paint, problem=STATES.get(one.state) is Style.BAD)
    yield from fact(
        "asked for", f"{moment(one.asked_at)} by {one.author}, of {one.team}", paint=paint
    )
    if one.message:
        yield from fact("message", one.message, paint=paint)
    if one.origin != one.id:
        yield from fact(
            one.kind, f"of {one.service} {one.version}, first release {one.origin}", paint=paint
        )
    if view.artefact:
        yield from fact("artefact", view.artefact, paint=paint)
    yield from fact("descriptor", f"{view.file}, {view.descriptor_digest}", paint=paint)
    for said in view.approvals:
        word = "agrees" if said.agrees else "rejects"
        yield from fact("approval", f"{said.by} {word} {said.message}".rstrip(), paint=paint)
    for finding in view.findings:
        where = f" (line {finding.line})" if finding.line else ""
        text = f"{finding.effect}: {finding.text}{where}"
        if finding.exception:
            text += f"; exception {finding.exception}"
        yield from fact(
            "policy", f"{finding.policy}: {text}", paint=paint, problem=finding.effect == "refuse"
        )
    if view.steps:
        yield ""
        rows = [(moment(s.at), s.step, s.state, s.text.partition("\n")[0]) for s in view.steps]
        yield from table(("at", "step", "", "what"), rows, paint=paint)
    if view.rollout is not None:
        yield ""
        yield from _rollout(view.rollout, paint)


def _rollout(view: RolloutView, paint: Paint) -> Iterator[str]:
    """How a rollout went: its share, the evidence against it, and what went wrong."""
    yield f"rollout {view.phase}, step {view.step} of {view.steps}, {view.share:.1%} of the traffic; {view.why}"
    if view.counted:
        counts = [
            (
                metric
                if view.by == "request" or metric not in BY_USER
                else f"{metric}, by {view.by}",
                f"{bad} of {n}",
                f"{old_bad} of {old_n}",
            )
            for metric, (bad, n, old_bad, old_n) in view.counted.items()
        ]
        yield from table(("bad", "new release", "old release"), counts, paint=paint)
    for metric, why in sorted(view.unmeasured.items()):
        yield from fact("not measured", f"{metric}: {why}", paint=paint)
    if view.curve:
        yield ""
        rows = [
            (
                taken(p.at.total_seconds()),
                f"{p.share:.1%}",
                _odds(p.evidence),
                _bar(p.evidence, view.alarm),
            )
            for p in _thinned(view.curve)
        ]
        heading = f"evidence that it is worse; {_odds(view.alarm)} ends it"
        yield from table(("after", "share", "odds", heading), rows, paint=paint)
    for at, why in view.turns:
        yield f"  {taken(at.total_seconds()):>9}  {why}"
    for text in view.examples:
        yield from fact("went wrong", text, paint=paint, problem=True)


def _odds(evidence: float) -> str:
    """Write a natural logarithm of odds as ``12:1``; what is below even odds is even."""
    return f"{min(math.exp(max(0.0, min(evidence, 50.0))), 1e9):.3g}:1"


def _bar(evidence: float, alarm: float) -> str:
    part = max(0.0, min(1.0, evidence / alarm)) if alarm > 0 else 0.0
    return "█" * round(part * BAR)


def _thinned(points: Sequence[CurvePoint], most: int = 20) -> Sequence[CurvePoint]:
    step = max(1, math.ceil(len(points) / most))
    return [*points[:-1:step], points[-1]]


def differences(items: Sequence[Difference], *, paint: Paint = PLAIN) -> Iterator[str]:
    """One line per field."""
    rows = [
        (item.path, shorten(item.old or "-", LONGEST), shorten(item.new or "-", LONGEST))
        for item in items
    ]
    return table(("field", "first", "second"), rows, paint=paint)
