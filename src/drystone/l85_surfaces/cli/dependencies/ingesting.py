"""Sources of dependencies: the registry of the library, and the platform's descriptors, which it does not know."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from drystone.l05_graph.evidence import Batch, Detail, Evidence, coarser, merged
from drystone.l05_graph.forms import endpoints as endpoints_form
from drystone.l05_graph.forms import evidence as evidence_form
from drystone.l05_graph.forms import survey_text
from drystone.l05_graph.ingest.endpoints import Endpoints
from drystone.l05_graph.ingest.source import (
    Declared,
    DeclaredSource,
    File,
    ObservedSource,
    Skip,
    Source,
    Stream,
    Unreadable,
)
from drystone.l05_graph.model import Model
from drystone.l85_surfaces.cli.dependencies.evidence_files import changed, evidence_of
from drystone.l85_surfaces.cli.dependencies.reading import read_bytes, unreadable
from drystone.l85_surfaces.cli.dependencies.watching import chunks
from drystone.l85_surfaces.cli.errors import FileUnreadable, Misuse
from drystone.l85_surfaces.cli.sources import STANDARD_INPUT

if TYPE_CHECKING:
    from drystone.l25_deployer.descriptor import Descriptor

MOST_FILES = 10_000
MOST_BYTES = 256 * 1024 * 1024
"""Of all declarations together; observations are read in pieces, however large they are."""
PARQUET = ".parquet"


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """A draft of a survey, and what was guessed or left out on the way to it."""

    source: str
    model: Model
    text: str
    notes: Sequence[str]
    skips: Sequence[Skip]


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What one file of observations gave.

    Attributes:
        file: Which.
        batch: What was read.
        is_known: Whether it was imported before, so that it was left out.
        overlaps: Files whose times it shares.
        skips: What was left out of it.
    """

    file: str
    batch: Batch
    is_known: bool
    overlaps: Sequence[str]
    skips: Sequence[Skip]


@dataclass(frozen=True, kw_only=True)
class Evident:
    """What files of observations gave.

    Attributes:
        file: Where the evidence is; None when it was not kept.
        evidence: All of it.
        files: What each file gave.
    """

    file: str | None
    evidence: Evidence
    files: Sequence[Imported]

    @property
    def text(self) -> str:
        """How it is written down."""
        return evidence_form.dump(self.evidence)


def sources() -> Mapping[str, Source]:
    """Return every source by its name."""
    from drystone.l05_graph.ingest.sources import SOURCES  # noqa: PLC0415 - loads every reader

    own = DeclaredSource(
        name="descriptors",
        title="descriptors of services of this platform",
        files=("service.yaml",),
        format="docs/reference/descriptor.md",
        read=_descriptors,
    )
    return dict(sorted({**SOURCES, own.name: own}.items()))


def source_of(name: str) -> Source:
    """Return a source by its name.

    Raises:
        Misuse: There is none.
    """
    every = sources()
    if found := every.get(name):
        return found
    near = difflib.get_close_matches(name, every, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "see drystone deps ingest --list"
    raise Misuse(f"there is no source '{name}'; {hint}")


def is_observed(source: Source) -> bool:
    """Tell whether a source gives observations."""
    return isinstance(source, ObservedSource)


def declared(source: Source, files: Sequence[str]) -> Drafted:
    """Draft a survey from declarations.

    Raises:
        FileUnreadable: A file cannot be read.
        Unreadable: It is not what it was said to be.
    """
    assert isinstance(source, DeclaredSource)  # noqa: S101 - asked before
    left, every = MOST_BYTES, []
    for name in _named(files, source):
        content = _content(name, left)
        left -= len(content)
        if left < 0:
            raise FileUnreadable(
                f"the files are larger than {MOST_BYTES:,} bytes together; import them in parts",
                file=name,
            )
        every.append(File(name, content))
    found = source.read(every)
    text = (
        f"# Drafted from {source.name}. Look through it: a strength that is unknown counts as hard.\n"
        f"{survey_text.dump(found.model)}"
    )
    return Drafted(
        source=source.name, model=found.model, text=text, notes=found.notes, skips=found.skips
    )


def observed(
    source: Source,
    files: Sequence[str],
    evidence: str | None,
    endpoints: str | None,
    *,
    fields: str | None = None,
    again: bool = False,
    keep: Detail = Detail.MINUTE,
) -> Evident:
    """Add observations to evidence.

    Args:
        source: What the files are.
        files: Which.
        evidence: Where the evidence is; kept nowhere when None.
        endpoints: Where the inventory of endpoints is, if there is one.
        fields: The fields of a line in their order, if they are not the usual ones.
        again: Whether what was imported before is replaced, such as after the inventory changed.
        keep: How much is kept of what is added, at most.

    Raises:
        Misuse: The files of the source have no fields that could be in another order.
        FileUnreadable: A file cannot be read or written.
        Unreadable: It is not what it was said to be.
        ModelInvalid: The evidence, or the inventory of endpoints, has mistakes.
    """
    assert isinstance(source, ObservedSource)  # noqa: S101 - asked before
    before = evidence_of(evidence) if evidence is not None else Evidence(())
    inventory = _inventory(endpoints)
    read = source.read
    if fields is not None:
        if source.with_fields is None:
            raise Misuse(f"--fields is not for {source.name}, whose lines have one form")
        read = source.with_fields(fields)
    results, batches = [], []
    for name in _named(files, source):
        if source.read_rows is not None and name.lower().endswith(PARQUET):
            found = source.read_rows(_rows(name), name, inventory)
        else:
            with _stream(name) as stream:
                found = read(stream, inventory)
        before = before.without(found.batch) if again else before
        is_known = before.has(found.batch)
        overlaps = [] if is_known else [one.file for one in before.overlapping(found.batch)]
        results.append(
            Imported(
                file=name,
                batch=found.batch,
                is_known=is_known,
                overlaps=overlaps,
                skips=found.skips,
            )
        )
        if found.batch.observations:  # a file that told nothing may be read in another way later
            batches.append(coarser(found.batch, keep))
            before = merged(before, batches[-1])

    def add(now: Evidence) -> Evidence:
        """Add to what is there by now: others import as well."""
        for one in batches if again else ():
            now = now.without(one)
        return merged(now, *batches)

    after = add(Evidence(())) if evidence is None else changed(evidence, add)
    return Evident(file=evidence, evidence=after, files=results)


def of_edge(log: Path, model: Model, evidence: str) -> Evident:
    """Add what the log of a platform's own edge shows; earlier states of the same log go.

    Raises:
        FileUnreadable: The evidence cannot be read or written.
        ModelInvalid: It has mistakes.
    """
    from drystone.l25_deployer.edge_log import EdgeLog  # noqa: PLC0415 - for this alone

    batches = EdgeLog(log).batches(model)
    before = evidence_of(evidence)
    after = changed(evidence, lambda now: now.replaced_by(*batches))
    files = [
        Imported(
            file=one.file,
            batch=one,
            is_known=before.has(one),
            overlaps=(),
            skips=(Skip("a line that told of no call", one.skipped),) if one.skipped else (),
        )
        for one in batches
    ]
    return Evident(file=evidence, evidence=after, files=files)


def kept_coarser(evidence: str, keep: Detail, *, before: datetime) -> Evident:
    """Keep less of what was imported: of what ended before a moment.

    Raises:
        FileUnreadable: The evidence cannot be read or written.
        ModelInvalid: It has mistakes.
    """

    def less(now: Evidence) -> Evidence:
        return Evidence(
            tuple(
                coarser(one, keep) if one.last is None or one.last < before else one
                for one in now.batches
            )
        )

    evidence_of(evidence, must_be=True)
    return Evident(file=evidence, evidence=changed(evidence, less), files=())


def _inventory(file: str | None) -> Endpoints:
    if file is None:
        return Endpoints(())
    return endpoints_form.read(read_bytes(file, MOST_BYTES), file=file)


def _named(files: Sequence[str], source: Source) -> Iterator[str]:
    """Name the files, and those of folders that are called like files of the source."""
    for name in files:
        if name == STANDARD_INPUT or not Path(name).is_dir():
            yield name
            continue
        found = sorted(
            {one for pattern in source.files for one in Path(name).rglob(pattern) if one.is_file()}
        )
        if not found or len(found) > MOST_FILES:
            what = "no file" if not found else f"more than {MOST_FILES:,} files"
            raise FileUnreadable(
                f"the folder {name} holds {what} that {source.name} reads: {', '.join(source.files)}",
                file=name,
            )
        yield from map(str, found)


def _content(name: str, most: int) -> bytes:
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read(most + 1)
    return read_bytes(name, most)


@contextmanager
def _stream(name: str) -> Iterator[Stream]:
    if name == STANDARD_INPUT:
        yield Stream(name=name, chunks=chunks(sys.stdin.buffer, "standard input", None))
        return
    try:
        with Path(name).open("rb") as opened:
            written = datetime.fromtimestamp(os.fstat(opened.fileno()).st_mtime, UTC)
            status = os.fstat(opened.fileno())
            size = status.st_size if S_ISREG(status.st_mode) else None
            yield Stream(name=name, chunks=chunks(opened, name, size), seen=written)
    except OSError as e:
        raise unreadable(name, e) from e


def _rows(name: str) -> Iterator[Mapping[str, object]]:
    from drystone.l10_engines.columnar.parquet import rows  # noqa: PLC0415 - for these alone

    try:
        yield from rows(Path(name))
    except OSError as e:
        raise unreadable(name, e) from e


def _descriptors(files: Sequence[File]) -> Declared:
    """Read descriptors of services.

    Raises:
        Unreadable: One has mistakes.
    """
    from drystone.l25_deployer.dependencies.model import model_of_descriptors  # noqa: PLC0415
    from drystone.l25_deployer.descriptor import read  # noqa: PLC0415 - for these alone

    found: list[Descriptor] = []
    places: dict[str, str] = {}
    for file in files:
        reading = read(file.content, file=file.name, embedded_allowed=True)
        if reading.descriptor is None:
            raise Unreadable(reading.report())
        service = reading.descriptor.service
        if service in places:
            raise Unreadable(f"{file.name}: {service} is described in {places[service]} as well")
        places[service] = file.name
        found.append(reading.descriptor)
    return Declared(model=model_of_descriptors(found))
