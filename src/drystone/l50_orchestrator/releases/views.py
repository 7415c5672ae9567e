"""What is told of releases. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from drystone.l50_orchestrator.ports import Actor
from drystone.l50_orchestrator.releases.api import (
    CurvePoint,
    Disagreement,
    ReleaseSummary,
    RolloutView,
    Verb,
)
from drystone.l50_orchestrator.releases.errors import NoApprovalAsked, NotAnApprover
from drystone.l50_orchestrator.releases.records import Record
from drystone.l50_orchestrator.releases.terms import Terms
from drystone.l50_orchestrator.rollout.machine import State as Rollout
from drystone.l50_orchestrator.target import Present

NOW = timedelta()
"""How long ago something happened that happens now."""


def summary(record: Record, *, is_kept: bool) -> ReleaseSummary:
    """Return one line of a history."""
    asked = record.asked
    return ReleaseSummary(
        id=asked.id,
        number=record.number,
        environment=asked.environment,
        service=asked.service,
        team=asked.team,
        kind=asked.kind,
        origin=asked.origin,
        version=asked.version,
        state=record.state,
        why=record.why,
        author=asked.actor.name,
        message=asked.message,
        asked_at=record.asked_at,
        ended_at=record.ended_at,
        is_serving=record.is_serving,
        is_kept=is_kept,
    )


def rollout(state: Rollout) -> RolloutView:
    """Return what is told of a rollout."""
    curve = [
        CurvePoint(one.at, one.share, one.evidence, one.good, one.bad)
        for one in state.evidence.curve
    ]
    counted = {
        metric: (one.canary.bad, one.canary.n, one.stable.bad, one.stable.n)
        for metric, one in state.standing.counted.items()
    }
    return RolloutView(
        phase=state.phase,
        share=state.share,
        step=state.number + 1,
        steps=len(state.plan.steps),
        verdict=state.verdict,
        why=state.why,
        alarm=state.plan.watch.alarm,
        proof=state.plan.watch.proof,
        turns=[(turn.at, turn.why) for turn in state.turns],
        curve=curve,
        examples=[one.text for one in state.evidence.examples],
        counted={one: found for one, found in counted.items() if one not in state.unmeasured},
        by=state.plan.watch.by,
        unmeasured=state.unmeasured,
    )


def require_approver(record: Record, terms: Terms | None, actor: Actor) -> None:
    """Refuse whose word does not count.

    Raises:
        NoApprovalAsked: Nobody is asked.
        NotAnApprover: It is the author, or who made the author's token, or no person, or none of those who are asked.
    """
    if terms is None or not terms.approve or record.asked.kind == "rollback":
        raise NoApprovalAsked(f"{record.name} waits for nobody's approval")
    author = record.asked.actor
    people = {name for name in (author.name, author.behind) if name}
    if actor.kind != "person":
        raise NotAnApprover(f"{actor.name} is a {actor.kind}: people approve")
    if actor.name in people or actor.behind in people:
        raise NotAnApprover(
            f"{actor.name} asked for {record.name}, or made the token that did: somebody else has to agree"
        )
    if not any(name == actor.name or name in actor.teams for name in terms.approve):
        raise NotAnApprover(
            f"{record.name} waits for {', '.join(terms.approve)}; {actor.name} is not among them"
        )


def answer(record: Record, verb: Verb, *, is_progressive: bool) -> str:
    """Say what follows from an order, in whatever state it finds a release."""
    name, state = record.name, record.state
    if record.has_ended:
        back = "; `rollback` returns to the one before" if state == "served" else ""
        return f"{name} has ended as {state}, and {verb} changes nothing any more{back}"
    if state in {"settling", "withdrawing"}:
        return f"{name} is {state} already; {verb} comes too late, what follows is in its progress"
    if verb != "abort" and not is_progressive and state not in {"queued", "waiting"}:
        return f"{name} is brought up in one go, so that {verb} changes nothing: abort it, or let it come to its end"
    return f"{name} {_FOLLOWS[verb]}"


_FOLLOWS: dict[Verb, str] = {
    "abort": "is aborted: what served before serves",
    "promote": "takes all traffic as soon as it is up",
    "pause": "stays as it is until it is resumed, promoted or aborted",
    "resume": "goes on",
}


def disagreements(
    present: Collection[Present],
    recorded: Mapping[str, tuple[str, int]],
    known: Collection[str],
) -> list[Disagreement]:
    """Compare what serves at a target with what serves by the record.

    Args:
        present: What the target says.
        recorded: By service, id and number at the target of the release that serves by the record.
        known: Those keys of ``present`` that are on record.
    """
    found = []
    there = {one.service: one for one in present}
    for service in sorted(there.keys() | recorded.keys()):
        one, said = there.get(service), recorded.get(service)
        if one is None and said is not None:
            text = (
                "the record says that it serves, and the target does not have it: deploy it again"
            )
            found.append(Disagreement(service, said[0], "", "", text))
        elif one is not None and (text := _differs(one, said, known)):
            found.append(Disagreement(service, said[0] if said else "", one.key, one.version, text))
    return found


def _differs(one: Present, said: tuple[str, int] | None, known: Collection[str]) -> str:
    name = f"version {one.version} (release {one.release} of the target)"
    if one.key and one.key not in known:
        return f"the target serves {name}, which the record lacks: adopt it, or roll back"
    if said is None:
        return f"the target serves {name}, and the record has nothing: adopt it"
    if one.release != said[1]:
        return f"the target serves {name}, and the record says release {said[1]}: adopt it, or deploy again"
    return ""
