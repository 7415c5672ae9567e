"""``drystone deps layers``."""

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
from drystone.l85_surfaces.cli.dependencies.searching import (
    Ends,
    Found,
    Watch,
    stopped_by_interrupt,
)
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.terminal import Terminal


def layers(
    survey: SurveyPlace = None,
    /,
    *,
    source: Source = LIVE,
    time_limit: TimeLimit = "60s",
    seed: Seed = 0,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Give everything a layer, so that all leads downwards.

    Only hard dependencies count. Layers that the model decides are kept. What then cannot lead downwards is told: the cheapest such set of dependencies,
    and how much cheaper it could be at most.
    """
    ends = Ends(time_of(time_limit))
    out = Terminal(json=shared.json)
    from drystone.l85_surfaces.cli.dependencies.reading import given  # noqa: PLC0415 - its time counts

    with stopped_by_interrupt() as stop, Watch(out) as watch:
        model = given(survey, source, shared)
        from drystone.l05_graph.layers import assign_layers, pins_of  # noqa: PLC0415 - loads scipy
        from drystone.l85_surfaces.cli.dependencies.untangling import search_of  # noqa: PLC0415

        pins = {} if model.is_edge_list else pins_of(model.model)
        answer = assign_layers(model.graph, pins, search=search_of(ends, seed, watch, stop))
        found = Found.of(answer, ends, was_stopped=stop.is_set())
    from drystone.l85_surfaces.cli.views.deps import layers as views  # noqa: PLC0415

    found.tell_interrupt()
    out.document(views.document(answer, found, model, pins))
    out.lines(views.layers(answer, found, model, pins, paint=out.paint, show_all=show_all))
