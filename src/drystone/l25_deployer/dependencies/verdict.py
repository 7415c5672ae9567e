"""What the check of dependencies found, for machines and in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import msgspec

from drystone.l05_graph.findings import Finding, Rule, Severity
from drystone.l05_graph.model import Acceptance, Path
from drystone.l05_graph.reach import shown
from drystone.l05_graph.words import TangleKind
from drystone.l25_deployer.api import AcceptedRisk, DependencyFinding, PathStep
from drystone.l25_deployer.dependencies.model import PLATFORM

MISSING, SOFT_TANGLE = "missing", "soft-tangle"
"""Rules of deploys alone: what is needed is not there, and a circle that soft dependencies close."""

_HEADS = {
    str(Rule.DEADLOCK): "tangle: ",
    str(Rule.CO_START): "tangle: ",
    SOFT_TANGLE: "soft tangle: ",
    MISSING: "",
}
_MOST_OTHERS = 3
"""So many findings about other services are told one by one."""


class Verdict(msgspec.Struct, frozen=True):
    """What the check found.

    Attributes:
        subject: The service that was looked at.
        findings: What is new.
        older: How many findings about the service there are that it had before.
    """

    subject: str = ""
    findings: tuple[DependencyFinding, ...] = ()
    older: int = 0

    @property
    def refused(self) -> tuple[str, ...]:
        """Reasons against the deploy."""
        return tuple(told(one) for one in self.findings if one.refuses)

    @property
    def notes(self) -> tuple[str, ...]:
        """What does not stop it; of many findings about others, a few."""
        rest = [one for one in self.findings if not one.refuses]
        others = [one for one in rest if one.subject != self.subject and one.accepted is None]
        some = [one for one in rest if one not in others[_MOST_OTHERS:]]
        more = len(rest) - len(some)
        last = (f"and {more} more about services that need {self.subject}",) if more else ()
        return (*map(told, some), *last)

    def stands(self) -> Iterator[str]:
        """Say how many findings there were before."""
        if self.older:
            stand = "finding stands" if self.older == 1 else "findings stand"
            name = self.subject.rpartition("/")[2]
            yield f"{self.older} older {stand} about {name}; `drystone deps lint` shows what"


def told(finding: DependencyFinding) -> str:
    """Say a finding to a person: who accepted it, or what to do about it."""
    what = f"{_HEADS.get(finding.rule, f'{finding.rule}: ')}{finding.sentence}"
    risk = finding.accepted
    if risk is not None:
        days = f"{risk.days_left} day{'s' * (risk.days_left != 1)} left"
        left = days if risk.days_left else "today is the last day"
        return f"accepted by {risk.by} until {risk.until} ({left}; {risk.reason}): {what}"
    if not finding.advice:
        return what
    return f"{what}{':' if finding.rule == MISSING else ';'} {finding.advice}"


def risk_of(accepted: Acceptance | None, today: date) -> AcceptedRisk | None:
    """Return an acceptance with the days that are left of it."""
    if accepted is None:
        return None
    left = (accepted.until - today).days
    return AcceptedRisk(accepted.by, accepted.reason, accepted.until, left)


def steps(path: Path) -> tuple[PathStep, ...]:
    """Return a path for machines."""
    return tuple(
        PathStep(one.source, one.target, str(one.strength), tuple(map(str, one.at))) for one in path
    )


def of_rule(found: Finding, today: date) -> DependencyFinding:
    """Return what breaks a rule; only tangles and hard dependencies upwards refuse a deploy."""
    return DependencyFinding(
        rule=str(found.rule),
        severity=found.severity.value,
        refuses=found.severity is Severity.ERROR and (_is_tangle(found) or _leads_upwards(found)),
        subject=found.subject,
        sentence=found.sentence,
        path=steps(found.path),
        advice=found.advice,
        accepted=risk_of(found.accepted, today),
    )


def _is_tangle(found: Finding) -> bool:
    return found.rule in {Rule.DEADLOCK, Rule.CO_START}


def _leads_upwards(found: Finding) -> bool:
    """Tell whether it is a dependency upwards; what the platform adds by itself is nobody's choice."""
    is_upwards = found.rule in {Rule.LAYER, Rule.SAME_LAYER}
    return is_upwards and not found.path[0].target.startswith(f"{PLATFORM}/")


class Tangle(msgspec.Struct, frozen=True):
    """Services that need each other in a circle.

    Attributes:
        kind: What that prevents; None where there is no circle.
        members: Who is in it.
        path: A way around.
    """

    kind: TangleKind | None = None
    members: frozenset[str] = frozenset()
    path: Path = ()


def of_tangle(
    tangle: Tangle, subject: str, today: date, accepted: Acceptance | None = None
) -> DependencyFinding:
    """Return a circle of dependencies.

    Args:
        tangle: Which.
        subject: Whose it is.
        today: For the days that are left.
        accepted: Who has accepted it.
    """
    kind, path = tangle.kind, tangle.path
    if kind is TangleKind.SOFT:
        rule, severity, advice = SOFT_TANGLE, Severity.NOTE, ""
        what = f"{shown(path)}; it slows a recovery down and does not prevent it"
    else:
        rule = str(kind)
        severity = Severity.ERROR if accepted is None else Severity.NOTE
        advice = "remove or soften one of these dependencies"
        why = (
            "none of them can be the first after a loss of all"
            if kind is TangleKind.DEADLOCK
            else "they could only come up together"
        )
        what = f"{shown(path)} ({kind} of {len(tangle.members)} services: {why})"
    return DependencyFinding(
        rule=rule,
        severity=severity.value,
        refuses=severity is Severity.ERROR,
        subject=subject,
        sentence=what,
        path=steps(path),
        advice=advice,
        accepted=risk_of(accepted, today),
    )


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return what several checks of the same service found."""
    every = list(verdicts)
    return Verdict(
        every[0].subject,
        tuple(one for verdict in every for one in verdict.findings),
        sum(verdict.older for verdict in every),
    )
