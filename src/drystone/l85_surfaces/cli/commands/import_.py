"""``drystone import``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from drystone.l25_deployer.exchange.drafting import MOST_BYTES, Files
from drystone.l25_deployer.exchange.formats import FORMATS
from drystone.l85_surfaces.cli.dependencies.reading import read_bytes
from drystone.l85_surfaces.cli.dependencies.writing import written_once
from drystone.l85_surfaces.cli.errors import FileThere
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.sources import STANDARD_INPUT
from drystone.l85_surfaces.cli.terminal import Terminal, remark
from drystone.l85_surfaces.cli.views import exchange as views

_MOST_BESIDE = 256 * 1024
"""Bytes of a file beside the source, such as a file of variables."""


def import_(
    file: Annotated[str, Parameter(help="The file; - reads standard input.")],
    /,
    *,
    form: Annotated[
        Literal["compose", "score", "micros"],
        Parameter(name=("--format", "-f"), show_default=False, help="What the file is."),
    ],
    owner: Annotated[
        str, Parameter(metavar="TEAM", help="Who looks after the services.")
    ] = "unowned",
    output: Annotated[
        str | None,
        Parameter(
            name=("--output", "-o"),
            metavar="DIR",
            help="Where descriptors go, as SERVICE.service.yaml; put them beside the file. [default: standard output]",
        ),
    ] = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Make descriptors of a file of another platform.

    Tells with its line what has no counterpart, what was guessed, and what is left to do. Nothing outside of the file's folder is
    read, and no file is overwritten.
    """
    out = Terminal(json=shared.json)
    name = file
    if file == STANDARD_INPUT:
        content = sys.stdin.buffer.read(MOST_BYTES + 1)
        beside = Path.cwd()
    else:
        content = read_bytes(file, MOST_BYTES)
        beside, name = Path(file).resolve().parent, Path(file).name
    found = FORMATS[form](content, file=name, owner=owner, files=_inside(beside))
    written: list[str] = []
    if output is not None:
        paths = [str(Path(output, f"{one.service}.service.yaml")) for one in found.drafts]
        there = [path for path in paths if os.path.lexists(path)]
        if there:
            raise FileThere(f"{there[0]} is there already; nothing was written", file=there[0])
        Path(output).mkdir(parents=True, exist_ok=True)
        for path, one in zip(paths, found.drafts, strict=True):
            written_once(path, one.text.encode())
            written.append(path)
    out.document({"drafts": found.drafts, "remarks": found.remarks, "written": written})
    if output is not None:
        out.lines(views.imported(found, written, paint=out.paint))
        return
    for line in views.imported(found, written):
        remark(line)
    out.text("---\n".join(one.text for one in found.drafts))


def _inside(folder: Path) -> Files:
    """Give files of one folder, and of none that a link leads to."""
    root = folder.resolve()

    def content(path: str) -> bytes | None:
        place = (root / path).resolve()
        if not place.is_relative_to(root) or not place.is_file():
            return None
        try:
            with place.open("rb") as opened:
                found = opened.read(_MOST_BESIDE + 1)
        except OSError:
            return None
        return found if len(found) <= _MOST_BESIDE else None

    return content
