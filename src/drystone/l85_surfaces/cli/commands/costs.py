"""``drystone costs``."""

from __future__ import annotations

from typing import Annotated, Literal

from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOTHING_SAID, OneEnvironment, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, costs_of
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import costs as views

By = Literal["service", "team", "business-unit", "cost-centre", "environment", "tier"]


async def costs(
    *,
    by: Annotated[By, Parameter(help="Which tag parts the lines.")] = "service",
    tag: Annotated[
        str | None, Parameter(help="A further tag that parts the lines, in place of --by.")
    ] = None,
    month: Annotated[
        str | None,
        Parameter(help="What was there in this month, such as 2026-01, for as long as it was."),
    ] = None,
    svg: Annotated[bool, Parameter(help="Print a chart, as an SVG picture.")] = False,
    env: OneEnvironment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Estimate what a month costs: sizes times a table of prices.

    Tells which services lack tags, which budgets would be passed, and what the table has no price for. What depends on use is not
    in it. With --month it adds up what instances and resources have cost by the hours for which they were there.
    """
    if svg and shared.json:
        raise Misuse("--svg and --json both say what to print; leave one of them out")
    out = Terminal(json=shared.json)
    async with costs_of(shared.folder) as api:
        report = await api.report(context(), by=by, environment=env, month=month, tag=tag)
    if svg:
        out.line(report.chart.rstrip())
        return
    out.document(report)
    out.lines(views.costs(report, paint=out.paint, width=out.width))
