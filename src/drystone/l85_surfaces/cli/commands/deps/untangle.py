"""``drystone deps untangle``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

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
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal

if TYPE_CHECKING:
    from drystone.l05_graph.moves import Search, Untangling
    from drystone.l85_surfaces.cli.dependencies.reading import Given


def untangle(
    survey: SurveyPlace = None,
    /,
    *,
    source: Source = LIVE,
    goal: Annotated[
        Literal["no-tangle", "no-deadlock"],
        Parameter(
            help="What must not be left; circles that only start together may stay for no-deadlock."
        ),
    ] = "no-tangle",
    moves: Annotated[
        list[Literal["remove", "soften", "later", "pillar", "layer"]] | None,
        Parameter(
            name=("--move",),
            show_default=False,
            help="What may be done, may be given again: remove a dependency, soften it, need it at run time only, make a "
            "fallback, move a decided layer. [default: all]",
        ),
    ] = None,
    layers: Annotated[
        bool,
        Parameter(
            name=("--layers",),
            show_default=False,
            help="Keep decided layers as well: nothing may need what is not below it. A layer may be moved where the "
            "survey says what that costs (cost_move).",
        ),
    ] = False,
    effort: Annotated[
        int | None,
        Parameter(
            metavar="INT",
            show_default=False,
            help="End after so much work instead of time, about a second each: the same answer on every machine.",
        ),
    ] = None,
    time_limit: TimeLimit = "60s",
    seed: Seed = 0,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Find the cheapest changes after which no circle is left.

    Tells what to change, why, what it costs, and how much cheaper it could be at most. Of a plain list of edges, the
    cheapest to cut. Ctrl-C ends the search with the best answer so far.
    """
    out = Terminal(json=shared.json)

    def look(model: Given, search: Search) -> Untangling:
        from drystone.l85_surfaces.cli.dependencies import untangling  # noqa: PLC0415 - loads scipy

        search = untangling.with_effort(search, effort)
        if model.is_edge_list and not (moves or layers) and goal == "no-tangle":
            return untangling.cut(model.graph, search)
        return untangling.moved(model, goal, moves or (), search, keeps_layers=layers)

    wanted = Wanted(
        survey=survey, source=source, shared=shared, time_limit=time_of(time_limit), seed=seed
    )
    model, answer, found = searched(wanted, out, look)
    from drystone.l85_surfaces.cli.views.deps import untangling as views  # noqa: PLC0415

    out.document(views.document(answer, found, model))
    out.lines(views.untangling(answer, found, model, paint=out.paint, show_all=show_all))
