"""``drystone deps schedule``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from drystone.l85_surfaces.cli.dependencies.options import Seed, TimeLimit, time_of
from drystone.l85_surfaces.cli.dependencies.searching import Ends, Watch, stopped_by_interrupt
from drystone.l85_surfaces.cli.errors import FileUnreadable
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal, remark

if TYPE_CHECKING:
    from drystone.l05_graph.project import Project

MOST_BYTES = 64 * 1024 * 1024
LATE_S = 1e9
"""So much later it seems to be after Ctrl-C."""


def schedule(
    file: Annotated[str, Parameter(help="A project in the .sm form; - reads standard input.")],
    /,
    *,
    time_limit: TimeLimit = "10s",
    seed: Seed = 0,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Find a short schedule of a project.

    Activities wait for each other and share resources. Reads the single-mode form of the project scheduling library. Ends with the best schedule so far, and tells how much shorter it
    could be at most.
    """
    ends = Ends(time_of(time_limit))
    out = Terminal(json=shared.json)
    from drystone.l85_surfaces.cli.views.deps import schedule as views  # noqa: PLC0415 - its time counts

    with stopped_by_interrupt() as stop, Watch(out) as watch:
        project = _project(file)
        from drystone.l05_graph.schedule import schedule as search  # noqa: PLC0415 - loads numpy

        def clock() -> float:
            return ends.elapsed.total_seconds() + (LATE_S if stop.is_set() else 0.0)

        found = search(
            project,
            ends.left,
            seed,
            on_progress=lambda one: watch.say(views.progress(one)),
            clock=clock,
        )
    if stop.is_set():
        remark("stopped: this is the best schedule so far")
    out.document(views.document(found, ends.elapsed))
    out.lines(views.schedule(file, project, found, ends.elapsed, paint=out.paint))


def _project(file: str) -> Project:
    from drystone.l05_graph.forms.sm import read_sm  # noqa: PLC0415
    from drystone.l85_surfaces.cli.dependencies.reading import documents  # noqa: PLC0415

    (written,) = documents(file).values()
    if len(written) > MOST_BYTES:
        raise FileUnreadable(f"{file} has more than {MOST_BYTES:,} bytes", file=file)
    try:
        return read_sm(written.decode("utf-8"), file)
    except UnicodeDecodeError as e:
        raise FileUnreadable(f"{file} is not UTF-8: is it a text file?", file=file) from e
