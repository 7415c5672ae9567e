"""``drystone logs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Service, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of, platform
from drystone.l85_surfaces.cli.terminal import LOG_COLOURS, Paint, Terminal

if TYPE_CHECKING:
    from drystone.l25_deployer.api import InstanceView, LogRecord


async def logs(
    service: Service,
    /,
    *,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), help="Go on until Ctrl-C.")] = False,
    lines: Annotated[
        int,
        Parameter(name=("--lines", "-n"), least=0, help="Past lines per instance."),
    ] = 100,
    group: Annotated[str | None, Parameter(help="Only `web` or this worker.")] = None,
    release: Annotated[int | None, Parameter(help="Only this release, by its number.")] = None,
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Print what the instances of a service write.

    Each line begins with its instance's name when there are several. With --json, one object per line.
    """
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with platform(shared.folder) as api:
        view = await api.show(context(), environment=environment, service=service)
        page = LogPage(_matching(view.instances, group, release), out.paint)
        async for record in api.logs(
            context(),
            environment=environment,
            service=service,
            group=group,
            release=release,
            lines=lines,
            follow=follow,
        ):
            out.record(record)
            out.line(page.line(record))


def _matching(instances: list[InstanceView], group: str | None, release: int | None) -> list[str]:
    return [
        instance.id
        for instance in instances
        if group in (None, instance.group) and release in (None, instance.release)
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
