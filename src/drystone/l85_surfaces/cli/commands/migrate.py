"""``drystone migrate``: a service moves to another address by degrees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import (
    NOTHING_SAID,
    Environment,
    OneEnvironment,
    Service,
    Shared,
)
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of, traffic_migration
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import migrations as views

if TYPE_CHECKING:
    from drystone.l35_mesh.migration.api import MigrationView, Who

CALLER = "x-asap-issuer"
"""The header in which a service learns which service calls it."""


async def start(
    service: Service,
    /,
    *,
    to: Annotated[
        str,
        Parameter(
            name=("--to",),
            help="HOST:PORT, where the host that a client asked for is kept; or http://HOST[:PORT] or"
            " https://HOST[:PORT], where the other side is asked for that host.",
        ),
    ],
    host: Annotated[
        str | None,
        Parameter(name=("--host",), help="What the other side is asked for instead."),
    ] = None,
    ca: Annotated[
        str | None,
        Parameter(
            name=("--ca",),
            metavar="FILE",
            help="PEM file with those who may have signed its certificate; the system's when omitted.",
        ),
    ] = None,
    http2: Annotated[
        bool,
        Parameter(
            name=("--http2",),
            help="Speak HTTP/2 with the other side, whatever the service here speaks.",
        ),
    ] = False,
    no_fallback: Annotated[
        bool,
        Parameter(
            name=("--no-fallback",),
            help="Do not answer here what the other side does not answer.",
        ),
    ] = False,
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Name the other side of a service; no request goes there yet."""
    from drystone.l35_mesh.migration.api import Target  # noqa: PLC0415 - only when it is used

    target = Target(
        address=to,
        host=host,
        authorities=_absolute(ca),
        speaks="http2" if http2 else None,
        has_fallback=not no_fallback,
    )
    environment = environment_of(env, shared.folder)
    async with traffic_migration(shared.folder) as api:
        view = await api.start(context(), environment=environment, service=service, target=target)
    tell(view, shared)


async def share(
    service: Service,
    percent: Annotated[
        str, Parameter(help="How much goes over: 10%, or 0.5%; 0% for only what is named.")
    ],
    /,
    *,
    header: Annotated[
        list[str] | None,
        Parameter(
            name=("--header",),
            metavar="NAME:VALUE",
            show_default=False,
            help="Requests with this header go over in any case; may be given again.",
        ),
    ] = None,
    caller: Annotated[
        list[str] | None,
        Parameter(
            name=("--caller",),
            metavar="ENV/SERVICE",
            show_default=False,
            help="Requests of this service go over in any case; may be given again.",
        ),
    ] = None,
    nobody: Annotated[
        bool,
        Parameter(name=("--no-rules",), help="End what --header and --caller said before."),
    ] = False,
    sticky: Annotated[
        str | None,
        Parameter(
            name=("--sticky",),
            metavar="cookie:NAME|header:NAME|no",
            help="Clients with the same value stay on one side.",
        ),
    ] = None,
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Send a share of the requests to the other side; what was said of headers, callers and clients before holds on."""
    who = _who(header or [], caller or [])
    if who and nobody:
        raise Misuse("--no-rules ends all rules; leave it away, or --header and --caller")
    environment = environment_of(env, shared.folder)
    async with traffic_migration(shared.folder) as api:
        view = await api.share(
            context(),
            environment=environment,
            service=service,
            percent=percent_of(percent),
            who=who if who or nobody else None,
            sticky="" if sticky == "no" else sticky,
        )
    tell(view, shared)


async def status(
    service: Annotated[
        str | None, Parameter(help="Only this service; all that move when omitted.")
    ] = None,
    /,
    *,
    env: OneEnvironment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Tell which services move, how far they have come, and what became of requests at both sides."""
    out = Terminal(json=shared.json)
    async with traffic_migration(shared.folder) as api:
        every = await api.migrations(context())
    found = [
        one for one in every if service in {None, one.service} and env in {None, one.environment}
    ]
    out.document(found)
    if found:
        out.lines(views.migrations(found, paint=out.paint))
    else:
        out.line("no service moves; `drystone migrate start SERVICE --to HOST:PORT` begins")


async def back(
    service: Service, /, *, env: Environment = None, shared: Shared = NOTHING_SAID
) -> None:
    """Answer everything here again, at once; the other side stays known."""
    environment = environment_of(env, shared.folder)
    async with traffic_migration(shared.folder) as api:
        view = await api.back(context(), environment=environment, service=service)
    tell(view, shared)


async def finish(
    service: Service, /, *, env: Environment = None, shared: Shared = NOTHING_SAID
) -> None:
    """End a migration: at 100% this side answers nothing any more, at 0% the other side is forgotten."""
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with traffic_migration(shared.folder) as api:
        view = await api.finish(context(), environment=environment, service=service)
    out.document(view)
    if view.state == "moved":
        out.line(
            f"{service} has moved to {view.to}; `drystone migrate back {service}` still goes back"
        )
    else:
        out.line(f"{service} moves nowhere any more")


def tell(view: MigrationView, shared: Shared) -> None:
    """Show how far a service has come."""
    out = Terminal(json=shared.json)
    out.document(view)
    out.lines(views.migrations([view], paint=out.paint))


def percent_of(text: str) -> float:
    """Read a share.

    Raises:
        Misuse: It is no number.
    """
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        raise Misuse(f"{text!r} is no share: write 10%") from None


def _who(headers: list[str], callers: list[str]) -> list[Who]:
    from drystone.l35_mesh.migration.api import Who  # noqa: PLC0415 - only when it is used

    who = []
    for text in headers:
        name, colon, value = text.partition(":")
        if not colon:
            raise Misuse(f"{text!r} names no header with a value: write NAME:VALUE")
        who.append(Who(name.strip().lower(), value.strip()))
    return who + [Who(CALLER, issuer) for issuer in callers]


def _absolute(path: str | None) -> str | None:
    return str(Path(path).expanduser().absolute()) if path else None
