"""``drystone keys trust`` and its neighbours: keys of other platforms."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from drystone.l85_surfaces.cli.errors import FileUnreadable, NotProven
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of, other_platforms
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import peers as views

MOST = 1 << 20
"""Bytes of a file with certificates, or of a token."""

Name = Annotated[str, Parameter(help="What the other platform is called here.")]


async def repository(*, shared: Shared = NOTHING_SAID) -> None:
    """Tell where other platforms look up the keys of this one, and by which certificate.

    Both listen for this machine alone; bring them to another one by a tunnel.
    """
    out = Terminal(json=shared.json)
    async with other_platforms(shared.folder) as api:
        found = await api.repository(context())
    out.document(found)
    out.lines(f"--repository {url}" for url in found.urls)
    out.line(f"--ca {found.authority}")


async def trust(
    name: Name,
    /,
    *,
    repositories: Annotated[
        list[str],
        Parameter(
            name=("--repository",),
            metavar="URL",
            help="Where it publishes its keys, https://HOST[:PORT]/; given again, a copy that is asked when the first does not"
            " answer. `drystone keys repository` tells both over there.",
        ),
    ],
    ca: Annotated[
        str,
        Parameter(
            name=("--ca",),
            metavar="FILE",
            help="PEM file with the certificates by which that is trusted; no others are.",
        ),
    ],
    issuer: Annotated[
        list[str],
        Parameter(
            name=("--issuer",),
            metavar="ENV/SERVICE",
            help="Whose calls are accepted; may be given again.",
        ),
    ],
    to: Annotated[
        list[str],
        Parameter(
            name=("--to",),
            metavar="ENV/SERVICE",
            help="Which services of this platform accept them; may be given again.",
        ),
    ],
    shared: Shared = NOTHING_SAID,
) -> None:
    """Accept calls of some services of another platform, proven by its keys.

    Its keys prove calls of the services that are named, to the services that are named, and nothing else. What was said of the
    same name before holds no longer.
    """
    from drystone.l20_trust.keys.peers.api import PeerSaid  # noqa: PLC0415 - only when it is used

    said = PeerSaid(
        tuple(repositories), _content(Path(ca)).decode("ascii", "replace"), tuple(issuer), tuple(to)
    )
    out = Terminal(json=shared.json)
    async with other_platforms(shared.folder) as api:
        view = await api.trust(context(), name=name, said=said)
    out.document(view)
    out.lines(views.peers([view], now=datetime.now(UTC), paint=out.paint))


async def trusted(*, shared: Shared = NOTHING_SAID) -> None:
    """List the platforms whose keys prove calls here, and whether they answer."""
    out = Terminal(json=shared.json)
    async with other_platforms(shared.folder) as api:
        found = await api.trusted(context())
    out.document(found)
    if found:
        out.lines(views.peers(found, now=datetime.now(UTC), paint=out.paint))
    else:
        out.line("no other platform is trusted")


async def distrust(name: Name, /, *, shared: Shared = NOTHING_SAID) -> None:
    """Accept no call that keys of another platform prove, from now on."""
    out = Terminal(json=shared.json)
    async with other_platforms(shared.folder) as api:
        view = await api.distrust(context(), name=name)
    out.document(view)
    out.line(f"keys of {view.name} prove nothing here any more")


async def check(
    file: Annotated[
        str | None, Parameter(help="File with the token; standard input when omitted.")
    ] = None,
    /,
    *,
    audience: Annotated[
        str,
        Parameter(
            name=("--audience", "-a"),
            help="Whom it calls: <environment>/<service>, or only the service for one of the same environment.",
        ),
    ],
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Tell what a token proves: who calls, and by the key of which platform.

    Exit code 1 where it proves nothing.
    """
    from drystone.l20_trust.keys.peers.api import TokenSaid  # noqa: PLC0415 - only when it is used

    token = (sys.stdin.buffer.read(MOST) if file is None else _content(Path(file))).strip()
    environment = environment_of(env, shared.folder)
    said = TokenSaid(
        token.decode("ascii", "replace"),
        audience if "/" in audience else f"{environment}/{audience}",
    )
    out = Terminal(json=shared.json)
    async with other_platforms(shared.folder) as api:
        found = await api.check(context(), said=said)
    out.document(found)
    if not found.is_good:
        raise NotProven(f"it proves nothing to {said.audience}: {found.reason}")
    out.line(views.proven(found))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST)
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read: {e}") from e
