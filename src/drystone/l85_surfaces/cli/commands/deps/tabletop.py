"""``drystone deps tabletop``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from drystone.l05_graph.disaster import Disaster
from drystone.l05_graph.forms import disaster as form
from drystone.l85_surfaces.cli.dependencies.options import (
    LIVE,
    Everything,
    Seed,
    Source,
    SurveyPlace,
)
from drystone.l85_surfaces.cli.dependencies.reading import given, read_bytes
from drystone.l85_surfaces.cli.dependencies.searching import Watch
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal

if TYPE_CHECKING:
    from drystone.l05_graph.outcome import Tabletop
    from drystone.l85_surfaces.cli.dependencies.reading import Given


def tabletop(
    survey: SurveyPlace = None,
    /,
    *,
    source: Source = LIVE,
    disaster: Annotated[
        str | None,
        Parameter(
            name=("--disaster", "-d"),
            metavar="FILE",
            help="What is lost, who brings it back, what happens meanwhile; all is lost when omitted.",
        ),
    ] = None,
    runs: Annotated[
        int,
        Parameter(
            least=0, most=100_000, help="How often to rehearse it with durations drawn at random."
        ),
    ] = 200,
    seed: Seed = 0,
    exercise: Annotated[
        str | None,
        Parameter(
            metavar="FILE",
            help="Lead people through it step by step; the file keeps how far they have come.",
        ),
    ] = None,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Rehearse the recovery from a disaster.

    With the people that there are. Tells how long it takes in half and in nine tenths of the runs, why it takes so long, who works on what and when, what never
    comes back, and when each product is back. Exits with 1 when something never comes back.
    """
    model = given(survey, source, shared)
    happens = disaster_of(disaster)
    if exercise is not None:
        from drystone.l85_surfaces.cli.dependencies.exercising import lead  # noqa: PLC0415

        return lead(model.model, happens, exercise, json=shared.json)
    out = Terminal(json=shared.json)
    found = _rehearsed(model, happens, runs, seed, out)
    from drystone.l85_surfaces.cli.views.deps import tabletop as views  # noqa: PLC0415

    out.document(found)
    out.lines(views.tabletop(found, model, title=happens.title, paint=out.paint, show_all=show_all))
    return 1 if found.unrecovered else 0


def disaster_of(file: str | None) -> Disaster:
    """Return what a file says is lost; everything without.

    Raises:
        FileUnreadable: It cannot be read.
        ModelInvalid: It has mistakes.
    """
    if file is None:
        return Disaster(everything=True)
    return form.read(read_bytes(file, form.DISASTER.most_bytes), file=file)


def _rehearsed(model: Given, happens: Disaster, runs: int, seed: int, out: Terminal) -> Tabletop:
    from drystone.l05_graph.tabletop import tabletop as rehearse  # noqa: PLC0415 - loads numpy

    with Watch(out) as watch:
        return rehearse(
            model.model,
            happens,
            runs=runs,
            seed=seed,
            on_progress=lambda done: watch.say(f"rehearsed {done:,} of {runs:,} times"),
        )
