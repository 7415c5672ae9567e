"""``drystone status``."""

from __future__ import annotations

from datetime import UTC, datetime

from drystone.l85_surfaces.cli.operating import deployed
from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.platform import status as lines_of


async def status(*, shared: Anywhere = NOWHERE_SAID) -> int:
    """Tell how the platform, its engines and its services are.

    Exits with 1 when no platform runs or it is not ready.
    """
    out = Terminal(json=shared.json)
    async with deployed(shared) as api:
        view = await api.status(context())
    out.document(view)
    out.lines(lines_of(view, now=datetime.now(UTC), paint=out.paint, width=out.width))
    return 0 if view.ready else 1
