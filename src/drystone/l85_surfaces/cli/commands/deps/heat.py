"""``drystone deps heat``."""

from __future__ import annotations

from drystone.l85_surfaces.cli.dependencies.options import (
    LIVE,
    Everything,
    Seed,
    Source,
    SurveyPlace,
    TimeLimit,
    time_of,
)
from drystone.l85_surfaces.cli.dependencies.searching import Ends, Watch, stopped_by_interrupt
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.terminal import Terminal


def heat(
    survey: SurveyPlace = None,
    /,
    *,
    source: Source = LIVE,
    time_limit: TimeLimit = "10s",
    seed: Seed = 0,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Tell on what most of the tangles hangs.

    First what is in the cheapest cut, then what most short circles lead through for what it costs; and which single change would shrink
    a tangle most.
    """
    ends = Ends(time_of(time_limit))
    out = Terminal(json=shared.json)
    from drystone.l85_surfaces.cli.dependencies.reading import given  # noqa: PLC0415 - its time counts

    with stopped_by_interrupt() as stop, Watch(out) as watch:
        model = given(survey, source, shared)
        from drystone.l85_surfaces.cli.dependencies.untangling import cut, search_of  # noqa: PLC0415

        answer = cut(model.graph, search_of(ends, seed, watch, stop))
    from drystone.l85_surfaces.cli.views.deps import heat as views  # noqa: PLC0415

    found = views.Hot.of(model.graph, answer)
    out.document(views.document(found, model))
    out.lines(views.heat(found, model, paint=out.paint, show_all=show_all))
