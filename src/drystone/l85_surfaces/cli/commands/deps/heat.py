"""``drystone deps heat``."""

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
    from drystone.l05_graph.moves import Search, Untangling
    from drystone.l85_surfaces.cli.dependencies.reading import Given


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
    out = Terminal(json=shared.json)
    wanted = Wanted(
        survey=survey, source=source, shared=shared, time_limit=time_of(time_limit), seed=seed
    )
    model, answer, _ = searched(wanted, out, _look)
    from drystone.l85_surfaces.cli.views.deps import heat as views  # noqa: PLC0415

    found = views.Hot.of(model.graph, answer)
    out.document(views.document(found, model))
    out.lines(views.heat(found, model, paint=out.paint, show_all=show_all))


def _look(model: Given, search: Search) -> Untangling:
    from drystone.l85_surfaces.cli.dependencies.untangling import cut  # noqa: PLC0415 - loads scipy

    return cut(model.graph, search)
