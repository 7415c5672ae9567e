"""What a tabletop exercise says, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from drystone.l05_graph.outcome import Bar, Glass, Step, Tabletop
from drystone.l80_governance.dependencies.drawing.gantt import REASONS
from drystone.l80_governance.dependencies.drawing.histogram import histogram
from drystone.l80_governance.dependencies.durations import spoken
from drystone.l80_governance.dependencies.html import Html, Node, joined, tag
from drystone.l80_governance.dependencies.parts import Column, counted, section, table
from drystone.l80_governance.dependencies.view import View

_MOST_ROWS, _MOST_STUCK, _MOST_CRITICAL = 300, 100, 15
_MOST_CREWS, _MOST_DAYS = 100, 60
_LEAST = 0.005
"""Of what is on the critical chain more rarely nothing is told."""


def outcome_tables(view: View, outcome: Tabletop) -> list[Node]:
    """Tell all that follows from an exercise."""
    return [
        _chain(view, outcome.chain),
        _distribution(view, outcome),
        _products(outcome),
        _stuck(view, outcome),
        _glass(view, outcome.glass),
        _crews(outcome),
        _days(outcome),
        _work(view, outcome.bars),
    ]


def _chain(view: View, chain: Sequence[Step]) -> Html:
    rows: list[list[Node]] = [
        [
            view.service(step.component),
            tag("bdi", step.crew),
            spoken(step.begins),
            spoken(step.ends),
            joined(REASONS[step.reason], " ", view.service(step.because) if step.because else ""),
        ]
        for step in chain[:_MOST_ROWS]
    ]
    columns = [
        Column("Component"),
        Column("Crew"),
        Column("Begins after", True),
        Column("In place after", True),
        Column("Why not earlier: because of"),
    ]
    return section(
        "The critical chain",
        table(
            "Each piece of work waited for the one before",
            columns,
            rows,
            empty="There was nothing to do.",
        ),
        _more(len(chain) - len(rows)),
        lead="To be faster, begin here: nothing else shortens the whole.",
    )


def _distribution(view: View, outcome: Tabletop) -> Html | None:
    many = outcome.many
    if many is None:
        return None
    top = sorted(many.criticality.items(), key=lambda one: (-one[1], one[0]))[:_MOST_CRITICAL]
    return section(
        "How sure that is",
        histogram(many.every, many.lasts),
        table(
            "How often each component is on the critical chain",
            [Column("Component"), Column("Share of the rehearsals", True)],
            [[view.service(name), f"{share:.0%}"] for name, share in top if share >= _LEAST],
            empty="No component ever was.",
        ),
        lead=f"Of {many.runs:,} rehearsals with durations drawn at random, half are done after"
        f" {spoken(many.lasts.p50)} and nine of ten after {spoken(many.lasts.p90)}.",
    )


def _products(outcome: Tabletop) -> Html | None:
    if not outcome.products:
        return None
    rows: list[list[Node]] = []
    for one in outcome.products[:_MOST_ROWS]:
        half = spoken(one.spread.p50) if one.spread is not None else None
        most = spoken(one.spread.p90) if one.spread is not None else None
        rows.append([tag("bdi", one.name), spoken(one.serves), half, most])
    columns = [
        Column("Product"),
        *(Column(n, True) for n in ("Likely", "Half of the cases", "Nine of ten")),
    ]
    return section(
        "When products are back",
        table("Until all components of a product serve", columns, rows),
        _more(len(outcome.products) - len(rows)),
    )


def _stuck(view: View, outcome: Tabletop) -> Html:
    rows: list[list[Node]] = [
        [
            view.service(one.component),
            "in place, lacks something" if one.is_placed else "cannot be put in place",
            joined(
                [
                    joined(" → " if n else "", view.service(name))
                    for n, name in enumerate(one.path[:8])
                ]
            ),
        ]
        for one in outcome.unrecovered[:_MOST_STUCK]
    ]
    return section(
        f"What never comes back ({len(outcome.unrecovered):,})",
        table(
            "Each waits for something that waits as well",
            [Column("Component"), Column("State"), Column("Waits for")],
            rows,
            empty="Everything comes back.",
        ),
        _more(len(outcome.unrecovered) - len(rows)),
        name="stuck",
    )


def _glass(view: View, glass: Sequence[Glass]) -> Html:
    rows: list[list[Node]] = [
        [
            view.service(one.component),
            one.owner or "nobody",
            spoken(one.takes),
            f"{one.cost:,.4g}",
            one.runbook or "not written down",
        ]
        for one in glass[:_MOST_ROWS]
    ]
    columns = [
        Column("Component"),
        Column("Owner"),
        Column("Takes", True),
        Column("Cost", True),
        Column("Runbook"),
    ]
    return section(
        "Break-glass steps",
        table(
            "What is brought up by hand, without what it needs",
            columns,
            rows,
            empty="None is needed.",
        ),
        _more(len(glass) - len(rows)),
        name="glass",
    )


def _crews(outcome: Tabletop) -> Html:
    busy = [one for one in outcome.crews if one.worked]
    rows: list[list[Node]] = [
        [tag("bdi", one.name), f"{one.people:,}", spoken(one.worked), f"{one.share:.0%}"]
        for one in sorted(busy, key=lambda one: (-one.share, one.name))[:_MOST_CREWS]
    ]
    columns = [Column("Crew"), Column("People", True), Column("Work", True), Column("Busy", True)]
    more = _more(len(busy) - len(rows))
    return section("Crews", table("The busiest first", columns, rows, empty="Nobody works."), more)


def _days(outcome: Tabletop) -> Html | None:
    rows: list[list[Node]] = [
        [
            f"Day {one.number}",
            f"{one.down_at_begin:,}",
            f"{one.down_at_end:,}",
            f"{len(one.serves_now):,}",
        ]
        for one in outcome.days[:_MOST_DAYS]
    ]
    columns = [
        Column("Day"),
        *(Column(n, True) for n in ("Down at its begin", "Down at its end", "Came back")),
    ]
    return (
        section(
            "Day by day",
            table("Components that do not serve", columns, rows),
            _more(len(outcome.days) - len(rows)),
        )
        if rows
        else None
    )


def _work(view: View, bars: Sequence[Bar]) -> Html:
    rows: list[list[Node]] = [
        [
            view.service(one.component),
            tag("bdi", one.crew),
            spoken(one.begins),
            spoken(one.ends),
            _how(one),
        ]
        for one in bars[:_MOST_ROWS]
    ]
    columns = [
        Column("Component"),
        Column("Crew"),
        Column("Begins", True),
        Column("Ends", True),
        Column("How"),
    ]
    more = len(bars) - len(rows)
    said = f"All work, by begin{f'; the first {_MOST_ROWS}, {more:,} more are in the report as JSON' if more > 0 else ''}"
    return section(
        "The work as a table",
        tag(
            "details",
            tag("summary", counted(len(bars), "piece of work", "pieces of work")),
            table(said, columns, rows),
        ),
    )


def _more(left: int) -> Html | None:
    text = f"{left:,} more are in the report as JSON."
    return tag("p", text, class_="more") if left > 0 else None


def _how(one: Bar) -> str:
    how = "by hand" if one.is_break_glass else "in the ordinary way"
    return how if one.is_done else f"{how}; stopped by an event"
