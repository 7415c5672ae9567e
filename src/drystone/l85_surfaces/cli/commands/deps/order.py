"""``drystone deps order``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from drystone.l05_graph.recovery import Order, recovery_order
from drystone.l85_surfaces.cli.dependencies.options import LIVE, Everything, Source, SurveyPlace
from drystone.l85_surfaces.cli.dependencies.reading import (
    Given,
    ask_live,
    given,
    of_survey,
    platform_itself,
)
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.reach import answers
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.deps import order as views

if TYPE_CHECKING:
    from drystone.l25_deployer.api import DependencyModel


def order(
    survey: SurveyPlace = None,
    /,
    *,
    source: Source = LIVE,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Tell in which order everything comes back.

    All of a survey is lost, and each wave can come up once the ones before it serve. What never comes back is told with what it
    waits for; exits with 1 then. Without a survey, the order in which `drystone up` starts all that is deployed; with --platform,
    that of the platform's own services: the one that the last start followed, and when each was up, where a platform runs.
    """
    out = Terminal(json=shared.json)
    is_platform = survey is None and source == Source(platform=True)
    if is_platform or (survey is None and source == LIVE):
        own, found, start = asyncio.run(_of_platform(shared, alone=is_platform))
    else:
        own = given(survey, source, shared)
        found, start = recovery_order(own.model), None
    out.document(views.document(found, start))
    out.lines(views.order(found, own, start, paint=out.paint, show_all=show_all))
    return 1 if found.because else 0


async def _of_platform(shared: Shared, *, alone: bool) -> tuple[Given, Order, views.Start | None]:
    """Return what starts, in which order, and how the last start of it went.

    Args:
        shared: Names the home.
        alone: Whether only the platform's own services are asked for; then nothing has to run.

    Raises:
        NoPlatform: None runs in the home, and more than its own services is asked for.
    """
    from drystone.l25_deployer.dependencies.model import PLATFORM, start_order  # noqa: PLC0415

    if not alone:
        told = await ask_live(shared)
        return of_survey(told), Order(waves=_waves(told.order)), _start(told)
    own = platform_itself()
    if not answers(shared.folder):
        return own, Order(waves=start_order(own.model).waves), None
    told = await ask_live(shared)
    head = f"{PLATFORM}/"
    waves = [
        [name.removeprefix(head) for name in w if name.startswith(head)] for w in told.followed
    ]
    start = _start(told)
    came_up = {
        name.removeprefix(head): one for name, one in start.came_up.items() if name.startswith(head)
    }
    return (
        own,
        Order(waves=_waves(filter(None, waves))),
        replace(start, is_followed=True, came_up=came_up),
    )


def _waves(waves: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(map(tuple, waves))


def _start(told: DependencyModel) -> views.Start:
    return views.Start(is_followed=told.order == told.followed, came_up=told.came_up)
