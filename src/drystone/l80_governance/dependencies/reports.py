"""What is taken away from an exercise: a file that needs nothing else, in several forms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources

import msgspec

from drystone.l00_kernel.visible import visible
from drystone.l05_graph.outcome import Tabletop
from drystone.l80_governance.dependencies.disasters import Exercise
from drystone.l80_governance.dependencies.drawing.gantt import REASONS, gantt
from drystone.l80_governance.dependencies.drawing.pictures import picture
from drystone.l80_governance.dependencies.durations import spoken
from drystone.l80_governance.dependencies.errors import FormMissing
from drystone.l80_governance.dependencies.happenings import sentence
from drystone.l80_governance.dependencies.html import Html, page, standalone, style, tag
from drystone.l80_governance.dependencies.pages.tabletop_tables import outcome_tables
from drystone.l80_governance.dependencies.view import View

_PIXELS = 2320
"""Width of a picture as PNG: twice that of the drawing."""
_MOST_ROWS = 5000


@dataclass(frozen=True, kw_only=True)
class Report:
    """An exercise and how it went.

    Attributes:
        view: Of the model.
        exercise: What was rehearsed.
        outcome: How it went.
    """

    view: View
    exercise: Exercise
    outcome: Tabletop

    @property
    def title(self) -> str:
        """Name it."""
        return self.exercise.disaster.title or "Tabletop exercise"

    def facts(self) -> Iterable[tuple[str, str]]:
        """Tell the whole in a few lines."""
        analysis, outcome = self.view.analysis, self.outcome
        yield "Model", f"{analysis.model.title or 'untitled'} ({analysis.model.digest[:16]})"
        yield "As of", str(analysis.today)
        for number, event in enumerate(self.exercise.disaster.events, 1):
            yield f"Event {number}", sentence(event)
        yield "Lost", f"{len(outcome.lost):,} of {len(analysis.model.components):,} components"
        yield "Until all that can serves again", spoken(outcome.lasts)
        if outcome.many is not None:
            many = outcome.many
            yield "Half of the cases", f"{spoken(many.lasts.p50)} (of {many.runs:,} rehearsals)"
            yield "Nine of ten", spoken(many.lasts.p90)
        yield "Never come back", f"{len(outcome.unrecovered):,}"
        yield "Break-glass steps", f"{len(outcome.glass):,}"
        yield "Seed", str(self.exercise.seed)


def as_html(report: Report) -> bytes:
    """Write one file that needs no other: with its style, ready to be printed."""
    css = resources.files(__package__).joinpath("static", "style.css").read_text()
    rows = [tag("div", tag("dt", name), tag("dd", said)) for name, said in report.facts()]
    whole = page(
        "en",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("title", report.title),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            style(css),
        ),
        tag(
            "body",
            tag(
                "main",
                tag("h1", report.title),
                tag("dl", rows, class_="facts"),
                _pictures(report),
                tag(
                    "div",
                    gantt(report.outcome, report.exercise.disaster.events),
                    class_="scroll drawing",
                ),
                outcome_tables(report.view, report.outcome),
            ),
            class_="report",
        ),
    )
    # Links lead to pages of a view that is not there for whoever reads the file.
    return re.sub(rb' href="[^"#][^"]*"', b"", whole.encoded())


def _pictures(report: Report) -> Html:
    """Draw what serves at the begin and in the end."""
    outcome = report.outcome
    moments = (("At the begin", timedelta()), (f"After {spoken(outcome.lasts)}", outcome.lasts))
    return tag(
        "div",
        [
            tag(
                "figure",
                picture(report.view.analysis, outcome, at, name=None),
                tag("figcaption", said),
            )
            for said, at in moments
        ],
        class_="columns",
    )


def as_markdown(report: Report) -> bytes:
    """Write it as Markdown (CommonMark with tables)."""
    outcome = report.outcome
    lines = [f"# {_plain(report.title)}", ""]
    lines += [f"* **{name}**: {_plain(said)}" for name, said in report.facts()]
    lines += _markdown(
        "The critical chain",
        ("component", "crew", "begins", "in place", "because of"),
        (
            (
                s.component,
                s.crew,
                spoken(s.begins),
                spoken(s.ends),
                f"{REASONS[s.reason]} {s.because or ''}",
            )
            for s in outcome.chain
        ),
    )
    lines += _markdown(
        "When products are back",
        ("product", "likely"),
        ((one.name, spoken(one.serves)) for one in outcome.products),
    )
    lines += _markdown(
        "Break-glass steps",
        ("component", "owner", "takes", "cost", "runbook"),
        (
            (g.component, g.owner or "nobody", spoken(g.takes), f"{g.cost:g}", g.runbook)
            for g in outcome.glass
        ),
    )
    lines += _markdown(
        "What never comes back",
        ("component", "waits for"),
        ((one.component, " → ".join(one.path[:8])) for one in outcome.unrecovered),
    )
    lines += _markdown(
        "All work",
        ("component", "crew", "begins", "ends"),
        ((b.component, b.crew, spoken(b.begins), spoken(b.ends)) for b in outcome.bars),
    )
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _markdown(heading: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    every = list(rows)
    if not every:
        return []
    lines = ["", f"## {heading}", "", _row(columns), _row(tuple("---" for _ in columns))]
    lines += [_row(tuple(_plain(cell) for cell in row)) for row in every[:_MOST_ROWS]]
    if len(every) > _MOST_ROWS:
        lines += ["", f"{len(every) - _MOST_ROWS:,} more."]
    return lines


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Keep a text from being Markdown, HTML or a second line."""
    said = visible(" ".join(text.split()))
    return re.sub(r"([\\`*_{}\[\]<>#|!&~])", r"\\\1", said)


def as_json(report: Report) -> bytes:
    """Write everything that is known, for machines; durations as ISO 8601 has them."""
    whole = {
        "title": report.title,
        "model": report.view.analysis.model.digest,
        "disaster": report.exercise.disaster,
        "runs": report.exercise.runs,
        "seed": report.exercise.seed,
        "outcome": report.outcome,
    }
    return msgspec.json.encode(whole)


def as_svg(report: Report) -> bytes:
    """Draw the chart as a picture that needs nothing else."""
    css = resources.files(__package__).joinpath("static", "picture.css").read_text()
    return standalone(gantt(report.outcome, report.exercise.disaster.events), css).encoded()


def as_png(report: Report) -> bytes:
    """Draw the chart as pixels.

    Raises:
        FormMissing: The library for that is not installed.
    """
    try:
        import resvg_py  # noqa: PLC0415 - an extra that need not be there
    except ModuleNotFoundError as e:
        raise FormMissing(
            "pictures as PNG need the extra 'png'; install drystone[png], or take the SVG"
        ) from e
    drawn = resvg_py.svg_to_bytes(
        svg_string=as_svg(report).decode(), width=_PIXELS, background="white"
    )
    return bytes(drawn)


REPORTS: Mapping[str, tuple[str, Callable[[Report], bytes]]] = {
    "html": ("text/html; charset=utf-8", as_html),
    "md": ("text/markdown; charset=utf-8", as_markdown),
    "json": ("application/json", as_json),
    "svg": ("image/svg+xml", as_svg),
    "png": ("image/png", as_png),
}
"""The forms by the end of their address: media type, and what writes them."""
