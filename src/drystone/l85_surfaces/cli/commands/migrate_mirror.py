"""``drystone migrate mirror``: both sides of a service are compared before it moves."""

from __future__ import annotations

from typing import Annotated

from drystone.l85_surfaces.cli.commands.migrate import percent_of, tell
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Service, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of, traffic_migration
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import migrations as views


async def mirror(
    service: Service,
    share: Annotated[
        str, Parameter(help="How many of the GET and HEAD requests: 10%, or off.")
    ] = "10%",
    /,
    *,
    ignore: Annotated[
        list[str] | None,
        Parameter(
            name=("--ignore",),
            metavar="/POINTER|HEADER",
            show_default=False,
            help="What may differ: a place in JSON documents, with * for any one part, or a header; may be given again.",
        ),
    ] = None,
    nothing: Annotated[
        bool,
        Parameter(name=("--ignore-nothing",), help="End what --ignore said before."),
    ] = False,
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Compare both sides of a service that moves, by copies of safe requests; nobody waits for that.

    Each copy costs both sides one request more.
    """
    if ignore and nothing:
        raise Misuse("--ignore-nothing ends what is ignored; leave it away, or --ignore")
    environment = environment_of(env, shared.folder)
    async with traffic_migration(shared.folder) as api:
        view = await api.mirror(
            context(),
            environment=environment,
            service=service,
            percent=0 if share == "off" else percent_of(share),
            ignored=ignore if ignore or nothing is False else [],
        )
    tell(view, shared)


async def compared(
    service: Service, /, *, env: Environment = None, shared: Shared = NOTHING_SAID
) -> None:
    """Tell how alike both sides answer, with examples of what differs."""
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with traffic_migration(shared.folder) as api:
        found = await api.compared(context(), environment=environment, service=service)
    out.document(found)
    out.lines(views.compared(found, paint=out.paint))
