"""What services cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.tables import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drystone.l25_deployer.api import PlanView
    from drystone.l80_governance.costs.api import CostReport

_CENT = Decimal("0.01")


def costs(report: CostReport, *, paint: Paint = PLAIN, width: int | None = None) -> Iterator[str]:
    """One line per value of the tag, and what is missing."""
    if not report.lines:
        yield (
            "nothing is deployed"
            if report.month is None
            else f"nothing is written down of {report.month}"
        )
        return
    rows = [
        (
            Piece(line.key, Style.NAME),
            _shown(line.now),
            _shown(line.most) if line.most != line.now else "-",
            str(len(line.unpriced)) if line.unpriced else "-",
        )
        for line in [*report.lines, report.whole]
    ]
    span = report.month or "a month"
    headings = (report.tag or report.by, f"{report.currency} {span}", "at most", "unpriced")
    yield from table(headings, rows, paint=paint, width=width)
    yield ""
    yield f"prices: {report.prices}, {report.date} ({report.source})"
    if unpriced := sorted(set(report.whole.unpriced)):
        yield paint(f"without a price: {', '.join(unpriced)}", Style.WARN)
    for over in report.passed:
        text = f"over budget: {over.by} {over.key}: {_shown(over.now)} of {_shown(over.budget)} {report.currency} a month"
        yield paint(text, Style.WARN)
    for one in report.untagged:
        yield paint(f"untagged: {one.service} lacks {', '.join(one.lacks)}", Style.WARN)


def of_plan(view: PlanView) -> list[str]:
    """What a deploy would do to the costs."""
    cost = view.cost
    if cost is None:
        return []
    if not cost.currency:
        return [cost.prices]
    change = f"{cost.before} → {cost.after}" if cost.before is not None else cost.after
    most = f", at most {cost.most}" if cost.most != cost.after else ""
    found = [f"{change} {cost.currency} a month{most} ({cost.prices})"]
    if cost.unpriced:
        found.append(f"without a price: {', '.join(cost.unpriced)}")
    return found


def _shown(amount: str) -> str:
    return str(Decimal(amount).quantize(_CENT))
