"""``drystone deps ingest``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from drystone.l00_kernel.durations import NoDuration, TooLong, duration
from drystone.l00_kernel.home import Home
from drystone.l05_graph.evidence import Detail
from drystone.l05_graph.ingest.source import Source
from drystone.l85_surfaces.cli.dependencies import evidence_files, ingesting
from drystone.l85_surfaces.cli.dependencies.reading import live as live_model
from drystone.l85_surfaces.cli.dependencies.writing import written_once
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal, remark
from drystone.l85_surfaces.cli.views.deps import ingest as views


def ingest(
    source: Annotated[
        str | None, Parameter(help="What the files are; --list shows all that there are.")
    ] = None,
    /,
    *files: Annotated[
        str,
        Parameter(help="Files of that kind, or folders with such files; - reads standard input."),
    ],
    evidence: Annotated[
        str | None,
        Parameter(
            metavar="FILE",
            help="Where observations are added: beside a survey. [default: in the home of the platform]",
        ),
    ] = None,
    endpoints: Annotated[
        str | None,
        Parameter(metavar="FILE", help="Which addresses and names are which components."),
    ] = None,
    fields: Annotated[
        str | None,
        Parameter(
            metavar="NAMES",
            help="The fields of a line in their order, where a file does not name them.",
        ),
    ] = None,
    again: Annotated[
        bool,
        Parameter(
            name=("--again",),
            show_default=False,
            help="Replace what the same files gave before, such as after names changed.",
        ),
    ] = False,
    live: Annotated[
        bool,
        Parameter(
            name=("--live",),
            show_default=False,
            help="Read the log of the running platform's own edge; it knows whose the names in it are.",
        ),
    ] = False,
    keep: Annotated[
        Literal["1m", "5m", "15m", "1h", "6h", "1d", "totals", "name"] | None,
        Parameter(
            help="Keep no more than the calls of each of these spans; without a source, of what is there already."
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        Parameter(metavar="TIME", help="With --keep alone: leave what is younger as it is: 30d."),
    ] = None,
    output: Annotated[
        str | None,
        Parameter(
            name=("--output", "-o"),
            metavar="FILE",
            help="Where a draft of a survey goes; it must not be there yet.",
        ),
    ] = None,
    listed: Annotated[
        bool, Parameter(name=("--list",), show_default=False, help="Show every source.")
    ] = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Read what declarations and traffic say.

    Declarations become the draft of a survey, on standard output or in a new file. Observations become evidence, which is added
    to a file beside the survey and never changes what people wrote; a file that was imported before is told and left out.
    """
    out = Terminal(json=shared.json)
    if older_than is not None and (keep is None or source is not None):
        raise Misuse("--older-than goes with --keep and without a source")
    if live:
        if source or output or endpoints or fields or again or keep:
            raise Misuse("--live reads the edge's own log: name no source, and --evidence at most")
        _add(_of_edge(evidence, shared), out, of_platform=evidence is None)
        return
    if source is None and keep is not None and not listed:
        where = evidence or evidence_files.of_platform(shared.folder)
        if where is None:
            raise Misuse("name the evidence of which less is kept: --evidence FILE")
        until = datetime.now(UTC) - _age(older_than)
        found = ingesting.kept_coarser(where, Detail(keep), before=until)
        _add(found, out, of_platform=evidence is None)
        return
    if listed or source is None:
        every = ingesting.sources()
        out.document(views.sources_document(every))
        out.lines(views.sources(every, paint=out.paint))
        return
    chosen = _chosen(source, files)
    if ingesting.is_observed(chosen):
        if output is not None:
            raise Misuse("observations go to --evidence FILE; --output is for drafts of surveys")
        where = evidence or evidence_files.of_platform(shared.folder)
        detail = Detail(keep or Detail.MINUTE)
        found = ingesting.observed(
            chosen, files, where, endpoints, fields=fields, again=again, keep=detail
        )
        _add(found, out, of_platform=evidence is None)
        return
    if evidence is not None or endpoints is not None or fields is not None or again or keep:
        raise Misuse(f"{source} are declarations: they give a draft of a survey, no evidence")
    _draft(ingesting.declared(chosen, files), output, out)


def _chosen(source: str, files: Sequence[str]) -> Source:
    chosen = ingesting.source_of(source)
    if not files:
        raise Misuse(f"name the files: {', '.join(chosen.files)}")
    return chosen


def _less(
    evidence: str | None, keep: str | None, older_than: str | None, shared: Shared
) -> ingesting.Evident:
    """Keep less of what was imported before.

    Raises:
        Misuse: Nothing says where the evidence is.
    """
    where = evidence or evidence_files.of_platform(shared.folder)
    if where is None:
        raise Misuse("name the evidence of which less is kept: --evidence FILE")
    until = datetime.now(UTC) - _age(older_than)
    return ingesting.kept_coarser(where, Detail(keep or Detail.MINUTE), before=until)


def _age(said: str | None) -> timedelta:
    try:
        return duration(said) if said is not None else timedelta(0)
    except (NoDuration, TooLong):
        raise Misuse(f"--older-than cannot be '{said}'; write a duration such as 30d") from None


def _of_edge(evidence: str | None, shared: Shared) -> ingesting.Evident:
    """Read the log of the platform's own edge.

    Raises:
        NoPlatform: None runs in the home.
    """
    model = live_model(shared).model
    home = Home(shared.folder)
    return ingesting.of_edge(home.access_log, model, evidence or str(home.evidence))


def _add(found: ingesting.Evident, out: Terminal, *, of_platform: bool) -> None:
    out.document(views.observed_document(found))
    lines = views.observed(found, of_platform=of_platform, paint=out.paint)
    _tell(lines, found.file, found.text, out)


def _draft(found: ingesting.Drafted, output: str | None, out: Terminal) -> None:
    if output is not None:
        written_once(output, found.text.encode())
    out.document(views.declared_document(found, output))
    _tell(views.declared(found, output, paint=out.paint), output, found.text, out)


def _tell(lines: Iterable[str], file: str | None, text: str, out: Terminal) -> None:
    """Tell what was read: beside the text itself when that goes to standard output, in its place when it went to a file."""
    if file is not None:
        out.lines(lines)
        return
    for line in lines:
        remark(line)
    out.text(text)
