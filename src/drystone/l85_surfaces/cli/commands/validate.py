"""``drystone validate``."""

from __future__ import annotations

from typing import Annotated

from drystone.l25_deployer.descriptor import Problem, render
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.sources import count, load
from drystone.l85_surfaces.cli.terminal import Paint, Style, Terminal


def validate(
    *files: Annotated[str, Parameter(required=True, help="Descriptors; - reads standard input.")],
    shared: Shared = NOTHING_SAID,
) -> int:
    """Find every mistake in descriptors; needs no platform.

    Shows the line, the column and what to write instead. Exits with 1 if there is any mistake.
    """
    out = Terminal(json=shared.json)
    problems: list[Problem] = []
    mistaken = 0
    for file in files:
        reading = load(file)
        problems += reading.problems
        mistaken += bool(reading.problems)
        for problem in reading.problems:
            out.line(_coloured(render(problem, reading.text), out.paint))
            out.line()
    out.document({"files": list(files), "problems": problems})
    if not problems:
        out.line(f"{count(len(files), 'descriptor')}, no mistakes")
    elif len(files) == 1:
        out.line(f"{count(len(problems), 'mistake')}")
    else:
        out.line(
            f"{count(len(problems), 'mistake')} in {mistaken} of {count(len(files), 'descriptor')}"
        )
    return 1 if problems else 0


def _coloured(shown: str, paint: Paint) -> str:
    """Colour one shown mistake: where and what, the source line, the caret, the help."""
    first, *rest = shown.split("\n")
    lines = [paint(first, Style.NAME)]
    for line in rest:
        if line.lstrip().startswith("= help:"):
            lines.append(paint(line, Style.GOOD))
        elif set(line) <= set(" |^"):
            lines.append(paint(line, Style.BAD))
        else:
            lines.append(line)
    return "\n".join(lines)
