"""One component: what it needs, who needs it, what falls with it, how available it can be, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from drystone.l00_kernel.durations import show_duration
from drystone.l05_graph.availability import Availability
from drystone.l05_graph.model import Component, Dependency, Estimate
from drystone.l05_graph.reach import Impact, impact
from drystone.l80_governance.dependencies.drawing.around import MOST, Around, picture
from drystone.l80_governance.dependencies.html import Html, Node, between, joined, outside, tag
from drystone.l80_governance.dependencies.pages.traffic import traffic_of
from drystone.l80_governance.dependencies.parts import (
    Column,
    counted,
    facts,
    figure,
    finding,
    kind_mark,
    notes,
    section,
    strength_mark,
    table,
)
from drystone.l80_governance.dependencies.view import Page, View, in_address

PATH = "service"
_MOST_ROWS = 50
_MOST_NAMES = 60
_STEPS = {"1": "direct neighbours", "2": "two steps", "3": "three steps"}


def service(view: View) -> Page:
    """Show a component.

    Raises:
        ComponentNotFound: There is none of that name.
    """
    one = view.found()
    fallen = impact(view.analysis.model, [one.name])
    body = joined(
        _verdicts(view, one),
        _facts(view, one),
        _around(view, one),
        _findings(view, one),
        _needs(view, one),
        traffic_of(view, one.name),
        _impact(view, one, fallen),
        _availability(view, one),
    )
    return Page(title=one.name, lead=_lead(view, one, fallen), body=body, path="services")


def _lead(view: View, one: Component, fallen: Impact) -> str:
    needs = len({each.target for each in view.analysis.model.needs.get(one.name, ())})
    users = len({each.source for each in view.analysis.model.users.get(one.name, ())})
    falls = len(fallen.falls)
    with_it = (
        f"; when it fails, {counted(falls, 'other falls', 'others fall')} with it" if falls else ""
    )
    return (
        f"It needs {counted(needs, 'component')} and {counted(users, 'needs', 'need')} it{with_it}."
    )


def _verdicts(view: View, one: Component) -> Html | None:
    vertex = view.analysis.model.numbers[one.name]
    for tangle in view.analysis.tangles:
        if vertex in tangle.members:
            address = view.link("tangle", of=in_address(one.name), kind=str(tangle.kind))
            text = f"It is in a tangle of {counted(len(tangle.members), 'component')}"
            return tag("p", kind_mark(tangle.kind), " ", tag("a", text, href=address), ".")
    return None


def _facts(view: View, one: Component) -> Html:
    vertex = view.analysis.model.numbers[one.name]
    layer = str(int(view.analysis.layer[vertex]))
    pairs: list[tuple[str, Node]] = [
        ("Kind", str(one.kind)),
        (
            "Owner",
            one.owner and tag("a", one.owner, href=view.link("services", owner=one.owner[:200])),
        ),
        ("Crew", one.crew),
        ("Tier", one.tier),
        ("Layer", layer if one.layer is not None else f"{layer}, not decided"),
        ("Plane", one.plane and str(one.plane)),
        ("Regions", ", ".join(one.regions)),
        ("Claims to survive", one.resilience and f"the loss in {one.resilience}"),
        ("Promises", one.slo and share(one.slo)),
        ("Works by itself", one.availability and share(one.availability)),
        ("Comes back in", _span(one.recovery)),
        ("Products", ", ".join(one.products)),
    ]
    if one.break_glass is not None:
        glass = one.break_glass
        book = _runbook(glass.runbook)
        pairs.append(
            (
                "Break-glass",
                joined(show_duration(glass.takes), " by hand", ", " if book else None, book),
            )
        )
    if one.pillar is not None:
        pairs.append(("A pillar costs", f"{one.pillar.cost:g}, and {one.pillar.adoption:g} each"))
    return joined(facts(pairs), notes(one.note))


def _runbook(text: str) -> Node:
    """Lead to a runbook if it is an address on the web, and name it if not."""
    address = outside(text)
    if address is None:
        return text or None
    return tag("a", "runbook", href=address, rel="noreferrer noopener", class_="outside")


def _span(estimate: Estimate | None) -> str | None:
    if estimate is None:
        return None
    return f"{show_duration(estimate.least)} to {show_duration(estimate.most)}"


def share(value: float) -> str:
    """Write a share of the time as a percentage, with as many nines as it has."""
    return f"{100 * value:.6f}".rstrip("0").rstrip(".") + " %"


def _around(view: View, one: Component) -> Html:
    steps = int(view.asked.choice("steps", _STEPS, "1"))
    middle = view.analysis.model.numbers[one.name]
    left, right = _ring(view, middle, steps, up=True), _ring(view, middle, steps, up=False)
    chosen, left_out = _within(left, right, middle)
    columns = [*reversed(_kept(left, chosen)), [middle], *_kept(right, chosen)]
    inside = {v for column in columns for v in column}
    graph, index = view.analysis.graph, view.analysis.edges_from
    edges = [edge for v in inside for edge in index.of(v) if int(graph.target[edge]) in inside]
    about = f"{one.name[:60]} between what needs it, on the left, and what it needs, on the right"
    drawn = picture(
        view, Around(columns=[c for c in columns if c], edges=edges, middle=middle, about=about)
    )
    tabs = [
        tag(
            "a",
            text,
            href=view.again(PATH, steps=key if key != "1" else None),
            aria_current="true" if int(key) == steps else None,
        )
        for key, text in _STEPS.items()
    ]
    more = f" {left_out:,} more are not drawn." if left_out else ""
    shown = figure(
        drawn,
        tag("span", "hard", class_="key hard"),
        tag("span", "soft", class_="key soft"),
        tag("span", "hard, not leading down", class_="key wrong"),
        f"On the left what needs it, on the right what it needs.{more}",
        to="needs",
        text="Skip the picture; the same as tables",
    )
    return section("Around it", tag("div", tabs, class_="tabs"), shown, name="around")


def _ring(view: View, middle: int, steps: int, *, up: bool) -> list[list[int]]:
    """Return what is so many steps away, ring by ring, those that most need first."""
    graph = view.analysis.graph
    index = view.analysis.edges_to if up else view.analysis.edges_from
    ends = graph.source if up else graph.target
    seen, rings, now = {middle}, [], [middle]
    for _ in range(steps):
        following = dict.fromkeys(int(ends[e]) for v in now for e in index.of(v))
        now = [v for v in following if v not in seen]
        seen.update(now)
        rings.append(sorted(now, key=lambda v: -int(view.analysis.users[v])))
    return rings


def _within(
    left: Sequence[Sequence[int]], right: Sequence[Sequence[int]], middle: int
) -> tuple[set[int], int]:
    """Choose as many as can be drawn, the nearest first; and say how many are left out."""
    every: dict[int, None] = {middle: None}
    for one, other in zip(left, right, strict=True):
        every |= dict.fromkeys([*one, *other])
    chosen = set(list(every)[:MOST])
    return chosen, len(every) - len(chosen)


def _kept(rings: Sequence[Sequence[int]], chosen: set[int]) -> list[list[int]]:
    """Return each ring without what was left out and what stands elsewhere already."""
    found = []
    for ring in rings:
        found.append([v for v in ring if v in chosen])
        chosen.difference_update(ring)
    return found


def _findings(view: View, one: Component) -> Html | None:
    every = view.analysis.by_subject.get(one.name, ())
    mine = [each for each in every if each.subject == one.name]
    shown = (mine or list(every))[:10]
    if not shown:
        return None
    count = Counter(str(each.severity) for each in every)
    said = ", ".join(counted(number, word) for word, number in count.items())
    items = tag("ul", [finding(view, each) for each in shown], class_="findings")
    return section("Findings", items, lead=f"It has part in {said}.", name="findings")


def _needs(view: View, one: Component) -> Html:
    model = view.analysis.model
    needs = _edges(view, model.needs.get(one.name, ()), "Needs", lambda each: each.target)
    users = _edges(view, model.users.get(one.name, ()), "Is needed by", lambda each: each.source)
    return joined(
        section("What it needs", needs, _all(view, "source", one, model.needs), name="needs"),
        section("Who needs it", users, _all(view, "target", one, model.users), name="users"),
    )


def _edges(
    view: View, every: Sequence[Dependency], head: str, end: Callable[[Dependency], str]
) -> Html:
    layer, numbers = view.analysis.layer, view.analysis.model.numbers
    rows: list[list[Node]] = [
        [
            view.service(end(each)),
            strength_mark(each.strength),
            ", ".join(each.at),
            str(each.risk),
            int(layer[numbers[end(each)]]),
            each.group,
            (each.without or each.note)[:200],
        ]
        for each in every[:_MOST_ROWS]
    ]
    columns = [
        Column(head),
        Column("How much"),
        Column("When"),
        Column("What for"),
        Column("Layer", is_number=True),
        Column("Alternative in"),
        Column("Without it"),
    ]
    caption = counted(len(every), "dependency", "dependencies")
    return table(caption, columns, rows, empty="Nothing.")


def _all(
    view: View, key: str, one: Component, index: Mapping[str, Sequence[Dependency]]
) -> Html | None:
    count = len(index.get(one.name, ()))
    if count <= _MOST_ROWS:
        return None
    address = view.link("dependencies", **{key: in_address(one.name)})
    return tag("p", tag("a", f"All {count:,} of them", href=address), class_="more")


def _impact(view: View, one: Component, fallen: Impact) -> Html:
    if not fallen.falls and not fallen.degrades:
        return section("When it fails", tag("p", "Nothing else is missed."), name="impact")
    tiers = sorted(fallen.by_tier.items(), key=lambda pair: (pair[0] is None, pair[0] or 0))
    said = [
        f"{counted(number, 'component')} of {'no tier' if tier is None else f'tier {tier}'}"
        for tier, number in tiers
    ]
    products = [f"{name[:40]} ({number})" for name, number in fallen.by_product.items()]
    pairs: list[tuple[str, Node]] = [
        ("Fall with it", f"{len(fallen.falls):,}"),
        ("Go on with less", f"{len(fallen.degrades):,}"),
        ("Of them", "; ".join(said)),
        ("Products", ", ".join(products)),
    ]
    return section(
        "When it fails",
        facts(pairs),
        _names(view, "What falls, in this order", fallen.falls),
        _names(view, "What goes on with less", fallen.degrades),
        name="impact",
    )


def _names(view: View, heading: str, every: Sequence[str]) -> Html | None:
    if not every:
        return None
    items = [tag("li", view.service(name, length=40)) for name in every[:_MOST_NAMES]]
    rest = len(every) - len(items)
    more = tag("p", f"and {rest:,} more", class_="more") if rest > 0 else None
    return joined(tag("h3", heading), tag("ol", items, class_="names"), more)


def _availability(view: View, one: Component) -> Html:
    found = view.analysis.availabilities.of(one.name)
    points = [view.service(name, length=40) for name in found.single_points[1:_MOST_NAMES]]
    rest = len(found.single_points) - 1 - len(points)
    holds = {True: "yes", False: "no: promise less, or need less", None: None}[found.can_hold]
    is_unsaid = bool(found.unsaid) and found.highest >= 1
    pairs: list[tuple[str, Node]] = [
        (
            "Works at most",
            "nobody has said"
            if is_unsaid
            else share(found.highest) + ("" if found.is_exact else ", a bound"),
        ),
        ("Promises", share(found.slo) if found.slo is not None else None),
        ("Can that be kept", holds),
        ("Away a month", None if is_unsaid else _away(found.highest)),
    ]
    unsaid = (
        f" {len(found.unsaid):,} of what it needs do not say how available they are, and count as always there."
        if found.unsaid
        else ""
    )
    singles = (
        tag("p", between(", ", points), f" and {rest:,} more" if rest > 0 else None)
        if points
        else tag("p", "None but itself.")
    )
    return section(
        "How available it can be",
        facts(pairs),
        tag("h3", "Single points of failure"),
        singles,
        _shares(view, found),
        lead=f"An estimate from what it needs, each thing once.{unsaid}",
        name="availability",
    )


def _shares(view: View, found: Availability) -> Html | None:
    rows: list[list[Node]] = [
        [view.service(name), f"{100 * part:.1f} %", _bar(part)] for name, part in found.shares[:10]
    ]
    columns = [Column("Component"), Column("Part of the time away", is_number=True), Column("")]
    return table("Whose failures cost it most", columns, rows) if rows else None


def _bar(part: float) -> Html:
    rect = tag("rect", width=f"{max(1.0, 100 * min(1.0, part)):.1f}", height=8, rx=4)
    return tag("svg", rect, viewBox="0 0 100 8", class_="share", aria_hidden="true")


def _away(highest: float) -> str:
    minutes = (1 - highest) * 30 * 24 * 60
    if minutes < 1:
        return f"{minutes * 60:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
