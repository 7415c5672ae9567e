"""What ``drystone validate`` finds about dependencies among the descriptors that it is given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from drystone.l25_deployer.dependencies.files import check_files
from drystone.l25_deployer.dependencies.verdict import told as sentence_of
from drystone.l25_deployer.descriptor import Problem, Reading, render
from drystone.l85_surfaces.cli.dependencies.reading import own_descriptors
from drystone.l85_surfaces.cli.reach import environment_of
from drystone.l85_surfaces.cli.terminal import remark

if TYPE_CHECKING:
    from drystone.l25_deployer.api import DependencyFinding
    from drystone.l85_surfaces.cli.options import Shared

_WORD = re.compile(r"[^\s:,{}\[\]]+")


def findings(readings: Sequence[Reading], shared: Shared) -> list[DependencyFinding]:
    """Return what would be told, or refused, if all descriptors were deployed.

    Of several that describe the same service, the first is looked at.
    """
    first: dict[str, Reading] = {}
    for one in readings:
        if one.descriptor is not None:
            kept = first.setdefault(one.descriptor.service, one)
            if kept is not one:
                remark(
                    f"{one.positions.file} describes '{one.descriptor.service}', as {kept.positions.file} does,"
                    " whose dependencies are looked at"
                )
    return check_files(
        first.values(),
        own_descriptors().values(),
        environment_of(None, shared.folder),
        datetime.now(UTC).date(),
    )


def told(found: Sequence[DependencyFinding], readings: Sequence[Reading]) -> Iterator[str]:
    """Show findings like mistakes: the place, the line of the file, what to do."""
    texts = {one.positions.file: one.text for one in readings}
    for one in found:
        head = "" if one.refuses else "worth knowing: "
        message = head + sentence_of(msgspec.structs.replace(one, advice=""))
        text = texts.get(one.file or "", "")
        if one.file is None or one.line is None or one.column is None:
            yield f"{message}; {one.advice}" if one.advice else message
            continue
        end = one.column + _width(text, one.line, one.column)
        advice = one.advice if one.accepted is None else ""
        yield render(Problem(one.line, one.column, end, message, advice or None, one.file), text)


def _width(text: str, line: int, column: int) -> int:
    """Return how long the word is that stands at a place."""
    lines = text.splitlines()
    found = _WORD.match(lines[line - 1], column - 1) if line <= len(lines) else None
    return len(found[0]) if found else 1
