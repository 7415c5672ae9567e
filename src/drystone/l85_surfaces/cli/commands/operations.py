"""``drystone scale``, ``restart``, ``rotate``, ``port-forward`` and ``events``: what people do to services that run."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.following import follow
from drystone.l85_surfaces.cli.operating import aborter, forwarder, happened, operator
from drystone.l85_surfaces.cli.options import (
    NOTHING_SAID,
    NOWHERE_SAID,
    Anywhere,
    Environment,
    Service,
    Shared,
)
from drystone.l85_surfaces.cli.orchestrated import environment_at
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of
from drystone.l85_surfaces.cli.sinces import since_of
from drystone.l85_surfaces.cli.terminal import Style, Terminal
from drystone.l85_surfaces.cli.views.services import event_line

OneGroup = Annotated[str | None, Parameter(help="`web` or a worker.")]
MOST_PORT = 65535


async def scale(
    service: Service,
    instances: Annotated[
        str, Parameter(metavar="N|auto", help="How many; or as its load asks for.")
    ],
    /,
    *,
    group: OneGroup = None,
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Set how many instances a service has, until its next release.

    New ones get requests once they are healthy; those that go answer first what they have. With --json, one object per step.
    """
    if instances != "auto" and not (instances.isascii() and instances.isdecimal()):
        raise Misuse(f"{instances[:40]!r} is no number of instances: write such as 4, or auto")
    count = None if instances == "auto" else int(instances[:9])
    environment = environment_at(env, shared)
    async with aborter(shared) as deployer, operator(shared) as api:
        abort = partial(deployer.abort, context(), environment=environment, service=service)
        stream = api.scale(
            context(), environment=environment, service=service, instances=count, group=group
        )
        await follow(stream, Terminal(json=shared.json), abort=abort)


async def restart(
    service: Service,
    /,
    *,
    group: OneGroup = None,
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Replace the instances of a service, one after the other.

    For each a new one is healthy before it goes, so that no request fails. With --json, one object per step.
    """
    environment = environment_at(env, shared)
    async with aborter(shared) as deployer, operator(shared) as api:
        abort = partial(deployer.abort, context(), environment=environment, service=service)
        stream = api.restart(context(), environment=environment, service=service, group=group)
        await follow(stream, Terminal(json=shared.json), abort=abort)


async def rotate(
    service: Service,
    resource: Annotated[
        str | None, Parameter(help="One resource of it.", show_default=False)
    ] = None,
    /,
    *,
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Replace the passwords and keys by which a service reaches its resources.

    Its instances get the new ones one after the other, so that no request fails; then the former ones open nothing. With --json, one object per step.
    """
    environment = environment_at(env, shared)
    async with aborter(shared) as deployer, operator(shared) as api:
        abort = partial(deployer.abort, context(), environment=environment, service=service)
        stream = api.rotate(context(), environment=environment, service=service, resource=resource)
        await follow(stream, Terminal(json=shared.json), abort=abort)


async def port_forward(
    target: Annotated[
        str,
        Parameter(
            metavar="SERVICE[/TARGET]",
            help="A service; or an instance, a group or a resource of it, such as `orders/db`.",
        ),
    ],
    ports: Annotated[
        str,
        Parameter(
            metavar="[LOCAL:]REMOTE",
            help="The port to open here, any when omitted, and the one that it leads to.",
        ),
    ] = "",
    /,
    *,
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Open a port of this machine that leads to an instance or a resource, until Ctrl-C.

    Only this machine can connect to it. With --json, one object when it is open and one per connection.
    """
    out = Terminal(json=shared.json)
    local, remote = _ports(ports)
    service, _, to = target.partition("/")
    async with forwarder(shared.folder) as api:
        async for one in api.forward(
            context(),
            environment=environment_of(env, shared.folder),
            service=service,
            to=to or None,
            remote=remote,
            local=local,
        ):
            out.record(one)
            if not one.connection:
                out.line(
                    f"{out.paint(one.address, Style.NAME)} leads to {one.target}; Ctrl-C ends it"
                )
            elif one.problem:
                out.line(out.paint(f"connection {one.connection}: {one.problem}", Style.BAD))
            else:
                out.line(f"connection {one.connection} to {one.target}")


def _ports(text: str) -> tuple[int | None, int | None]:
    """Read ``[LOCAL:]REMOTE``; what is left out is None.

    Raises:
        Misuse: It is something else.
    """
    local, _, remote = text.rpartition(":")
    found = []
    for one in (local, remote):
        if one and not (one.isascii() and one.isdecimal() and 1 <= int(one[:9]) <= MOST_PORT):
            raise Misuse(f"{text[:40]!r} names no ports: write such as 8080, 9000:8080 or 9000:")
        found.append(int(one) if one else None)
    return found[0], found[1]


async def events(
    service: Service,
    /,
    *,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, Parameter(name=("--lines", "-n"), least=0, help="Past events.")] = 20,
    since: Annotated[
        str | None,
        Parameter(
            metavar="WHEN", help="None before: `30m` ago, or a time such as 2026-05-04T10:00Z."
        ),
    ] = None,
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Print what happened to a service: deploys, changes of its number, restarts, what became ill and well again.

    Oldest first. With --json, one object per line.
    """
    out = Terminal(json=shared.json)
    first = since_of(since, datetime.now(UTC))
    async with happened(shared) as api:
        async for one in api.events(
            context(),
            environment=environment_at(env, shared),
            service=service,
            last=lines,
            since=first,
            follow=follow,
        ):
            out.record(one)
            out.line(event_line(one, out.paint))
