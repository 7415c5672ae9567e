"""What the orchestrator tells, as the pages show it: pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from drystone.l50_orchestrator.audit.api import EntryView
from drystone.l50_orchestrator.drift.api import DriftView
from drystone.l50_orchestrator.releases.api import (
    Happened,
    ReleaseSummary,
    ReleaseView,
    RolloutView,
)
from drystone.l85_surfaces.console.views import (
    Counts,
    Curve,
    Entry,
    Judged,
    Point,
    Release,
    ReleaseLine,
    Rolling,
    Step,
    Turn,
    Verb,
    Waiting,
)

ENDED = frozenset({"served", "failed", "refused", "aborted", "rolled-back"})
BY_USER = frozenset({"errors", "dependency-errors"})
"""Where users are told apart, each counts once in these."""

MOST_FIELDS = 5
_STEERED: dict[str, tuple[Verb, ...]] = {
    "rising": ("promote", "pause", "abort"),
    "held": ("promote", "resume", "abort"),
    "paused": ("promote", "resume", "abort"),
    "alarmed": ("promote", "abort"),
}


def line(one: ReleaseSummary) -> ReleaseLine:
    """Return a release as a line of a list."""
    return ReleaseLine(
        id=one.id,
        environment=one.environment,
        service=one.service,
        version=one.version,
        kind=one.kind,
        state=one.state,
        by=one.author,
        at=one.asked_at,
        why=one.message,
    )


def rolling(one: ReleaseSummary, rollout: RolloutView | None) -> Rolling:
    """Return a release on its way."""
    if rollout is None:
        return Rolling(one.id, None, one.state, one.version)
    return Rolling(one.id, rollout.share, rollout.phase, one.version)


def release(one: ReleaseView) -> Release:
    """Return everything about a release."""
    summary, plan = one.summary, one.plan
    judged = [
        Judged(each.policy, each.effect, each.text, each.line, each.exception)
        for each in one.findings
    ]
    checked = [
        Judged(
            each.rule,
            "refuse" if each.refuses else each.severity,
            f"{each.sentence} {each.advice}".strip(),
            each.line or 0,
        )
        for each in (() if plan is None else plan.findings)
    ]
    return Release(
        line=line(summary),
        ended=summary.ended_at,
        outcome=summary.why,
        artefact=one.artefact,
        steps=steps(one.steps),
        changes=[] if plan is None else plan.changes,
        findings=[*judged, *checked],
        descriptor=one.descriptor,
        curve=None if one.rollout is None else curve(one.rollout),
        verbs=verbs(one),
    )


def verbs(one: ReleaseView) -> tuple[Verb, ...]:
    """Return what can be done about a release as it is; whether somebody may is another question."""
    summary = one.summary
    if summary.state in ENDED:
        can_return = summary.is_kept and not summary.is_serving
        return ("roll-back",) if can_return else ()
    if summary.state == "waiting" and one.approve:
        return ("approve", "reject", "abort")
    if summary.state == "rolling" and one.rollout is not None:
        return _STEERED.get(one.rollout.phase, ())
    return () if summary.state in {"settling", "withdrawing"} else ("abort",)


def curve(one: RolloutView) -> Curve:
    """Return a rollout as a picture."""
    looks = tuple(Point(each.at, each.share, each.evidence, each.good) for each in one.curve)
    turns = tuple(Turn(at, why) for at, why in one.turns)
    times = [*(each.at for each in looks), *(at for at, _ in one.turns)]
    return Curve(
        points=looks,
        turns=turns,
        alarm=one.alarm,
        proof=one.proof,
        phase=one.phase,
        share=one.share,
        at=max(times, default=timedelta()),
        counts=tuple(
            Counts(_counted(metric, one.by), canary, canary_bad, stable, stable_bad)
            for metric, (canary_bad, canary, stable_bad, stable) in sorted(one.counted.items())
        ),
        events=tuple(one.examples),
        unmeasured=tuple(sorted(one.unmeasured.items())),
    )


def _counted(metric: str, by: str) -> str:
    """Say of what a metric was counted, where that is not requests."""
    return f"{metric} by {by}" if metric in BY_USER and by != "request" else metric


def steps(happened: Sequence[Happened]) -> list[Step]:
    """Return one step for its begin and its end."""
    found: list[Step] = []
    begun: dict[str, int] = {}
    for one in happened:
        at = begun.pop(one.step, None) if one.state in {"ended", "failed"} else None
        if at is None:
            if one.state == "began":
                begun[one.step] = len(found)
            found.append(Step(one.step, one.state, one.text, one.at))
            continue
        first = found[at]
        seconds = (one.at - first.at).total_seconds() if first.at else None
        found[at] = Step(one.step, one.state, one.text or first.text, first.at, seconds)
    return found


def waiting(one: ReleaseView) -> Waiting:
    """Return a release that waits for people."""
    since = next(
        (each.at for each in reversed(one.steps) if each.step in {"approval", "wait"}),
        one.summary.asked_at,
    )
    return Waiting(line(one.summary), since, one.summary.why or one.summary.message)


def entry(one: EntryView) -> Entry:
    """Return a line of the audit log."""
    actor = f"{one.actor} (by {one.behind})" if one.behind else one.actor
    if one.glass:
        actor += f" under break-glass access {one.glass}"
    fields = {key: str(value) for key, value in one.fields.items()}
    return Entry(one.number, one.at, actor, one.action, one.subject, fields)


def drifted(found: Sequence[DriftView]) -> list[str]:
    """Say in one sentence what serves and should not; in none where nothing does."""
    if not found:
        return []
    first = found[0]
    who = f" by the {first.how} of {first.by}, past the orchestrator" if first.by else ""
    fields = ", ".join(one.field for one in found[:MOST_FIELDS])
    more = f" and {len(found) - MOST_FIELDS} more" if len(found) > MOST_FIELDS else ""
    return [
        f"it drifts since {first.since:%Y-%m-%d %H:%M} UTC{who}: {fields}{more}; `drystone drift {first.service} --env"
        f" {first.environment}` tells what should be"
    ]
