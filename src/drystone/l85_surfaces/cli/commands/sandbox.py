"""``drystone sandbox``: the services of a workspace on a developer's machine, with what they need."""

from __future__ import annotations

from typing import Annotated

from drystone.l85_surfaces.cli.confirming import require_confirmed
from drystone.l85_surfaces.cli.errors import Misuse, NotConfirmed
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import answers, is_kept
from drystone.l85_surfaces.cli.sandboxed import (
    Wanted,
    bring_sandbox_up,
    leave_settings_of_others,
    place_of,
    remove_home,
    take_down,
)
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.sandbox import sandbox_lines
from drystone.l85_surfaces.sandbox.looking import Looking

Places = Annotated[
    str,
    Parameter(
        help="Folders with services, or their descriptors. [default: the working directory]",
        metavar="DIR|FILE",
    ),
]
With = Annotated[
    list[str] | None,
    Parameter(
        name=("--with",),
        metavar="NAME=WAY",
        show_default=False,
        help="How a dependency is served: real, mock, mock:FILE, proxy:URL or absent; may be given again.",
    ),
]


async def up(
    *files: Places,
    with_: With = None,
    watch: Annotated[
        bool,
        Parameter(show_default=False, help="Bring a service up again when its files change."),
    ] = False,
    detach: Annotated[
        bool,
        Parameter(
            name=("--detach", "-d"),
            show_default=False,
            help="Return when everything is up, and leave it running.",
        ),
    ] = False,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Run the services of a workspace here, with everything that they need.

    They run in the environment `local` on a platform of their own, with real resources whose data stays. What they depend on is
    real, mocked by its OpenAPI document, passed on to an address, or absent. Ctrl-C takes everything down. With --json, one object per step.
    """
    if watch and detach:
        raise Misuse("--watch needs somebody who watches; leave --detach out")
    leave_settings_of_others()
    wanted = Wanted(files, with_ or [], shared)
    return await bring_sandbox_up(wanted, Terminal(json=shared.json), detach=detach, watch=watch)


async def status(*files: Places, shared: Shared = NOTHING_SAID) -> None:
    """Show how a sandbox serves everything, the last calls, and where its dashboard is.

    The address holds a key: who has it may see what is secret in the sandbox. With --json, one document.
    """
    leave_settings_of_others()
    place = place_of(files, shared)
    seen = await Looking(place).seen()
    out = Terminal(json=shared.json)
    out.lines(sandbox_lines(seen, place.dashboard(), place.home, paint=out.paint))
    out.document({"sandbox": seen, "dashboard": place.dashboard(), "home": str(place.home)})


async def down(*files: Places, shared: Shared = NOTHING_SAID) -> None:
    """Take a sandbox down; its data stays."""
    leave_settings_of_others()
    place = place_of(files, shared)
    name = place.require().name
    out = Terminal(json=shared.json)
    if await take_down(place, out):
        out.line(f"the sandbox {name} is down")
    else:
        out.line(f"the sandbox {name} does not run; nothing to take down")


async def reset(
    *files: Places,
    yes: Annotated[
        str | None,
        Parameter(
            name=("--yes",), help="The sandbox's name again, instead of typing it when asked."
        ),
    ] = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Take a sandbox down and delete all of its data."""
    leave_settings_of_others()
    place = place_of(files, shared)
    name = place.require().name
    out = Terminal(json=shared.json)
    require_confirmed(
        name,
        yes,
        otherwise="the sandbox stays",
        tell=lambda: out.line(f"This deletes the data of every service in the sandbox {name}."),
    )
    await take_down(place, out)
    if answers(place.home) or is_kept(place.home):
        raise NotConfirmed(f"the sandbox {name} still runs, so its data stays; try again")
    remove_home(place.home)
    out.line(f"the sandbox {name} and its data are gone")
