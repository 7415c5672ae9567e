"""``drystone apply``: everything that the orchestrator is told, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere
from drystone.l85_surfaces.cli.orchestrated import orchestrator
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import configuration as views

if TYPE_CHECKING:
    from drystone.l50_orchestrator.configuration.api import StepView


async def apply(
    folder: Annotated[str, Parameter(help="Folder with the files.")],
    /,
    *,
    dry_run: Annotated[
        bool, Parameter(show_default=False, help="Tell what would be done, and do nothing.")
    ] = False,
    prune: Annotated[
        bool,
        Parameter(
            show_default=False,
            help="Remove what the files do not have, of the kinds that they mention.",
        ),
    ] = False,
    confirm: Annotated[
        str, Parameter(metavar="WORDS", help="What --prune said to type, where something goes.")
    ] = "",
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Bring teams, roles, environments, services, policies and freezes to what the files of a folder say.

    What stands in no file is left alone unless --prune is given. Applied twice, there is nothing to do the second time. One that
    fails half-way says what is left; give it again.
    """
    from drystone.l50_orchestrator.configuration.api import ConfigurationApi  # noqa: PLC0415 - loads the contract
    from drystone.l50_orchestrator.configuration.folder import collect  # noqa: PLC0415 - the same

    out = Terminal(json=shared.json)
    files = collect(Path(folder))
    async with orchestrator(shared, ConfigurationApi) as api:
        if dry_run:
            plan = await api.plan(context(), files=files, prune=prune)
            out.document(plan)
            out.lines(views.steps(plan.steps, paint=out.paint))
            if plan.words:
                out.line(f"something would be removed: add --confirm '{plan.words}'")
            return
        done: list[StepView] = []
        async for one in api.apply(context(), files=files, prune=prune, confirm=confirm):
            out.record(one)
            if one.state == "waiting":
                out.line("another apply has to end first")
            elif one.step is not None:
                done.append(one.step)
                out.lines(views.steps([one.step], paint=out.paint))
    out.line(f"{len(done)} done" if done else "nothing to do")
