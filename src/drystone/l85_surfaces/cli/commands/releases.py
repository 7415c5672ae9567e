"""``drystone releases`` and ``drystone release``: what is recorded of releases, and the word of those who are asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from drystone.l00_kernel.contract import first
from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere, Message, OneEnvironment
from drystone.l85_surfaces.cli.orchestrated import orchestrator
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import releases as views

if TYPE_CHECKING:
    pass

Release = Annotated[str, Parameter(help="A release: its id, or <environment>/<service>/<number>.")]


async def releases(
    service: Annotated[str | None, Parameter(help="Only of this service.")] = None,
    /,
    *,
    team: Annotated[str | None, Parameter(help="Only of services of this team.")] = None,
    author: Annotated[str | None, Parameter(help="Only those that this one wanted.")] = None,
    open_only: Annotated[
        bool,
        Parameter(name=("--open",), show_default=False, help="Only those that have not ended."),
    ] = False,
    lines: Annotated[
        int, Parameter(name=("--lines", "-n"), least=1, help="How many at most.")
    ] = 20,
    env: OneEnvironment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """List releases, newest first."""
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    async with orchestrator(shared, ReleasesApi) as api:
        found = await first(
            lines,
            lambda cursor, most: api.history(
                context(),
                service=service,
                environment=env,
                team=team,
                author=author,
                open_only=open_only,
                cursor=cursor,
                limit=most,
            ),
        )
    out.document(found)
    if found:
        out.lines(views.releases(found, now=datetime.now(UTC), paint=out.paint, width=out.width))
    else:
        out.line("no releases")


async def show(release: Release, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Tell all that is recorded of a release: who, why, what policies said, its steps, and the evidence of its rollout."""
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    async with orchestrator(shared, ReleasesApi) as api:
        view = await api.show(context(), release=release)
    out.document(view)
    out.lines(views.release(view, paint=out.paint))


async def diff(release: Release, other: Release, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Tell in what the second release differs from the first: code, configuration, resources, instances, traffic."""
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    async with orchestrator(shared, ReleasesApi) as api:
        found = await api.diff(context(), release=release, other=other)
    out.document(found)
    if found:
        out.lines(views.differences(found, paint=out.paint))
    else:
        out.line("no difference")


async def approve(
    release: Release, /, *, message: Message = "", shared: Anywhere = NOWHERE_SAID
) -> None:
    """Agree to a release that waits for it. Its author cannot, nor who made its author's token."""
    await _say(release, message, shared, agrees=True)


async def reject(
    release: Release, /, *, message: Message = "", shared: Anywhere = NOWHERE_SAID
) -> None:
    """Reject a release that waits for somebody's word."""
    await _say(release, message, shared, agrees=False)


async def _say(release: str, message: str, shared: Anywhere, *, agrees: bool) -> None:
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    async with orchestrator(shared, ReleasesApi) as api:
        found = await api.approve(context(), release=release, agrees=agrees, message=message)
    out.document(found)
    out.lines(views.releases([found], now=datetime.now(UTC), paint=out.paint, width=out.width))
