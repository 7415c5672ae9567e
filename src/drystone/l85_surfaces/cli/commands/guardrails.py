"""``drystone policies``, ``exceptions`` and ``freezes``: what may be deployed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from drystone.l00_kernel.contract import every
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere
from drystone.l85_surfaces.cli.orchestrated import orchestrator
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import guardrails as views

if TYPE_CHECKING:
    from drystone.l50_orchestrator.guardrails.api import ExceptionView, GuardrailsApi

Name = Annotated[str, Parameter(help="Its name.")]
Reason = Annotated[str, Parameter(name=("--reason", "-r"), help="Why.")]


def _guardrails(shared: Anywhere) -> AbstractAsyncContextManager[GuardrailsApi]:
    from drystone.l50_orchestrator.guardrails.api import GuardrailsApi  # noqa: PLC0415 - loads the contract

    return orchestrator(shared, GuardrailsApi)


async def policies(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """List policies: what each is for, where it holds, and whether it refuses."""
    out = Terminal(json=shared.json)
    async with _guardrails(shared) as api:
        pages = every(lambda cursor: api.policies(context(), cursor=cursor))
        found = [one async for one in pages]
    out.document(found)
    out.lines(views.policies(found, paint=out.paint, width=out.width))


async def show_policy(name: Name, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Tell what a policy says, its Rego with it."""
    out = Terminal(json=shared.json)
    async with _guardrails(shared) as api:
        view = await api.policy(context(), name=name)
    out.document(view)
    out.lines(views.policy(view, paint=out.paint))


async def set_mode(
    name: Name,
    mode: Annotated[Literal["refuse", "warn", "off"], Parameter(help="What it shall do.")],
    /,
    *,
    reason: Reason,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Let a policy refuse as it says, warn only, or not be asked at all."""
    out = Terminal(json=shared.json)
    async with _guardrails(shared) as api:
        view = await api.set_mode(context(), name=name, mode=mode, reason=reason)
    out.document(view)
    out.lines(views.policies([view], paint=out.paint))


async def exceptions(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """List exceptions with the days that they have left."""
    out = Terminal(json=shared.json)
    async with _guardrails(shared) as api:
        found = await _all_exceptions(api)
    out.document(found)
    out.lines(views.exceptions(found, paint=out.paint, width=out.width))


async def _all_exceptions(api: GuardrailsApi) -> list[ExceptionView]:
    pages = every(lambda cursor: api.exceptions(context(), cursor=cursor))
    return [one async for one in pages]


async def ask_exception(
    name: Name,
    /,
    *,
    policy: Annotated[
        str, Parameter(name=("--policy", "-p"), help="From which policy, or freeze/<name>.")
    ],
    service: Annotated[str, Parameter(name=("--service", "-s"), help="Which service.")],
    env: Annotated[str, Parameter(name=("--env", "-e"), help="In which environment.")],
    reason: Reason,
    owner: Annotated[
        str,
        Parameter(name=("--owner", "-o"), help="Who sees to it that it is not needed any more."),
    ],
    days: Annotated[int, Parameter(least=1, help="How long, 90 at most.")] = 14,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Ask that a service may do what a policy forbids, for a time. It counts when somebody else allows it."""
    from drystone.l50_orchestrator.guardrails.api import ExceptionSaid  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    until = datetime.now(UTC).date() + timedelta(days=days)
    said = ExceptionSaid(policy, service, reason, owner, until, env)
    async with _guardrails(shared) as api:
        view = await api.ask_exception(context(), name=name, said=said)
    out.document(view)
    out.lines(views.exceptions([view], paint=out.paint))


async def allow_exception(name: Name, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Allow an exception that somebody else asked for, as it is now."""
    out = Terminal(json=shared.json)
    async with _guardrails(shared) as api:
        asked = next((one for one in await _all_exceptions(api) if one.name == name), None)
        if asked is None:
            raise Misuse(f"nobody asked for an exception {name!r}; see `drystone exceptions list`")
        view = await api.allow_exception(context(), name=name, said=asked.said)
    out.document(view)
    out.lines(views.exceptions([view], paint=out.paint))


async def end_exception(name: Name, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """End an exception before its last day."""
    async with _guardrails(shared) as api:
        await api.end_exception(context(), name=name)
    _done(shared, f"the exception {name} has ended")


async def freezes(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """List times in which nothing changes."""
    out = Terminal(json=shared.json)
    async with _guardrails(shared) as api:
        found = await api.freezes(context())
    out.document(found)
    out.lines(views.freezes(found, paint=out.paint, width=out.width))


async def freeze(
    name: Name,
    /,
    *,
    start: Annotated[
        str,
        Parameter(name=("--from",), metavar="TIME", help="2026-12-20T18:00, by the zone's clock."),
    ],
    end: Annotated[str, Parameter(name=("--to",), metavar="TIME", help="Likewise.")],
    reason: Reason,
    zone: Annotated[str, Parameter(help="Time zone, such as Europe/Berlin.")] = "UTC",
    env: Annotated[
        list[str] | None,
        Parameter(name=("--env", "-e"), help="Only there; may be given again."),
    ] = None,
    team: Annotated[
        list[str] | None, Parameter(help="Only services of this team; may be given again.")
    ] = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Let nothing change for a time; ways back stay open."""
    from drystone.l50_orchestrator.guardrails.api import FreezeSaid  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    said = FreezeSaid(
        start, end, reason, zone, environments=tuple(env or ()), teams=tuple(team or ())
    )
    async with _guardrails(shared) as api:
        view = await api.freeze(context(), name=name, said=said)
    out.document(view)
    out.lines(views.freezes([view], paint=out.paint))


async def lift(name: Name, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Lift a freeze."""
    async with _guardrails(shared) as api:
        await api.lift(context(), name=name)
    _done(shared, f"the freeze {name} is lifted")


def _done(shared: Anywhere, text: str) -> None:
    out = Terminal(json=shared.json)
    out.document({"done": text})
    out.line(text)
