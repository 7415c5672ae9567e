"""``drystone token`` and ``drystone keys``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import (
    NOTHING_SAID,
    Environment,
    OneEnvironment,
    Service,
    Shared,
)
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of, service_keys
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import keys as views

DEFAULT_SECONDS = 60


async def token(
    service: Service,
    /,
    *,
    audience: Annotated[
        str,
        Parameter(
            name=("--audience", "-a"),
            help="Whom to call: <environment>/<service>, or only the service for one of the same environment.",
        ),
    ],
    lifetime: Annotated[
        int,
        Parameter(name=("--lifetime",), metavar="SECONDS", least=1, help="At most 3600."),
    ] = DEFAULT_SECONDS,
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Make a token with which to call a service as another one.

    It is printed alone, for `-H "Authorization: Bearer $(drystone token …)"`. Whoever has it may call as the service until
    it ends.
    """
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with service_keys(shared.folder) as api:
        made = await api.token(
            context(),
            environment=environment,
            service=service,
            audience=audience if "/" in audience else f"{environment}/{audience}",
            lifetime=timedelta(seconds=lifetime),
        )
    out.document(made)
    out.line(made.token)


async def list_keys(
    service: Annotated[
        str | None, Parameter(help="Only this service; all of them when omitted.")
    ] = None,
    /,
    *,
    env: OneEnvironment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """List the keys by which services prove who they are."""
    out = Terminal(json=shared.json)
    async with service_keys(shared.folder) as api:
        found = await api.keys(context(), environment=env, service=service)
    out.document(found)
    if found:
        out.lines(views.keys(found, now=datetime.now(UTC), paint=out.paint))
    else:
        out.line("no keys; they come with the deploy of a process or an image")


async def rotate(
    service: Service, /, *, env: Environment = None, shared: Shared = NOTHING_SAID
) -> None:
    """Give a service new keys; what the earlier ones signed stays good.

    Instances that read their key from the folder DRYSTONE_KEYS sign with the new one at once. Those that took it from
    ASAP_PRIVATE_KEY keep the earlier one, which stays published until the next deploy.
    """
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with service_keys(shared.folder) as api:
        made = await api.rotate(context(), environment=environment, service=service)
    out.document(made)
    out.lines(f"{one.id} signs for release {one.release} from now on" for one in made)


async def revoke(
    service: Service,
    key: Annotated[str | None, Parameter(help="Id of the key, as the list has it.")] = None,
    /,
    *,
    every: Annotated[bool, Parameter(name=("--all",), help="Every key of the service.")] = False,
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Let nobody accept a key any more, from now on.

    The service gets a new one. Instances that took the revoked key from ASAP_PRIVATE_KEY are refused until they are
    started again: deploy again.
    """
    if (key is None) != every:
        raise Misuse("name the key that is to be revoked, or give --all")
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with service_keys(shared.folder) as api:
        gone = await api.revoke(context(), environment=environment, service=service, key=key)
    out.document(gone)
    out.lines(f"{one.id} is revoked" for one in gone)
