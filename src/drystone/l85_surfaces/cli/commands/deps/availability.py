"""``drystone deps availability``."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.model import Model
from drystone.l85_surfaces.cli.dependencies.options import LIVE, Everything, Source
from drystone.l85_surfaces.cli.dependencies.reading import given_beside
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.deps import availability as views


def availability(
    *components: Annotated[
        str, Parameter(help="Names of components; all that promise something when omitted.")
    ],
    source: Source = LIVE,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Tell how available components can be at best, and why.

    A dependency that several share counts once, alternatives count as such. Exits with 1 when a promise cannot be kept.
    """
    model = given_beside(components, source, shared)
    every = Availabilities(model.model)
    names = components or tuple(one.name for one in model.model.components if one.slo is not None)
    out = Terminal(json=shared.json)
    promises = [_promise(name, every, model.model) for name in dict.fromkeys(names)]
    broken = [one.can_hold is False for one in promises]
    promises.sort(key=lambda one: (one.can_hold is not False, one.highest, one.component))
    shown = promises if show_all or shared.json else promises[: views.MOST]
    # What takes part in the unavailability of each takes a while to find, so only for those that are shown.
    found = [every.of(one.component) for one in shown]
    out.document([views.document(one) for one in found])
    left_out = len(promises) - len(found)
    out.lines(views.availability(found, left_out, sum(broken), model, paint=out.paint))
    return 1 if any(broken) else 0


class _Promise(NamedTuple):
    component: str
    highest: float
    can_hold: bool | None


def _promise(name: str, every: Availabilities, model: Model) -> _Promise:
    """Find out whether a promise can be kept: quickly where a product says it, exactly where there are alternatives."""
    slo, highest = model.component(name).slo, every.bound(name)
    if slo is None:
        return _Promise(name, highest, None)
    if slo <= highest and model.groups:
        return _Promise(name, highest, every.of(name).can_hold)
    return _Promise(name, highest, slo <= highest * (1 + 1e-12))
