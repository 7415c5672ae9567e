"""``drystone promote``, ``pause`` and ``resume``: orders to a release, legal in any state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from drystone.l85_surfaces.cli.errors import NothingUnderWay
from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere, Environment, Message, Service
from drystone.l85_surfaces.cli.orchestrated import environment_at, orchestrator
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal

if TYPE_CHECKING:
    from drystone.l50_orchestrator.releases.api import ReleasesApi, Verb


async def promote(
    service: Service,
    /,
    *,
    to: Annotated[
        str | None,
        Parameter(
            metavar="ENV",
            help="The environment to bring the release to, as it serves in the one before; without it, a rollout that is under way"
            " gives the new release all traffic.",
        ),
    ] = None,
    message: Message = "",
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Bring a release to the next environment, or end a rollout well.

    The very same artefact and descriptor go to the environment named with --to. An order to a rollout is taken in every
    state of it.
    """
    if to is None:
        await steer("promote", service, message, env, shared)
        return
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - loads the contract
    from drystone.l85_surfaces.cli.releasing import carried_out  # noqa: PLC0415 - the same

    out = Terminal(json=shared.json)
    async with orchestrator(shared, ReleasesApi) as api:
        asked = await api.promote(context(), service=service, to=to, message=message)
        await carried_out(api, asked, out)


async def pause(
    service: Service,
    /,
    *,
    message: Message = "",
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Let a rollout stay where it is until it is resumed. What proves it bad still ends it."""
    await steer("pause", service, message, env, shared)


async def resume(
    service: Service,
    /,
    *,
    message: Message = "",
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Let a rollout go on that was paused."""
    await steer("resume", service, message, env, shared)


async def steer(verb: Verb, service: str, message: str, env: str | None, shared: Anywhere) -> None:
    """Give an order to the release of a service that is under way, or else to its latest.

    Raises:
        NothingUnderWay: It has no release.
    """
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - loads the contract

    async with orchestrator(shared, ReleasesApi) as api:
        out = Terminal(json=shared.json)
        environment = environment_at(env, shared)
        await ordered(api, verb, service, environment, message=message, out=out)


async def ordered(
    api: ReleasesApi, verb: Verb, service: str, environment: str, *, message: str, out: Terminal
) -> None:
    """As :func:`steer`, by a connection that is there."""
    release = await _under_way(api, service, environment)
    answer = await api.steer(context(), release=release, verb=verb, message=message)
    out.document(answer)
    out.line(answer.text)


async def _under_way(api: ReleasesApi, service: str, environment: str) -> str:
    """Return the release whose turn it is: of those that have not ended the first."""
    for open_only in (True, False):
        page = await api.history(
            context(), service=service, environment=environment, open_only=open_only
        )
        if page.items:
            return page.items[-1 if open_only else 0].id
    raise NothingUnderWay(f"{service} has no release in {environment}")
