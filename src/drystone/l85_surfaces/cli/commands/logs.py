"""``drystone logs``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from drystone.l85_surfaces.cli.operating import deployed
from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere, Environment, Service
from drystone.l85_surfaces.cli.orchestrated import environment_at
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.sinces import since_of
from drystone.l85_surfaces.cli.terminal import LOG_COLOURS, Paint, Terminal

if TYPE_CHECKING:
    from drystone.l25_deployer.api import InstanceView, LogRecord


USUAL, ALL = 100, 1_000_000
"""Past lines of each instance, without and with a beginning."""


async def logs(
    service: Service,
    /,
    *,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), help="Go on until Ctrl-C.")] = False,
    lines: Annotated[
        int | None,
        Parameter(
            name=("--lines", "-n"),
            least=0,
            help="Past lines per instance; 100, or with --since all of them.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        Parameter(
            metavar="WHEN",
            help="None before: `30m` ago, or a time such as 2026-05-04T10:00, of UTC unless an offset follows.",
        ),
    ] = None,
    instance: Annotated[str | None, Parameter(help="Only this instance, by its id.")] = None,
    group: Annotated[str | None, Parameter(help="Only `web` or this worker.")] = None,
    release: Annotated[int | None, Parameter(help="Only this release, by its number.")] = None,
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Print what the instances of a service write.

    Each line begins with its instance's name when there are several; those that come later are followed, too. With --json, one object per line.
    """
    out = Terminal(json=shared.json)
    first = since_of(since, datetime.now(UTC))
    if lines is None:
        lines = USUAL if first is None else ALL
    environment = environment_at(env, shared)
    async with deployed(shared) as api:
        view = await api.show(context(), environment=environment, service=service)
        page = LogPage(_matching(view.instances, group, release, instance), out.paint)
        async for record in api.logs(
            context(),
            environment=environment,
            service=service,
            group=group,
            release=release,
            lines=lines,
            follow=follow,
            instance=instance,
            since=first,
        ):
            out.record(record)
            out.line(page.line(record))


def _matching(
    instances: list[InstanceView], group: str | None, release: int | None, id_: str | None
) -> list[str]:
    return [
        instance.id
        for instance in instances
        if group in (None, instance.group)
        and release in (None, instance.release)
        and id_ in (None, instance.id)
    ]


class LogPage:
    """Writes lines of one or many instances so that they can be told apart.

    Args:
        instances: Those known at the start; more may come while following.
        paint: How to colour.
    """

    def __init__(self, instances: list[str], paint: Paint) -> None:
        self._paint = paint
        self._colours: dict[str, int] = {}
        for instance in instances:
            self._know(instance)

    def line(self, record: LogRecord) -> str:
        """Return the line as the reader gets it."""
        self._know(record.instance)
        if len(self._colours) == 1:
            return record.text
        width = max(map(len, self._colours))
        prefix = f"{record.instance:<{width}} |"
        if self._paint.colour:
            prefix = f"\x1b[{self._colours[record.instance]}m{prefix}\x1b[0m"
        return f"{prefix} {record.text}"

    def _know(self, instance: str) -> None:
        self._colours.setdefault(instance, LOG_COLOURS[len(self._colours) % len(LOG_COLOURS)])
