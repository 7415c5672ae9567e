"""What a new dependency would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drystone.l05_graph.additions import Verdict
from drystone.l05_graph.findings import Rule
from drystone.l05_graph.reach import shown
from drystone.l85_surfaces.cli.dependencies.reading import Given
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.findings import STYLES, steps
from drystone.l85_surfaces.cli.views.deps.meanings import MEANINGS
from drystone.l85_surfaces.cli.views.deps.text import labelled, named

TANGLES = (Rule.DEADLOCK, Rule.CO_START)


def verdict(found: Verdict, given: Given, *, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell the verdict, then each reason."""
    what = found.dependency.sentence()
    answer = paint("yes", Style.GOOD) if found.is_welcome else paint("no", Style.BAD)
    yield f"{answer}  {what}  {paint(given.name, Style.QUIET)}"
    if found.tangle is not None:
        yield ""
        yield from _tangle(found, paint)
    for one in found.findings:
        if one.rule in TANGLES and found.tangle is not None:
            continue
        yield ""
        yield f"{paint(one.severity, STYLES[one.severity])} {paint(one.rule, Style.NAME)}"
        yield from labelled("what", one.sentence, paint=paint)
        yield from labelled("do", one.advice, paint=paint)
    yield ""
    yield from _availability(found, paint)


def _tangle(found: Verdict, paint: Paint) -> Iterator[str]:
    assert found.tangle is not None  # noqa: S101 - asked before
    new = "becomes part of" if found.was is None else "is part of"
    if found.was is not None and found.was is not found.tangle:
        new = f"turns a {found.was} into"
    yield f"{paint(found.tangle, Style.BAD)} it {new} a circle of {len(found.members)} components"
    yield from labelled("what", MEANINGS[found.tangle], paint=paint)
    yield from labelled("why", shown(found.circle), paint=paint)
    yield from labelled("who", named(found.members, most=12), paint=paint)
    if found.joins:
        yield from labelled(
            "new", f"{named(found.joins, most=12)} in a circle for the first time", paint=paint
        )
    advice = (
        "let it be soft, or need it at run time only" if found.dependency.is_hard else "know it"
    )
    yield from labelled("do", advice, paint=paint)


def _availability(found: Verdict, paint: Paint) -> Iterator[str]:
    name = found.dependency.source
    if found.after == found.before:
        yield f"{name} can work {share(found.before)} of the time at most, as before"
        return
    change = paint(f"{share(found.before)} → {share(found.after)}", Style.WARN)
    yield f"{name} can work {change} of the time at most"


def share(value: float) -> str:
    """Write a share of the time with as many nines as it has."""
    return f"{100 * value:.6g} %"


def document(found: Verdict) -> Mapping[str, Any]:
    """Return what a machine is told."""
    one = found.dependency
    return {
        "welcome": found.is_welcome,
        "dependency": {
            "source": one.source,
            "target": one.target,
            "strength": one.strength,
            "at": one.at,
            "risk": one.risk,
        },
        "tangle": found.tangle,
        "was": found.was,
        "members": found.members,
        "joins": found.joins,
        "circle": [*(step.source for step in found.circle[:1]), *(s.target for s in found.circle)],
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                "subject": finding.subject,
                "what": finding.sentence,
                "path": steps(finding),
                "advice": finding.advice,
            }
            for finding in found.findings
        ],
        "availability": {"before": found.before, "after": found.after},
    }
