"""How a refusal is said: what is missing, and who can give it. Pure."""

from __future__ import annotations

from drystone.l50_orchestrator.access import domain
from drystone.l50_orchestrator.access.domain import Decision, Question, Standing
from drystone.l50_orchestrator.access.errors import NotAllowed


def subject_of(asked: Question) -> str:
    """Return what a question is about, for the audit log."""
    if asked.service is None and asked.environment is None:
        return "platform"
    return f"{asked.environment or '*'}/{asked.service or '*'}"


def refusal(
    standing: Standing, asked: Question, decision: Decision, can: tuple[str, ...]
) -> NotAllowed:
    """Say that somebody may not, why, and who can change it."""
    what = domain.done(asked.action, asked.service, asked.environment)
    if decision.by_token:
        next_ = "make another token for that"
    elif can:
        next_ = f"{', '.join(can[:3])} can give it"
    else:
        next_ = "an admin of the platform can give it"
    return NotAllowed(
        f"{standing.name} may not {what}: {decision.why}; {next_}",
        action=asked.action.value,
        needed=decision.needed.value,
    )
