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
    svg: Annotated[bool, Parameter(help="Print a chart, as an SVG picture.")] = False,
    env: OneEnvironment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Estimate what a month costs: sizes times a table of prices.

    Tells which services lack tags, and what the table has no price for. What depends on use is not in it.
    """
    if svg and shared.json:
        raise Misuse("--svg and --json both say what to print; leave one of them out")
    out = Terminal(json=shared.json)
    async with costs_of(shared.folder) as api:
        report = await api.report(context(), by=by, environment=env)
    if svg:
        out.line(report.chart.rstrip())
        return
    out.document(report)
    out.lines(views.costs(report, paint=out.paint, width=out.width))
