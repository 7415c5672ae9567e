"""The difference between what a survey says and what traffic showed, as findings.

* *Undeclared*: one component calls another, and the survey does not know.
* *Fails together*: the survey says soft, and the caller fails with it (:mod:`~drystone.l05_graph.failing_together`).
* *Never observed*: the survey says that it is needed at run time, and no call was seen although the caller was seen. A
  dependency at build, deploy or start, or in a recovery, leaves no traffic most of the time, so that nothing follows there.

What was seen never changes the survey; a finding says what could be written into it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date

from drystone.l05_graph.evidence import REFUSED, Evidence, Pair
from drystone.l05_graph.failing_together import Judged, Verdict, judged
from drystone.l05_graph.findings import Finding, Rule, Rules, Severity
from drystone.l05_graph.forms.survey_text import scalar
from drystone.l05_graph.ingest import sources
from drystone.l05_graph.ingest.endpoints import EXTERNAL
from drystone.l05_graph.model import Acceptance, Dependency, Model
from drystone.l05_graph.words import Kind, Phase

BOTH_ENDS = frozenset(one.name for one in sources.OBSERVED if one.shows_both_ends)
"""Sources in which who is called would be seen calling as well."""
DOUBTFUL = 0.5
"""Below this confidence, an undeclared dependency is a note."""


def differences(
    model: Model,
    evidence: Evidence,
    rules: Rules,
    today: date,
    both_ends: Collection[str] = BOTH_ENDS,
) -> list[Finding]:
    """Find where a survey and traffic differ.

    Args:
        model: The survey.
        evidence: What traffic showed.
        rules: How bad each difference is; what has no severity there is not looked for.
        today: For acceptances.
        both_ends: Names of sources in which a component that is called would be seen calling as well.

    Returns:
        The worst first, then by rule and by name.
    """
    found: list[Finding] = []
    levels = rules.levels
    if (level := levels.get(Rule.UNDECLARED)) is not None:
        found += _undeclared(model, evidence, level)
    if (level := levels.get(Rule.FAILS_TOGETHER)) is not None:
        found += _together(model, evidence, level, today)
    if (level := levels.get(Rule.NEVER_OBSERVED)) is not None:
        found += _never_observed(model, evidence, level, both_ends)
    severities, order = list(Severity), list(Rule)
    return sorted(
        found,
        key=lambda f: (severities.index(f.severity), order.index(f.rule), f.subject, f.sentence),
    )


def _finding(
    rule: Rule,
    severity: Severity,
    one: Dependency,
    *,
    sentence: str,
    advice: str,
    accepted: Acceptance | None = None,
) -> Finding:
    return Finding(
        rule=rule,
        severity=severity,
        subject=one.source,
        sentence=sentence,
        path=(one,),
        advice=advice,
        accepted=accepted,
    )


def _undeclared(model: Model, evidence: Evidence, level: Severity) -> Iterator[Finding]:
    declared = {(one.source, one.target) for one in model.dependencies}
    for key, pair in evidence.pairs.items():
        if key in declared or _is_outside(model, pair.caller):
            continue
        seen = Dependency(source=pair.caller, target=pair.callee)
        sure = pair.confidence
        did = "tried in vain to call" if is_refused(pair) else "calls"
        what = f"{pair.caller} {did} {pair.callee}, and the survey does not say so: {_told(pair)}"
        if sure < DOUBTFUL:
            what += f"; that it is a dependency is no more than {sure:.0%} sure"
        severity = level if sure >= DOUBTFUL else Severity.NOTE
        advice = _lines_to_add(model, pair)
        if is_refused(pair):
            advice += "; `drystone refusals` has the line for its descriptor"
        yield _finding(Rule.UNDECLARED, severity, seen, sentence=what, advice=advice)


def _is_outside(model: Model, name: str) -> bool:
    """Whether somebody else runs it; who calls from outside is nobody's dependency here."""
    known = model.by_name.get(name)
    return name.startswith(EXTERNAL) if known is None else known.kind is Kind.EXTERNAL


def is_refused(pair: Pair) -> bool:
    """Whether nobody saw calls of a pair but those who refused them."""
    return all(one.source == REFUSED for one in pair.seen)


def _told(pair: Pair) -> str:
    """Tell what was seen, source by source."""
    parts = []
    for one in pair.seen:
        count = f"{one.calls:,} call{'' if one.calls == 1 else 's'}"
        if one.errors:
            count += f", {one.errors:,} failed"
        if one.first and one.last:
            days = [f"{moment:%Y-%m-%d %H:%M}" for moment in (one.first, one.last)]
            count += f", {days[0]}" if days[0] == days[1] else f", {days[0]} to {days[1]}"
        sample = f", such as {one.sample[0]}" if one.sample else ""
        parts.append(f"{one.source}: {count}{sample}")
    return "; ".join(parts)


def _lines_to_add(model: Model, pair: Pair) -> str:
    line = f"needs: {{{scalar(pair.callee)}: hard}}"
    advice = (
        f"add '{line}' to {pair.caller} in the survey (soft if it can do without), or end the calls"
    )
    missing = [name for name in (pair.caller, pair.callee) if name not in model.by_name]
    if missing:
        advice += (
            f"; declare {' and '.join(missing)}, or name whose it is in the inventory of endpoints"
        )
    return advice


def _together(model: Model, evidence: Evidence, level: Severity, today: date) -> Iterator[Finding]:
    for one in judged(model, evidence):
        said = one.dependency.accepted
        holds = said if said is not None and today <= said.until else None
        if one.verdict is Verdict.TOGETHER:
            what = f"{_shares(one)}, although it is said to be soft; by chance with a probability of {one.chance:.2g}"
            advice = "say hard, or make it work without"
            severity = level if holds is None else Severity.NOTE
            yield _finding(
                Rule.FAILS_TOGETHER,
                severity,
                one.dependency,
                sentence=what,
                advice=advice,
                accepted=holds,
            )
        elif one.verdict is Verdict.COMMON_CAUSE:
            causes = ", ".join(one.causes[:3])
            what = f"{_shares(one)}; but so does {causes}, which may be the cause of both"
            advice = f"find out what happens without {one.dependency.target} alone"
            yield _finding(
                Rule.FAILS_TOGETHER, Severity.NOTE, one.dependency, sentence=what, advice=advice
            )


def _shares(one: Judged) -> str:
    source, target = one.dependency.source, one.dependency.target
    minutes = one.buckets * one.width.total_seconds() / 60
    return (
        f"{one.share_with:.1%} of the answers of {source} fail while {target} fails"
        f" ({minutes:,.0f} minutes), and {one.share_without:.1%} otherwise"
    )


def _never_observed(
    model: Model, evidence: Evidence, level: Severity, both_ends: Collection[str]
) -> Iterator[Finding]:
    active = _activity(evidence, both_ends)
    seen = set(evidence.pairs)
    for one in model.dependencies:
        calls = active.get(one.source, 0)
        if Phase.RUN not in one.at or (one.source, one.target) in seen or not calls:
            continue
        what = f"{one.source} was seen in {calls:,} call{'' if calls == 1 else 's'}, of which none went to {one.target}"
        if calls >= 30:
            # The rule of three: with none in n, the share is below 3/n with 95 % (Hanley, Lippman-Hand, JAMA 249, 1983).
            what += f"; if each were as likely, fewer than one in {calls // 3:,} does (95 % sure)"
        advice = f"remove it if it is no longer needed, or name how {one.target} is called in the inventory"
        yield _finding(Rule.NEVER_OBSERVED, level, one, sentence=what, advice=advice)


def _activity(evidence: Evidence, both_ends: Collection[str]) -> dict[str, int]:
    """Count the calls in which each component was seen so that its own calls would have been seen too."""
    found: dict[str, int] = {}
    for pair in evidence.pairs.values():
        found[pair.caller] = found.get(pair.caller, 0) + pair.calls
        answered = max((one.calls for one in pair.seen if one.source in both_ends), default=0)
        found[pair.callee] = found.get(pair.callee, 0) + answered
    return found
