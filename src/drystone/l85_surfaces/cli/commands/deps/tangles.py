"""``drystone deps tangles``."""

from __future__ import annotations

from drystone.l85_surfaces.cli.dependencies.options import LIVE, Everything, Source, SurveyPlace
from drystone.l85_surfaces.cli.dependencies.reading import given
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.terminal import Terminal


def tangles(
    survey: SurveyPlace = None,
    /,
    *,
    source: Source = LIVE,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Find what needs itself in a circle, and what that prevents.

    A deadlock never comes up again after a loss of all; a co-start comes up only together; a soft tangle slows a recovery
    down.
    """
    from drystone.l05_graph import tangles as analysis  # noqa: PLC0415 - loads numpy
    from drystone.l85_surfaces.cli.views.deps import tangles as views  # noqa: PLC0415

    model = given(survey, source, shared)
    found = analysis.tangles(model.graph)
    out = Terminal(json=shared.json)
    out.document(views.document(found, model.graph))
    out.lines(views.tangles(found, model, paint=out.paint, show_all=show_all))
