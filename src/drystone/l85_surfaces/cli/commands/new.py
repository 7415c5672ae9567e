"""``drystone new`` and ``drystone template``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import templates as views
from drystone.l85_surfaces.templates import project
from drystone.l85_surfaces.templates.template import Template, kinds, template


def new(
    kind: Annotated[
        str | None,
        Parameter(
            help="What to make; --list shows all that there is. The path of a folder, with a slash in it, is a template of your own."
        ),
    ] = None,
    name: Annotated[str | None, Parameter(help="Name of the new service.")] = None,
    folder: Annotated[
        str | None, Parameter(help="Where it goes; empty, or not there yet. [default: NAME]")
    ] = None,
    /,
    *,
    answer: Annotated[
        list[str] | None,
        Parameter(
            name=("--answer", "-a"),
            metavar="QUESTION=TEXT",
            show_default=False,
            help="An answer to a question of the template; may be given again.",
        ),
    ] = None,
    listed: Annotated[
        bool,
        Parameter(
            name=("--list",), show_default=False, help="Show every template and what it asks."
        ),
    ] = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Make a new service from a template.

    It deploys as it is, has health, deep check, numbers, traces, logs as JSON and tests, and remembers its template: see
    template update. Nothing is written when anything is wrong.
    """
    out = Terminal(json=shared.json)
    if listed or kind is None:
        every = kinds()
        out.document(views.kinds_document(every))
        out.lines(views.kinds(every, paint=out.paint))
        return
    if name is None:
        raise Misuse("name the new service: drystone new KIND NAME")
    chosen = template(kind)
    where = Path(folder if folder is not None else name)
    files = project.make(chosen, name, where, _answers(answer, chosen))
    out.document(
        {"template": kind, "version": chosen.version, "folder": str(where), "files": files}
    )
    out.lines(views.made(name, where, files, paint=out.paint))


def update(
    folder: Annotated[str, Parameter(help="The project.")] = ".",
    /,
    *,
    source: Annotated[
        str | None,
        Parameter(
            name=("--template",),
            metavar="KIND",
            help="Where the template is now. [default: where it was]",
        ),
    ] = None,
    trial: Annotated[
        bool, Parameter(name=("--dry-run",), show_default=False, help="Tell, and change nothing.")
    ] = False,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Bring what a template has learned since into a project.

    It is a merge: what you changed stays. Lines that both changed stand in the file twice, between marks, and are listed; then
    the exit code is 1. Commit what you have before.
    """
    out = Terminal(json=shared.json)
    where = Path(folder)
    chosen = template(source or project.record_of(where).template)
    found = project.update(chosen, where, is_trial=trial)
    out.document(found)
    out.lines(views.updated(found, is_trial=trial, paint=out.paint))
    return 1 if any(one.conflicts for one in found.changes) else 0


def _answers(written: list[str] | None, of: Template) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in written or []:
        key, equals, text = one.partition("=")
        if not equals:
            asked = ", ".join(of.questions) or "nothing"
            raise Misuse(f"--answer {one!r} must be QUESTION=TEXT; this template asks for {asked}")
        if key in found:
            raise Misuse(f"--answer {key} is given twice")
        found[key] = text
    return found
