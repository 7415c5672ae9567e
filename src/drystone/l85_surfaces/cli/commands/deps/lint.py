"""``drystone deps lint``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

from drystone.l05_graph.findings import Finding, Rule, Rules, Severity
from drystone.l05_graph.forms import rules as rules_form
from drystone.l05_graph.model import Model
from drystone.l05_graph.rules import check
from drystone.l85_surfaces.cli.dependencies.options import (
    LIVE,
    Everything,
    RulesFile,
    Source,
    SurveyPlace,
)
from drystone.l85_surfaces.cli.dependencies.reading import given, read_bytes
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.deps import findings as views


def lint(
    survey: SurveyPlace = None,
    /,
    *,
    source: Source = LIVE,
    level: Annotated[
        Literal["error", "warning", "note"],
        Parameter(help="Exit with 1 for findings that are as bad as this, or worse."),
    ] = "error",
    rules: RulesFile = None,
    evidence: Annotated[
        str | None,
        Parameter(
            metavar="FILE",
            help="What traffic showed; where it differs from the model is told. For the live platform, what its home keeps.",
        ),
    ] = None,
    output: Annotated[
        Literal["text", "json", "github", "sarif"],
        Parameter(name=("--format", "-f"), help="How to tell; json is the same as --json."),
    ] = "text",
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Check a model against rules, and exit with 1 if it breaks one.

    Tangles, layers, tiers, regions, promises and what else the rules say. Every finding says what is wrong, the path of dependencies that proves it, and what to do. A risk that somebody accepted
    is a note until its last day. Without a survey, the live platform is checked.
    """
    today = datetime.now(UTC).date()
    model = given(survey, source, shared)
    wanted = rules_of(rules)
    found = check(model.model, wanted, today)
    if (file := _seen(evidence, survey, source, shared)) is not None:
        found = _with_evidence(found, model.model, file, wanted, today)
    bad = _as_bad_as(found, Severity(level))
    form = "json" if shared.json else output
    out = Terminal(json=form == "json")
    if form == "sarif":
        Terminal(json=True).document(views.sarif(found, model))
    elif form == "github":
        out.lines(views.github(found, model))
    else:
        out.document(views.document(found, model, today))
        text = views.findings(found, model, today, paint=out.paint, show_all=show_all)
        out.lines(text)
    return 1 if bad else 0


def _seen(evidence: str | None, survey: str | None, source: Source, shared: Shared) -> str | None:
    """Return the file that tells what traffic showed: the one that was named, or what the home of the live platform keeps."""
    from drystone.l85_surfaces.cli.dependencies.evidence_files import of_platform  # noqa: PLC0415

    if evidence is not None or survey is not None or source != LIVE:
        return evidence
    kept = of_platform(shared.folder)
    return kept if kept is not None and Path(kept).exists() else None


def _with_evidence(
    found: list[Finding], model: Model, file: str, rules: Rules, today: date
) -> list[Finding]:
    from drystone.l05_graph.observed import differences  # noqa: PLC0415 - for evidence alone
    from drystone.l85_surfaces.cli.dependencies.evidence_files import evidence_of  # noqa: PLC0415

    severities, order = list(Severity), list(Rule)
    return sorted(
        [*found, *differences(model, evidence_of(file, must_be=True), rules, today)],
        key=lambda one: (severities.index(one.severity), order.index(one.rule)),
    )


def rules_of(file: str | None) -> Rules:
    """Return the rules of a file; the usual ones without.

    Raises:
        FileUnreadable: It cannot be read.
        ModelInvalid: It has mistakes.
    """
    if file is None:
        return Rules()
    return rules_form.read(read_bytes(file, rules_form.RULES.most_bytes), file=file)


def _as_bad_as(found: list[Finding], level: Severity) -> list[Finding]:
    worst = list(Severity)
    return [one for one in found if worst.index(one.severity) <= worst.index(level)]
