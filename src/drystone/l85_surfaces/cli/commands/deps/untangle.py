"""``drystone deps untangle``."""

from __future__ import annotations

from typing import Annotated, Literal

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
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal


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
        list[Literal["remove", "soften", "later", "pillar"]] | None,
        Parameter(
            name=("--move",),
            show_default=False,
            help="What may be done, may be given again: remove a dependency, soften it, need it at run time only, make a "
            "fallback. [default: all]",
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
    ends = Ends(time_of(time_limit))
    out = Terminal(json=shared.json)
    # The libraries below take most of a second to load, which counts.
    from drystone.l85_surfaces.cli.dependencies.reading import given  # noqa: PLC0415

    with stopped_by_interrupt() as stop, Watch(out) as watch:
        model = given(survey, source, shared)
        from drystone.l85_surfaces.cli.dependencies import untangling  # noqa: PLC0415

        search = untangling.search_of(ends, seed, watch, stop)
        is_plain = model.is_edge_list and not moves and goal == "no-tangle"
        answer = (
            untangling.cut(model.graph, search)
            if is_plain
            else untangling.moved(model, goal, moves or (), search)
        )
        found = Found.of(answer, ends, was_stopped=stop.is_set())
    from drystone.l85_surfaces.cli.views.deps import untangling as views  # noqa: PLC0415

    found.tell_interrupt()
    out.document(views.document(answer, found, model))
    out.lines(views.untangling(answer, found, model, paint=out.paint, show_all=show_all))
