"""Templates, what was made from one, and what an update of one did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from drystone.l85_surfaces.cli.sources import count
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.templates.project import Update
from drystone.l85_surfaces.templates.template import Template

_STYLES = {"conflict": Style.BAD, "kept": Style.WARN, "merged": Style.GOOD}
_SAID = {
    "kept": "you changed or removed it; the template's own is not taken",
    "conflict": "both changed the same lines; decide at '<<<<<<<'",
}


def kinds(every: Sequence[Template], *, paint: Paint = PLAIN) -> Iterator[str]:
    """List templates and what they ask."""
    wide = max(len(one.kind) for one in every)
    for one in every:
        yield f"{paint(f'{one.kind:<{wide}}', Style.NAME)}  {one.manifest.title}"
        for key, question in one.questions.items():
            default = f" [{question.default}]" if question.default else ""
            yield paint(f"{'':<{wide}}    {key}: {question.ask}{default}", Style.QUIET)


def kinds_document(every: Sequence[Template]) -> list[dict[str, Any]]:
    """Return what a machine is told of templates."""
    return [
        {
            "template": one.kind,
            "version": one.version,
            "title": one.manifest.title,
            "questions": one.questions,
        }
        for one in every
    ]


def made(name: str, folder: Path, files: Sequence[str], *, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell what was made and what to type next."""
    yield f"{paint(name, Style.NAME)} is in {folder}: {count(len(files), 'file')}"
    yield f"  next   drystone deploy {folder / 'service.yaml'}"


def updated(found: Update, *, is_trial: bool, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell what an update did to each file."""
    if not found.changes:
        yield f"nothing to do: {found.template} is at version {found.after}"
        return
    would = "would come" if is_trial else "came"
    yield f"{found.template} {would} from version {found.before} to {found.after}"
    for one in found.changes:
        said = f": {_SAID[one.what]}" if one.what in _SAID else ""
        yield f"  {paint(f'{one.what:<8}', _STYLES.get(one.what))}  {one.path}{said}"
