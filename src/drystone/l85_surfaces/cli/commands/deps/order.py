"""``drystone deps order``."""

from __future__ import annotations

import asyncio

from drystone.l05_graph.recovery import Order, recovery_order
from drystone.l85_surfaces.cli.dependencies.options import LIVE, Everything, Source, SurveyPlace
from drystone.l85_surfaces.cli.dependencies.reading import Given, given, own_descriptors
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.reach import answers, context, platform
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.deps import order as views


def order(
    survey: SurveyPlace = None,
    /,
    *,
    source: Source = LIVE,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Tell in which order everything comes back.

    All of it is lost, and each wave can come up once the ones before it serve. What never comes back is told with what it waits for; exits with 1
    then. With --platform, the order in which `drystone up` brings the platform up, and how long the last start took where
    one runs in the home.
    """
    out = Terminal(json=shared.json)
    if survey is None and source == Source(platform=True):
        own, found = _of_platform()
        took = asyncio.run(_measured(shared)) if answers(shared.folder) else {}
    else:
        own = given(survey, source, shared)
        found, took = recovery_order(own.model), {}
    out.document(views.document(found, took))
    out.lines(views.order(found, own, took, paint=out.paint, show_all=show_all))
    return 1 if found.because else 0


def _of_platform() -> tuple[Given, Order]:
    """Return the platform's own services, and the order that ``drystone up`` follows."""
    from drystone.l25_deployer.dependencies.model import (  # noqa: PLC0415 - for the platform alone
        model_of_descriptors,
        start_order,
    )

    every = list(own_descriptors().values())
    return (
        Given("the platform's own services", model_of_descriptors(every)),
        Order(waves=start_order(every).waves),
    )


async def _measured(shared: Shared) -> dict[str, float]:
    """Return how many seconds each part took to come up in the last start."""
    async with platform(shared.folder) as api:
        steps = [one async for one in api.startup(context())]
    return {one.name: one.seconds for one in steps if one.seconds is not None}
