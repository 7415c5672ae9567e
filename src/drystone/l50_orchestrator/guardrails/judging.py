"""From what policies answered to what is told of a change. Pure.

It is closed: an answer that is no answer refuses, and names the policy. A way back is the exception: what served before was judged
when it came, so that all is told and nothing refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Literal

import msgspec

from drystone.l10_engines.policies.evaluator import Answer
from drystone.l50_orchestrator.guardrails import domain
from drystone.l50_orchestrator.guardrails.api import PolicyView
from drystone.l50_orchestrator.guardrails.domain import FREEZE, Asked, Frozen
from drystone.l50_orchestrator.ports import Change, Finding

MOST_FINDINGS = 20
"""Of one policy."""

LONGEST_TEXT = 600
_ORDER = ("refuse", "warn", "excepted")


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(min_length=1)]
    line: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Rules(msgspec.Struct, frozen=True):
    deny: list[_Said] = []
    warn: list[_Said] = []


def findings(
    change: Change,
    policies: Sequence[PolicyView],
    answers: Iterable[Answer],
    exceptions: Sequence[Asked],
    frozen: Iterable[Frozen],
) -> list[Finding]:
    """Say everything that there is to say of a change.

    Args:
        change: What is judged.
        policies: Those that were asked.
        answers: What they answered. A policy without an answer refuses.
        exceptions: All that there are, expired ones among them.
        frozen: All freezes.
    """
    answered = {answer.policy: answer for answer in answers}
    today = change.at.date()
    found: list[Finding] = []
    for policy in policies:
        try:
            said = _rules(
                answered.get(policy.name) or Answer(policy.name, problem="it gave no answer")
            )
        except ValueError as e:
            # An exception is from what a policy finds. Nobody knows what this one would have found.
            found.append(_broken(policy, e))
            continue
        found += (
            _excepted(finding, change, exceptions, today)
            for finding in _of_policy(policy, said, today)
        )
    found += _of_freezes(change, exceptions, frozen, today)
    found += _of_dependencies(change)
    if change.kind == "rollback":
        found = [_told(finding) for finding in found]
    return sorted(found, key=lambda one: (_ORDER.index(one.effect), one.policy, one.line, one.text))


def answer_texts(answer: Answer) -> tuple[list[str], list[str]]:
    """Return what a policy denies and what it warns of.

    Raises:
        ValueError: It could not be evaluated, or what it answered has no such form.
    """
    said = _rules(answer)
    return [one.text for one in said.deny], [one.text for one in said.warn]


def _rules(answer: Answer) -> _Rules:
    if answer.problem:
        raise ValueError(answer.problem)
    try:
        return msgspec.convert(
            {rule: msgspec.json.decode(value) for rule, value in answer.rules.items()}, _Rules
        )
    except msgspec.MsgspecError as e:
        raise ValueError(f'it finds something else than {{"text": …, "line": …}}: {e}') from e


def _broken(policy: PolicyView, why: ValueError) -> Finding:
    effect: Literal["refuse", "warn"] = "refuse" if policy.mode == "refuse" else "warn"
    sentence = f"this policy of {policy.said.team} cannot be evaluated, so nothing passes it: {why}"
    return Finding(policy.name, effect, _clipped(sentence))


def _of_policy(policy: PolicyView, said: _Rules, today: date) -> Iterator[Finding]:
    denied, is_refused = said.deny, domain.refuses(policy, today)
    until = f" (refuses from {policy.said.since} on)" if today < policy.said.since else ""
    for one in denied[:MOST_FINDINGS]:
        text = _clipped(one.text) + until
        yield Finding(policy.name, "refuse" if is_refused else "warn", text, one.line)
    for one in said.warn[:MOST_FINDINGS]:
        yield Finding(policy.name, "warn", _clipped(one.text), one.line)
    for more, effect in ((denied, is_refused), (said.warn, False)):
        if len(more) > MOST_FINDINGS:
            text = f"… and {len(more) - MOST_FINDINGS} more of the same policy"
            yield Finding(policy.name, "refuse" if effect else "warn", text)


def _excepted(
    finding: Finding, change: Change, exceptions: Iterable[Asked], today: date
) -> Finding:
    """Let pass what somebody allowed; say of an exception that is over, or that nobody allowed yet, that it is."""
    if finding.effect != "refuse":
        return finding
    about = [
        one
        for one in exceptions
        if domain.is_about(one, finding.policy, change.service, change.environment)
    ]
    for one in about:
        if domain.counts(one, today):
            until = f"'{one.name}' of {one.said.owner}, allowed by {one.allowed_by}, until {one.said.until}"
            return msgspec.structs.replace(finding, effect="excepted", exception=until)
    if not about:
        return finding
    latest = max(about, key=lambda one: one.said.until)
    if today > latest.said.until:
        why = f"the exception '{latest.name}' of {latest.said.owner} expired on {latest.said.until}"
    else:
        why = f"nobody has allowed the exception '{latest.name}' yet, for which {latest.asked_by} asked"
    return msgspec.structs.replace(finding, text=f"{finding.text} ({why})")


def _of_freezes(
    change: Change, exceptions: Sequence[Asked], frozen: Iterable[Frozen], today: date
) -> Iterator[Finding]:
    if change.kind == "rollback":
        return
    for one in domain.freezes(frozen, change.environment, change.team, change.at):
        _, end = domain.span(one.said)
        text = (
            f"nothing changes here until {end:%Y-%m-%d %H:%M} UTC: {one.said.reason}; a hotfix needs an exception from"
            f" '{FREEZE}{one.name}'"
        )
        finding = Finding(f"{FREEZE}{one.name}", "refuse", text)
        yield _excepted(finding, change, exceptions, today)


def _of_dependencies(change: Change) -> Iterator[Finding]:
    for one in change.plan.findings:
        text = _clipped(f"{one.sentence} {one.advice}".strip())
        policy = f"dependencies/{one.rule}"
        if one.accepted is not None:
            who = f"accepted by {one.accepted.by}, until {one.accepted.until}"
            yield Finding(policy, "excepted", text, one.line or 0, who)
        elif one.refuses or one.severity != "note":
            yield Finding(policy, "refuse" if one.refuses else "warn", text, one.line or 0)


def _told(finding: Finding) -> Finding:
    if finding.effect != "refuse":
        return finding
    return msgspec.structs.replace(finding, effect="warn")


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def came_out(
    denied: Sequence[str], warned: Sequence[str], wanted: Mapping[str, Sequence[str]]
) -> list[str]:
    """Compare what a policy found in a case with what it was to find; each text fits one part, and each part one text.

    Returns:
        What is different, in sentences.
    """
    told = []
    for rule, texts in (("deny", denied), ("warn", warned)):
        left = list(texts)
        for part in wanted[rule]:
            fitting = next((text for text in left if part in text), None)
            if fitting is None:
                told.append(f"'{rule}' does not say {part!r}")
            else:
                left.remove(fitting)
        told += [f"'{rule}' says {text!r}" for text in left]
    return told
