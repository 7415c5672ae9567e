"""``drystone audit``: who did what, and whether somebody changed that."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated

from drystone.l00_kernel.contract import first
from drystone.l85_surfaces.cli.errors import AuditBroken
from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere
from drystone.l85_surfaces.cli.orchestrated import orchestrator
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import audit as views

if TYPE_CHECKING:
    from drystone.l50_orchestrator.audit.api import AuditApi, Verdict

LARGEST_PAGE = 1000


def _audit(shared: Anywhere) -> AbstractAsyncContextManager[AuditApi]:
    from drystone.l50_orchestrator.audit.api import AuditApi  # noqa: PLC0415 - loads the contract

    return orchestrator(shared, AuditApi)


async def list_entries(
    subject: Annotated[
        str | None, Parameter(help="Only about this: prod/orders, team/commerce.")
    ] = None,
    /,
    *,
    actor: Annotated[str | None, Parameter(help="Only of this one, or of tokens it made.")] = None,
    action: Annotated[
        str | None, Parameter(help="Only this action, or all below it: `release.`.")
    ] = None,
    lines: Annotated[
        int, Parameter(name=("--lines", "-n"), least=1, help="How many at most.")
    ] = 20,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """List what was done, the latest first."""
    out = Terminal(json=shared.json)
    async with _audit(shared) as api:
        found = await first(
            lines,
            lambda cursor, most: api.entries(
                context(), actor=actor, subject=subject, action=action, cursor=cursor, most=most
            ),
            largest=LARGEST_PAGE,
        )
    out.document(found)
    out.lines(views.entries(found, paint=out.paint, width=out.width))


async def verify(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """Read the whole log, and name the first entry that was changed, removed or inserted.

    Exit code 1 when there is one.
    """
    async with _audit(shared) as api:
        _judge(shared, await api.verify(context()))


async def accept_restored(
    *,
    reason: Annotated[str, Parameter(help="Why the database is an older copy.")],
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Accept that the database was restored and what came after is lost; the log says so from now on."""
    async with _audit(shared) as api:
        _judge(shared, await api.accept_restored(context(), reason=reason))


def _judge(shared: Anywhere, verdict: Verdict) -> None:
    out = Terminal(json=shared.json)
    out.document(verdict)
    if verdict.problem is not None:
        raise AuditBroken(verdict.problem.text, fault=verdict.problem.fault)
    anchored = f", of which {verdict.anchored} are confirmed outside of the database"
    out.line(f"whole: {verdict.entries} entries{anchored if verdict.anchored else ''}")
    if not verdict.is_sealed:
        out.line(
            "not sealed: the platform's own role in PostgreSQL owns the log and could change it, since no superuser was there to take"
            " it away; keep copies of the heads elsewhere"
        )
