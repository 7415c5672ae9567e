"""``drystone up``."""

from __future__ import annotations

from typing import Annotated

from drystone.l00_kernel.settings_tables import Runtime
from drystone.l85_surfaces.cli.bringing_up import bring_up
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal


async def up(
    *,
    port: Annotated[
        int | None,
        Parameter(
            least=1,
            most=65535,
            help="Port for people and clients; kept in the home's settings. [default: 8400]",
        ),
    ] = None,
    runtime: Annotated[
        Runtime | None,
        Parameter(help="What isolates instances; kept in the home's settings. [default: auto]"),
    ] = None,
    detach: Annotated[
        bool,
        Parameter(
            name=("--detach", "-d"),
            show_default=False,
            help="Return when the platform is ready.",
        ),
    ] = False,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Start, or recover, the platform on this machine.

    Shows each part as it comes up, layer by layer, and then tells what changes until Ctrl-C, which stops the platform. Does nothing when it runs already. With
    --json, one object per part and, last, the platform's status.
    """
    out = Terminal(json=shared.json)
    options = {"port": port, "runtime": runtime}
    wanted = {name: value for name, value in options.items() if value is not None}
    return await bring_up(shared.folder, wanted, out, detach=detach)
