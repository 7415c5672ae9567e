"""``drystone deps layers``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.dependencies.options import (
    LIVE,
    Everything,
    Seed,
    Source,
    SurveyPlace,
    TimeLimit,
    time_of,
)
from drystone.l85_surfaces.cli.dependencies.searching import Wanted, searched
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drystone.l05_graph.layers import Layers
    from drystone.l05_graph.moves import Search
    from drystone.l85_surfaces.cli.dependencies.reading import Given


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
    out = Terminal(json=shared.json)
    wanted = Wanted(
        survey=survey, source=source, shared=shared, time_limit=time_of(time_limit), seed=seed
    )
    model, answer, found = searched(wanted, out, _look)
    from drystone.l85_surfaces.cli.views.deps import layers as views  # noqa: PLC0415

    pins = _decided(model)
    out.document(views.document(answer, found, model, pins))
    out.lines(views.layers(answer, found, model, pins, paint=out.paint, show_all=show_all))


def _look(model: Given, search: Search) -> Layers:
    from drystone.l05_graph.layers import assign_layers  # noqa: PLC0415 - loads scipy

    return assign_layers(model.graph, _decided(model), search=search)


def _decided(model: Given) -> Mapping[int, int]:
    from drystone.l05_graph.pinned import pins_of  # noqa: PLC0415 - loads scipy

    return {} if model.is_edge_list else pins_of(model.model)
