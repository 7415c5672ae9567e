"""What was imported or exported, and what has no counterpart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drystone.l25_deployer.exchange.drafting import Imported
from drystone.l25_deployer.exchange.leaving import Exported
from drystone.l25_deployer.exchange.remarks import Remark
from drystone.l85_surfaces.cli.sources import count
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style

_STYLES = {"lost": Style.BAD, "guess": Style.WARN, "todo": Style.NAME}


def imported(found: Imported, written: Sequence[str], *, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell what became of a file."""
    names = ", ".join(one.service for one in found.drafts)
    yield f"{count(len(found.drafts), 'descriptor')}: {names}"
    for path in written:
        yield f"  {path}"
    yield from remarks(found.remarks, paint=paint)


def exported(found: Exported, written: Sequence[str], *, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell what was written, and what is left behind."""
    yield f"{count(len(found.files), 'file')}: {', '.join(written or found.files)}"
    yield from remarks(found.remarks, paint=paint)


def remarks(found: Sequence[Remark], *, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell each remark: its place, why it is as it is, and what to do."""
    for one in found:
        place = f"{one.file}:{one.line}" if one.line else one.file
        yield f"{paint(f'{one.kind:<5}', _STYLES[one.kind])}  {place}: {one.path}: {one.why}"
        if one.do != "nothing":
            yield paint(f"       → {one.do}", Style.QUIET)
    kinds = [sum(one.kind == kind for one in found) for kind in ("lost", "guess", "todo")]
    if found:
        yield f"{kinds[0]} without a counterpart, {count(kinds[1], 'guess').replace('guesss', 'guesses')}, {kinds[2]} to do"
