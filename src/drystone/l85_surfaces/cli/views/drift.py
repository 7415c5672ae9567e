"""What serves and should not."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drystone.l50_orchestrator.drift.api import DriftView

ADVICE = {
    ("repair",): "bring it back with `drystone drift repair {service} --env {environment}`",
    ("adopt",): "take it over with `drystone drift adopt {service} --env {environment}`",
    ("repair", "adopt"): (
        "bring it back with `drystone drift repair {service} --env {environment}`, or take it over with `drystone drift adopt`"
    ),
    ("adopt", "repair"): (
        "take it over with `drystone drift adopt {service} --env {environment}`, or bring back what was with `drystone drift repair`"
    ),
    (): "change the descriptor or the configuration of {service}, and deploy it",
}


def drift(items: Sequence[DriftView], *, paint: Paint = PLAIN) -> Iterator[str]:
    """Each service with what differs, since when and by whom, and what to do."""
    for (environment, service), group in groupby(items, lambda one: (one.environment, one.service)):
        found = list(group)
        first = found[0]
        who = f" by the {first.how} of {first.by}, past the orchestrator" if first.by else ""
        name = paint(f"{environment}/{service}", Style.NAME)
        yield f"{name}  {paint('drifts', Style.WARN)} since {moment(first.since)}{who}"
        for one in found:
            yield f"    {one.field}: should be {_said(one.wanted)}, is {_said(one.found)}"
        advice = ADVICE[max((one.repairs for one in found), key=len)]
        yield "    " + advice.format(environment=environment, service=service)


def _said(value: str | None) -> str:
    return "nothing" if value is None else value
