"""``drystone deps impact``."""

from __future__ import annotations

from typing import Annotated, Literal

from drystone.l05_graph.reach import impact as impact_of
from drystone.l05_graph.requirements import WHILE_SERVING
from drystone.l05_graph.words import Phase
from drystone.l85_surfaces.cli.dependencies.options import LIVE, Everything, Names, Source
from drystone.l85_surfaces.cli.dependencies.reading import given_beside
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.deps import reach as views


def impact(
    *components: Names,
    source: Source = LIVE,
    at: Annotated[
        list[Literal["build", "deploy", "start", "run", "recovery"]] | None,
        Parameter(
            show_default=False,
            help="What is needed then is missed; may be given again. [default: run]",
        ),
    ] = None,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Tell what falls when components fail: the blast radius.

    All fail at once. First what does not work any more, then what goes on without something, by tier and by product.
    """
    model = given_beside(components, source, shared)
    when = [Phase(one) for one in at] if at else WHILE_SERVING
    found = impact_of(model.model, components, when)
    out = Terminal(json=shared.json)
    out.document(views.impact_document(found))
    out.lines(views.impact(found, model.model, paint=out.paint, show_all=show_all))
