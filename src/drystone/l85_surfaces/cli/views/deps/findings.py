"""Findings: for people, for other programs, for code review on GitHub, and for scanners (SARIF)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

import drystone
from drystone.l05_graph.findings import Finding, Rule, Severity
from drystone.l05_graph.reach import shown
from drystone.l85_surfaces.cli.dependencies.reading import Given
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.text import bounded, count, labelled, more, size_of

MOST_OF_A_RULE = 5
STYLES = {
    Severity.ERROR: Style.BAD,
    Severity.WARNING: Style.WARN,
    Severity.NOTE: Style.QUIET,
}


def findings(
    found: Sequence[Finding],
    given: Given,
    today: date,
    *,
    paint: Paint = PLAIN,
    show_all: bool = False,
) -> Iterator[str]:
    """Tell findings: how many there are, then the worst first, few of each rule."""
    model = given.model
    size = size_of(len(model.components), len(model.dependencies))
    yield f"{paint(given.name, Style.NAME)}: {size}; {totals(found, paint)}"
    for (severity, rule), group in groupby(found, lambda one: (one.severity, one.rule)):
        every = list(group)
        some, left_out = bounded(every, show_all=show_all, most=MOST_OF_A_RULE)
        for one in some:
            yield ""
            yield from finding(one, given, today, paint=paint)
        if left_out:
            yield ""
            yield paint(more(left_out, f"{severity} {rule}"), Style.QUIET)


def totals(found: Sequence[Finding], paint: Paint = PLAIN) -> str:
    """Say how many findings there are, and of those how many are accepted."""
    counts = Counter(one.severity for one in found)
    accepted = sum(one.accepted is not None for one in found)
    said = [
        paint(count(counts[severity], str(severity)), STYLES[severity])
        for severity in Severity
        if counts[severity]
    ]
    if not said:
        return paint("nothing is wrong", Style.GOOD)
    return ", ".join(said) + (f" ({accepted} accepted)" if accepted else "")


def finding(one: Finding, given: Given, today: date, *, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell one finding: what, where, why, what to do, and who accepted it."""
    place = given.place_of(one)
    where = f"  {paint(place, Style.QUIET)}" if place else ""
    yield f"{paint(one.severity, STYLES[one.severity])} {paint(one.rule, Style.NAME)}{where}"
    yield from labelled("what", one.sentence, paint=paint)
    why = shown(one.path)
    if len(one.path) > 1 and why not in one.sentence:
        yield from labelled("why", why, paint=paint)
    yield from labelled("do", one.advice, paint=paint)
    if one.accepted is not None:
        left = (one.accepted.until - today).days
        until = "ends today" if left == 0 else f"{count(left, 'day')} left"
        said = f"by {one.accepted.by} until {one.accepted.until} ({until}): {one.accepted.reason}"
        yield from labelled("risk", f"accepted {said}", paint=paint)


def document(found: Sequence[Finding], given: Given, today: date) -> Mapping[str, Any]:
    """Return what a machine is told."""
    counts = Counter(one.severity for one in found)
    return {
        "model": {
            "title": given.name,
            "digest": given.model.digest,
            "components": len(given.model.components),
            "dependencies": len(given.model.dependencies),
        },
        "counts": {str(severity): counts[severity] for severity in Severity},
        "findings": [entry(one, given, today) for one in found],
    }


def entry(one: Finding, given: Given, today: date) -> Mapping[str, Any]:
    """Return a finding for a machine."""
    accepted = one.accepted
    return {
        "rule": one.rule,
        "severity": one.severity,
        "subject": one.subject,
        "what": one.sentence,
        "path": steps(one),
        "advice": one.advice,
        "place": given.place_of(one) or None,
        "accepted": accepted
        and {
            "by": accepted.by,
            "reason": accepted.reason,
            "until": accepted.until,
            "days_left": (accepted.until - today).days,
        },
    }


def steps(one: Finding) -> list[str]:
    """Return the names on the path of a finding."""
    return [*(step.source for step in one.path[:1]), *(step.target for step in one.path)]


def github(found: Sequence[Finding], given: Given) -> Iterator[str]:
    """Tell findings as workflow commands of GitHub Actions, which shows them beside the lines."""
    kinds = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
    for one in found:
        file, line, column = located(given.place_of(one))
        where = {"file": file, "line": line, "col": column, "title": str(one.rule)}
        said = ",".join(
            f"{key}={_escaped(str(value), also=':,')}" for key, value in where.items() if value
        )
        text = f"{one.sentence}\ndo: {one.advice}"
        if one.accepted is not None:
            text += f"\naccepted by {one.accepted.by} until {one.accepted.until}"
        yield f"::{kinds[one.severity]} {said}::{_escaped(text)}"


def _escaped(text: str, also: str = "") -> str:
    """Escape what would end a workflow command (actions/toolkit, core/src/command.ts)."""
    for sign in f"%\r\n{also}":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


def located(place: str) -> tuple[str, int | None, int | None]:
    """Take a place apart: file, line and column; what is not known is None."""
    parts = place.rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return parts[0], int(parts[1]), int(parts[2])
    file, _, line = place.rpartition(":")
    return (file, int(line), None) if file and line.isdigit() else (place, None, None)


def sarif(found: Sequence[Finding], given: Given) -> Mapping[str, Any]:
    """Return findings as SARIF 2.1.0 (OASIS), which code scanners exchange."""
    rules = [{"id": str(rule), "shortDescription": {"text": str(rule)}} for rule in Rule]
    driver = {"name": "drystone deps lint", "version": drystone.__version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_result(one, given) for one in found]}],
    }


def _result(one: Finding, given: Given) -> Mapping[str, Any]:
    file, line, column = located(given.place_of(one))
    region = {"startLine": line, "startColumn": column}
    physical = {
        "artifactLocation": {"uri": file},
        "region": {key: value for key, value in region.items() if value},
    }
    result: dict[str, Any] = {
        "ruleId": str(one.rule),
        "level": str(one.severity),
        "message": {"text": f"{one.sentence}; {one.advice}"},
        "locations": [
            {
                "logicalLocations": [{"name": one.subject, "kind": "module"}],
                **({"physicalLocation": physical} if line else {}),
            }
        ],
        # What tells whether it is the same finding in another version of the file.
        "partialFingerprints": {"finding/v1": "|".join(map(str, one.key))},
    }
    if one.accepted is not None:
        said = f"{one.accepted.by}, until {one.accepted.until}: {one.accepted.reason}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": said}]
    return result
