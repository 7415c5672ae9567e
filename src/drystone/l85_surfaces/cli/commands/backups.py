"""``drystone backup``, ``backups`` and ``restore``: copies of what services keep, and the way back to one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from drystone.l00_kernel.durations import duration
from drystone.l25_deployer.backups.keys import KeyRing
from drystone.l85_surfaces.cli.confirming import require_confirmed
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.following import follow
from drystone.l85_surfaces.cli.operating import keeper
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
from drystone.l85_surfaces.cli.reach import context, copies
from drystone.l85_surfaces.cli.sinces import since_of
from drystone.l85_surfaces.cli.terminal import Terminal, remark
from drystone.l85_surfaces.cli.views import backups as views

Resource = Annotated[str | None, Parameter(help="One resource of it.", show_default=False)]


async def backup(
    service: Annotated[str | None, Parameter(help="Name of a service.", show_default=False)] = None,
    resource: Resource = None,
    /,
    *,
    platform: Annotated[
        bool,
        Parameter(
            name=("--platform",),
            show_default=False,
            help="Back up the whole platform: all that is needed to recover from nothing.",
        ),
    ] = False,
    to: Annotated[
        str | None,
        Parameter(
            name=("--to",),
            metavar="DIR",
            show_default=False,
            help="Folder for a backup of the platform. [default: backups/platform in the home]",
        ),
    ] = None,
    every: Annotated[
        str | None,
        Parameter(
            name=("--every",),
            metavar="TIME",
            show_default=False,
            help="With --platform: make one again and again by itself, such as every `1d`, in the place of an earlier plan.",
        ),
    ] = None,
    keep: Annotated[
        str | None,
        Parameter(
            name=("--keep",),
            metavar="TIME",
            show_default=False,
            help="With --every: how long one is kept; the latest stays. [default: 14d]",
        ),
    ] = None,
    off: Annotated[
        bool,
        Parameter(
            name=("--off",),
            show_default=False,
            help="With --platform: make no more by itself; those that there are stay.",
        ),
    ] = False,
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Make a backup of what a service keeps, or of the whole platform, now.

    Nobody waits for it. It is whole or not there. Where one of a service lies and what it holds, `drystone backups` tells. With --json, one object per step.
    A platform elsewhere is the one in DRYSTONE_PLATFORM.
    """
    if (service is None) != platform:
        raise Misuse("name a service, or say --platform for all of it; not both")
    if to is not None and not platform:
        raise Misuse("--to goes with --platform; the setting backups.folder moves all others")
    if (every or keep or off) and (not platform or bool(every) == off or (keep and not every)):
        raise Misuse("--platform goes with --every, with --every and --keep, or with --off")
    out = Terminal(json=shared.json)
    if every is not None or off:
        await _plan(every, keep or "14d", to, shared, out)
        return
    if service is None:
        folder = None if to is None else _absolute(to)
        async with copies(shared.folder) as api:
            await follow(api.take_whole(context(), folder=folder), out, abort=_leave)
        _remind_of_key(shared)
        return
    where = Anywhere(shared.home, shared.json)  # --platform says something else here
    environment = environment_at(env, where)
    async with keeper(where) as allowed:
        stream = allowed.take(
            context(), environment=environment, service=service, resource=resource
        )
        await follow(stream, out, abort=_leave)


async def _plan(
    every: str | None, keep: str, to: str | None, shared: Shared, out: Terminal
) -> None:
    """Plan backups of the platform, or none.

    Raises:
        Misuse: A time is none.
    """
    async with copies(shared.folder) as api:
        if every is None:
            await api.end_whole_plan(context())
        else:
            seconds = [_seconds(one) for one in (every, keep)]
            folder = None if to is None else _absolute(to)
            await api.plan_whole(context(), every=seconds[0], keep=seconds[1], folder=folder)
        planned = await api.planned_whole(context())
    out.document(planned)
    out.lines(views.planned(planned))
    if every is not None:
        _remind_of_key(shared)


def _seconds(text: str) -> float:
    try:
        return duration(text).total_seconds()
    except (ValueError, OverflowError) as e:
        raise Misuse(f"{text[:40]!r} is no time: write such as 6h or 14d") from e


def _remind_of_key(shared: Shared) -> None:
    if not KeyRing(shared.folder).is_kept():
        remark(
            "nobody has seen the key that opens it on another machine: `drystone backup-key` shows it; keep it elsewhere"
        )


async def backups(
    service: Service, /, *, env: Environment = None, shared: Anywhere = NOWHERE_SAID
) -> None:
    """List the backups of a service, and which of them were proven by restoring them.

    Also those of data that is gone. With --json, one document.
    """
    out = Terminal(json=shared.json)
    environment = environment_at(env, shared)
    async with keeper(shared) as api:
        found = await api.backups(context(), environment=environment, service=service)
    out.document(found)
    out.lines(views.backups(found, datetime.now(UTC), paint=out.paint))


async def restore(
    service: Service,
    resource: Annotated[str, Parameter(help="The resource's name.")],
    /,
    *,
    from_: Annotated[
        str | None,
        Parameter(
            name=("--from",),
            metavar="BACKUP",
            show_default=False,
            help="Which backup. [default: the latest]",
        ),
    ] = None,
    at: Annotated[
        str | None,
        Parameter(
            name=("--at",),
            metavar="TIME",
            show_default=False,
            help="A moment in place of a backup, for databases with point_in_time: `30m` ago, or 2026-05-04T10:00:00, of UTC unless an offset follows, such as +02:00.",
        ),
    ] = None,
    test: Annotated[
        bool,
        Parameter(
            name=("--test",),
            show_default=False,
            help="Restore into a scratch place, compare, throw away, and keep the report.",
        ),
    ] = False,
    without_backup: Annotated[
        bool,
        Parameter(
            name=("--without-backup",),
            show_default=False,
            help="Make no backup of what is there now, for data that cannot be read any more.",
        ),
    ] = False,
    yes: Annotated[
        str | None,
        Parameter(
            name=("--yes",),
            show_default=False,
            help="The resource's name again, instead of typing it when asked.",
        ),
    ] = None,
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Put a backup in the place of what a resource holds, or try whether that works.

    What it holds now is backed up before. The service stands still for the last part of it. A damaged backup is found before anything changes. With --json, one object per step.
    """
    out = Terminal(json=shared.json)
    if at is not None and (test or from_ is not None):
        raise Misuse(
            "--at stands alone: a moment is no backup, and is compared whenever it is gone back to"
        )
    environment = environment_at(env, shared)
    async with keeper(shared) as api:
        if test:
            stream = api.prove(
                context(),
                environment=environment,
                service=service,
                resource=resource,
                backup=from_,
            )
        else:
            stream = api.restore(
                context(),
                environment=environment,
                service=service,
                resource=resource,
                backup=from_,
                at=since_of(at, datetime.now(UTC)),
                keeps_before=not without_backup,
                confirm=_confirmed(service, resource, environment, yes, out),
            )
        await follow(stream, out, abort=_leave)


def _confirmed(
    service: str, resource: str, environment: str, yes: str | None, out: Terminal
) -> str:
    """Let the person type the resource's name."""
    told = f"This replaces what '{resource}' of {service} in {environment} holds now; a backup of that is made before."
    return require_confirmed(
        resource, yes, otherwise=f"'{resource}' stays as it is", tell=lambda: out.line(told)
    )


def _absolute(folder: str) -> str:
    return str(Path(folder).absolute())


async def _leave() -> str:
    """Tell what comes of a stream that is left."""
    return "what was copied so far is removed; a restore goes on"
