"""``drystone deps tree``."""

from __future__ import annotations

from typing import Annotated

from drystone.l05_graph.reach import products
from drystone.l05_graph.reach import tree as tree_of
from drystone.l85_surfaces.cli.dependencies.options import LIVE, Everything, Names, Source
from drystone.l85_surfaces.cli.dependencies.reading import given_beside
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.deps import reach as views


def tree(
    *components: Names,
    source: Source = LIVE,
    soft: Annotated[
        bool, Parameter(show_default=False, help="Also what it can do without.")
    ] = False,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Tell all that components need: what a cell has to hold.

    In any number of steps. The name of a product stands for its components. What other products need as well is marked.
    """
    model = given_beside(components, source, shared)
    known = products(model.model)
    roots = [
        name
        for one in components
        for name in (known.get(one, (one,)) if one not in model.model.by_name else (one,))
    ]
    found = tree_of(model.model, list(dict.fromkeys(roots)), soft=soft)
    out = Terminal(json=shared.json)
    out.document(views.tree_document(found))
    out.lines(views.tree(found, model.model, paint=out.paint, show_all=show_all))
