"""What traffic showed: who called whom, how often, since when, and by what that is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from drystone.l05_graph.evidence import REFUSED, Batch
from drystone.l25_deployer.edge_log import AT_THE_EDGE, SOURCE
from drystone.l80_governance.dependencies.html import Html, Node, between, joined, tag
from drystone.l80_governance.dependencies.parts import Column, counted, section, table
from drystone.l80_governance.dependencies.view import View

_MOST_ROWS = 50
_OWN = {SOURCE: "the proxy of this platform", REFUSED: "what proxies of this platform refused"}
_AT_EDGE_ALONE = (
    "The proxy of this platform sees who is called from outside, and which service calls which at the addresses that"
    " they were given for their dependencies. For calls by other ways, import traces or logs of other proxies."
)


TOOK_ABOUT = "Half of the calls, 95 and 99 of 100 took at most so long since the proxy began"


def traffic_of(view: View, name: str) -> Html | None:
    """Tell what traffic showed of a component, whether the model knows it or not; None when nothing is known at all."""
    evidence = view.analysis.evidence
    if not evidence.batches:
        return None
    pairs = [one for one in evidence.pairs.values() if name in {one.caller, one.callee}]
    known = {(each.source, each.target) for each in view.analysis.model.needs.get(name, ())}
    known |= {(each.source, each.target) for each in view.analysis.model.users.get(name, ())}
    pairs.sort(key=lambda pair: (pair.caller != name, -pair.calls, pair.caller, pair.callee))
    rows: list[list[Node]] = [
        [
            joined(_end(view, pair.caller), " → ", _end(view, pair.callee)),
            _is_known(view, pair.caller, (pair.caller, pair.callee) in known),
            *seen_cells(view, pair.caller, pair.callee),
            f"{100 * pair.confidence:.0f} %",
        ]
        for pair in pairs[:_MOST_ROWS]
    ]
    columns = [Column("Call"), Column("In the model"), *_SEEN, Column("How sure", is_number=True)]
    left = len(pairs) - len(rows)
    caption = f"{counted(len(pairs), 'pair')} that call each other, what it calls first" + (
        f"; {left:,} more are not shown" if left else ""
    )
    return section(
        "What traffic showed",
        table(
            caption, columns, rows, empty="Nobody was seen calling it, and it was not seen calling."
        ),
        lead=_AT_EDGE_ALONE if _is_edge_alone(evidence.batches) else None,
        name="traffic",
    )


_SEEN = (
    Column("Calls", is_number=True),
    Column("Failed", is_number=True),
    Column("Took", is_number=True, about=TOOK_ABOUT),
    Column("First seen"),
    Column("Last seen"),
    Column("Seen by"),
)


def seen_cells(view: View, source: str, target: str) -> list[Node]:
    """Return calls, failures, how long they took, when first and last, and by what; nothing in each of what is not known."""
    pair = view.analysis.evidence.pairs.get((source, target))
    took = took_cell(view, source, target)
    if pair is None:
        return [None, None, took, None, None, None]
    return [
        f"{pair.calls:,}",
        f"{pair.errors:,}" if pair.errors else None,
        took,
        _moment(pair.first),
        _moment(pair.last),
        ", ".join(seen.source for seen in pair.seen),
    ]


def took_cell(view: View, source: str, target: str) -> Node:
    """Tell how long calls of one to another took; nothing where nobody counted."""
    took = view.durations.get((source, target))
    if took is None:
        return None
    words = ("half of the calls", "95 of 100", "99 of 100")
    shares = (took.p50, took.p95, took.p99)
    title = "; ".join(
        f"{word}: at most {_long(one)}" for word, one in zip(words, shares, strict=True)
    )
    begun = "since the proxy began" if took.since is None else f"since {took.since:%H:%M} UTC"
    title = f"{begun}: {title}"
    return tag("span", between(" · ", [_long(one) for one in shares]), title=title, class_="took")


def _long(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 1:
        return f"{1000 * seconds:.2g} ms" if seconds < 0.01 else f"{1000 * seconds:.0f} ms"
    return f"{seconds:.3g} s"


def what_was_seen(view: View) -> Html:
    """Tell what the findings from traffic rest on, and how to bring more."""
    batches = view.analysis.evidence.batches
    by_source: dict[str, list[Batch]] = {}
    for batch in batches:
        by_source.setdefault(batch.source, []).append(batch)
    rows = [_source(name, some) for name, some in sorted(by_source.items())]
    columns = [
        Column("Source"),
        Column("Files", is_number=True),
        Column("Records", is_number=True),
        Column("Left out", is_number=True),
        Column("Pairs", is_number=True),
        Column("From"),
        Column("To"),
    ]
    how = joined("To bring more: ", tag("code", view.how_to_import))
    lead = [_AT_EDGE_ALONE, " "] if _is_edge_alone(batches) else None
    empty = "No traffic was imported, so that it is not known whether the model says what really happens."
    return section(
        "What traffic showed",
        table("What the findings from traffic rest on", columns, rows, empty=empty),
        tag("p", how, class_="more") if view.how_to_import else None,
        lead=lead,
        name="traffic",
    )


def _source(name: str, some: Sequence[Batch]) -> list[Node]:
    pairs = {(one.caller, one.callee) for batch in some for one in batch.observations}
    first = min((batch.first for batch in some if batch.first), default=None)
    last = max((batch.last for batch in some if batch.last), default=None)
    return [
        _OWN.get(name) or tag("bdi", name[:60]),
        f"{len(some):,}",
        f"{sum(batch.records for batch in some):,}",
        f"{sum(batch.skipped for batch in some):,}",
        f"{len(pairs):,}",
        _moment(first),
        _moment(last),
    ]


def _is_edge_alone(batches: Sequence[Batch]) -> bool:
    return {batch.source for batch in batches} == {SOURCE}


def _is_known(view: View, caller: str, is_said: bool) -> Node:
    """Tell whether the model says so; of those whom nobody here runs, it need not."""
    if is_said:
        return "yes"
    return tag("b", "no") if caller in view.analysis.model.by_name else "—"


def _end(view: View, name: str) -> Node:
    if name == AT_THE_EDGE:
        return "whoever comes to the edge"
    is_known = name in view.analysis.model.by_name
    return view.service(name, length=40) if is_known else tag("bdi", name[:60])


def _moment(at: datetime | None) -> Node:
    return tag("time", f"{at:%Y-%m-%d %H:%M}", datetime=at.isoformat()) if at is not None else None
