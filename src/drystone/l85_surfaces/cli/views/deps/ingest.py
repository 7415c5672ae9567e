"""What was read from declarations and traffic, what was guessed, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drystone.l05_graph.ingest.source import Skip, Source
from drystone.l05_graph.words import Strength
from drystone.l85_surfaces.cli.dependencies.ingesting import (
    Drafted,
    Evident,
    Imported,
    is_observed,
)
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.text import (
    bounded,
    count,
    labelled,
    more,
    size_of,
    wrapped,
)

MOST_NOTES = 10


def sources(every: Mapping[str, Source], *, paint: Paint = PLAIN) -> Iterator[str]:
    """List the sources: what declares, then what is observed."""
    wide = max(map(len, every))
    for title, observed in (
        ("declarations, which give a draft of a survey", False),
        ("observations, which give evidence", True),
    ):
        yield paint(title, Style.NAME)
        for name, source in every.items():
            if is_observed(source) is observed:
                head = f"  {name:<{wide}}  "
                text = f"{source.title} ({', '.join(source.files)})"
                yield from wrapped(text, head, " " * len(head))
        if not observed:
            yield ""


def sources_document(every: Mapping[str, Source]) -> list[Mapping[str, Any]]:
    """Return what a machine is told of the sources."""
    return [
        {
            "name": name,
            "title": source.title,
            "files": source.files,
            "format": source.format,
            "gives": "evidence" if is_observed(source) else "survey",
        }
        for name, source in every.items()
    ]


def declared(found: Drafted, output: str | None, *, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell what a draft holds and what somebody has to look at."""
    model = found.model
    size = size_of(len(model.components), len(model.dependencies))
    where = f" in {output}" if output else ""
    yield f"{paint(found.source, Style.NAME)}: {size}{where}"
    unknown = sum(one.strength is Strength.UNKNOWN for one in model.dependencies)
    if unknown:
        what = count(unknown, "dependency is", "dependencies are")
        yield from labelled("next", f"say how strong {what}: hard or soft", paint=paint)
    yield from _notes(found.notes, found.skips, paint)


def _notes(notes: Sequence[str], skips: Sequence[Skip], paint: Paint) -> Iterator[str]:
    for label, lines in (("guess", notes), ("left", [skip.sentence() for skip in skips])):
        some, left_out = bounded(lines, show_all=False, most=MOST_NOTES)
        for line in some:
            yield from labelled(label, line, paint=paint)
        if left_out:
            yield paint(f"  {more(left_out).replace('--all', '--json')}", Style.QUIET)


def declared_document(found: Drafted, output: str | None) -> Mapping[str, Any]:
    """Return what a machine is told of a draft."""
    return {
        "source": found.source,
        "output": output,
        "survey": found.text,
        "components": len(found.model.components),
        "dependencies": len(found.model.dependencies),
        "notes": found.notes,
        "skips": found.skips,
    }


def observed(found: Evident, *, of_platform: bool, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell what each file gave, and what to do with it.

    Args:
        found: What was read.
        of_platform: Whether it went to the evidence of the platform of the home.
        paint: Colours.
    """
    for one in found.files:
        yield from _imported(one, paint)
    if found.file is not None:
        pairs = count(len(found.evidence.pairs), "pair of components", "pairs of components")
        yield f"{found.file} holds {pairs} from {count(len(found.evidence.batches), 'import')}"
        check = "drystone deps lint"
        if not of_platform:
            check += f" SURVEY --evidence {found.file}"
        yield from labelled("next", check, paint=paint)


def _imported(one: Imported, paint: Paint) -> Iterator[str]:
    name = paint(one.file, Style.NAME)
    if one.is_known:
        yield f"{name}: imported before; left out"
        return
    calls = sum(pair.calls for pair in one.batch.observations)
    errors = sum(pair.errors for pair in one.batch.observations)
    failed = f", {errors:,} failed" if errors else ""
    pairs = count(len(one.batch.observations), "pair of components", "pairs of components")
    yield f"{name}: {count(calls, 'call')} between {pairs}{failed}"
    if one.overlaps:
        said = (
            f"its times overlap with {', '.join(one.overlaps[:3])}: the same calls may count twice"
        )
        yield from labelled("note", said, paint=paint)
    yield from _notes((), one.skips, paint)


def observed_document(found: Evident) -> Mapping[str, Any]:
    """Return what a machine is told of observations."""
    return {
        "evidence": found.file,
        "files": [
            {
                "file": one.file,
                "imported_before": one.is_known,
                "pairs": len(one.batch.observations),
                "calls": sum(pair.calls for pair in one.batch.observations),
                "errors": sum(pair.errors for pair in one.batch.observations),
                "overlaps": one.overlaps,
                "skips": one.skips,
            }
            for one in found.files
        ],
        "pairs": [
            {
                "caller": pair.caller,
                "callee": pair.callee,
                "calls": pair.calls,
                "errors": pair.errors,
                "first": pair.first,
                "last": pair.last,
                "confidence": pair.confidence,
            }
            for pair in found.evidence.pairs.values()
        ],
    }
