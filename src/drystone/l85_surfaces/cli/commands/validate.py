"""``drystone validate``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from drystone.l25_deployer.api import DependencyFinding
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

    Shows the line, the column and what to write instead. Then what the descriptors do to dependencies, as if all of them
    were deployed: circles, dependencies upwards, promises that cannot be kept. Exits with 1 if there is any mistake, or
    anything that would refuse a deploy.
    """
    out = Terminal(json=shared.json)
    readings = [load(file) for file in dict.fromkeys(files)]
    problems = [one for reading in readings for one in reading.problems]
    for reading in readings:
        for problem in reading.problems:
            out.line(_coloured(render(problem, reading.text), out.paint))
            out.line()
    found: Sequence[DependencyFinding] = ()
    if any(one.descriptor is not None and one.descriptor.dependencies for one in readings):
        # What it needs takes a tenth of a second to load.
        from drystone.l85_surfaces.cli.dependencies import among_files  # noqa: PLC0415

        found = among_files.findings(readings, shared)
        for text in among_files.told(found, readings):
            out.line(_coloured(text, out.paint))
            out.line()
    out.document({"files": list(files), "problems": problems, "findings": found})
    mistaken = sum(bool(one.problems) for one in readings)
    out.line("; ".join(_summary(problems, mistaken, len(readings), found)))
    return 1 if problems or any(one.refuses for one in found) else 0


def _summary(
    problems: Sequence[Problem], mistaken: int, size: int, found: Sequence[DependencyFinding]
) -> Iterator[str]:
    if not problems:
        yield f"{count(size, 'descriptor')}, no mistakes"
    elif size == 1:
        yield count(len(problems), "mistake")
    else:
        yield f"{count(len(problems), 'mistake')} in {mistaken} of {count(size, 'descriptor')}"
    refusing = sum(one.refuses for one in found)
    if refusing:
        yield f"{refusing} would be refused"
    if len(found) > refusing:
        yield f"{len(found) - refusing} worth knowing"


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
