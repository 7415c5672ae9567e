"""One release: its steps, what it changes, what was said about it, and its rollout while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from drystone.l25_deployer.api import PlanChange
from drystone.l80_governance.dependencies.html import Html, Node, tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.pages import curve
from drystone.l85_surfaces.console.pages.layout import Page, short
from drystone.l85_surfaces.console.pages.parts import (
    Column,
    Hand,
    ask,
    facts,
    moment,
    name,
    percent,
    prose,
    section,
    state,
    table,
    took,
)
from drystone.l85_surfaces.console.views import Counts, Curve, Judged, Release, Step, Turn, Verb

LIVE, STILL = 2, 0
_VERBS: Mapping[Verb, tuple[str, str, str, str | None]] = {
    "approve": (
        "Approve",
        "The release goes on. The audit log keeps that you approved it.",
        "good",
        None,
    ),
    "reject": ("Reject", "The release ends here; what serves now goes on serving.", "bad", "Why"),
    "promote": (
        "Promote",
        "All traffic goes to the new release, whatever is proven so far.",
        "good",
        None,
    ),
    "pause": (
        "Pause",
        "The share stays as it is until somebody resumes, promotes or aborts.",
        "plain",
        None,
    ),
    "resume": ("Resume", "The rollout goes on from the step where it was paused.", "plain", None),
    "abort": ("Abort", "All traffic goes back to the release before.", "bad", "Why"),
    "roll-back": (
        "Roll back to this",
        "This release serves again: code, configuration and settings of resources. Data stays as it is.",
        "bad",
        "Why",
    ),
}
"""Label, what happens, how the button looks, and what the field for a reason is called."""

_STEPS = (
    Column("Step"),
    Column("State"),
    Column("Begun"),
    Column("Took", is_number=True),
    Column("What"),
)
_CHANGES = (
    Column("Field"),
    Column("Now"),
    Column("Then"),
    Column("Descriptor"),
    Column("What it means"),
)
_FINDINGS = (
    Column("Rule"),
    Column("Effect"),
    Column("What"),
    Column("Line", is_number=True),
    Column("Exception"),
)
_COUNTS = (
    Column("Metric"),
    Column("New: bad", is_number=True),
    Column("New: all", is_number=True),
    Column("Stable: bad", is_number=True),
    Column("Stable: all", is_number=True),
)
_NUMBERS = (
    Column("After"),
    Column("Share", is_number=True),
    Column("E-value: worse", is_number=True),
    Column("E-value: good", is_number=True),
)
_LONGEST_VALUE = 200


def release(seen: Release, hand: Hand | None) -> Page:
    """Show one release.

    Args:
        seen: What is known of it.
        hand: Whose buttons it has; none where None.
    """
    one = seen.line
    return Page(
        title=f"{one.service} {short(one.version, 60)}",
        entry="services",
        live=STILL if seen.ended is not None else LIVE,
        crumbs=(
            ("Services", addresses.overview()),
            (one.environment, addresses.overview(environment=one.environment)),
            (one.service, addresses.service(one.environment, one.service)),
        ),
        lead=facts(
            [
                ("State", state(one.state)),
                ("What", one.kind),
                ("By", name(one.by)),
                ("Why", prose(one.why) if one.why else None),
                ("Begun", moment(one.at)),
                ("Over", moment(seen.ended)),
                ("Outcome", prose(seen.outcome) if seen.outcome else None),
                ("Artefact", tag("code", short(seen.artefact, 23)) if seen.artefact else None),
            ]
        ),
        body=(
            _actions(seen, hand),
            None if seen.curve is None else _rollout(seen.curve),
            section("Steps", _steps(seen.steps)),
            section("Findings", _findings(seen.findings)),
            section("Changes", _changes(seen.changes, seen.descriptor)),
        ),
    )


def _actions(seen: Release, hand: Hand | None) -> Html | None:
    if hand is None or not seen.verbs:
        return None
    buttons = []
    for verb in seen.verbs:
        label, about, mood, reason = _VERBS[verb]
        to = addresses.act(seen.line.id, verb)
        buttons.append(ask(hand, label=label, about=about, to=to, mood=mood, reason=reason))
    return tag("div", buttons, class_="actions")


def _rollout(one: Curve) -> Html:
    if not one.points:
        return section("Rollout", _turns(one.turns), lead="Nothing was seen of it yet.")
    last = one.points[-1]
    return section(
        "Rollout",
        tag(
            "p",
            state(one.phase),
            f" {percent(one.share)} of the traffic after {took(one.at)}; ",
            curve.told(last.evidence, one.alarm, "worse"),
            ", ",
            curve.told(last.good, one.proof, "good"),
            ".",
            class_="now",
        ),
        tag(
            "figure",
            curve.drawn(one, curve.WIDE),
            curve.drawn(one, curve.NARROW),
            tag("figcaption", _legend()),
            class_="rollout",
        ),
        _turns(one.turns),
        _counts(one.counts),
        _unmeasured(one.unmeasured),
        _events(one.events),
        tag(
            "details",
            tag("summary", "The picture in numbers"),
            table("The picture in numbers", _NUMBERS, curve.in_numbers(one), empty=""),
        ),
    )


def _legend() -> Node:
    return (
        tag("span", "worse", class_="key bad"),
        " and ",
        tag("span", "good", class_="key good"),
        " are e-values: above its dashed line, either is proven. Numbers stand for what happened, below.",
    )


def _turns(turns: Sequence[Turn]) -> Html | None:
    if not turns:
        return None
    items = [
        tag(
            "li",
            tag("b", took(one.at)),
            " ",
            (state(one.phase), " ") if one.phase else None,
            f"{percent(one.share)}: " if one.share is not None else None,
            prose(one.why),
        )
        for one in turns[:200]
    ]
    return tag("ol", items, class_="turns", aria_label="What happened")


def _counts(counts: Sequence[Counts]) -> Html | None:
    if not counts:
        return None

    def row(one: Counts) -> list[Node]:
        numbers = (one.canary_bad, one.canary, one.stable_bad, one.stable)
        return [name(one.metric, length=40), *(f"{number:,}" for number in numbers)]

    return table("What was counted", _COUNTS, map(row, counts), empty="")


def _unmeasured(found: Sequence[tuple[str, str]]) -> Html | None:
    if not found:
        return None
    lines = [
        tag("li", tag("b", short(metric, 40)), f" is not measured: {why[:300]}")
        for metric, why in found[:20]
    ]
    return tag("ul", lines, class_="plain")


def _events(events: Sequence[str]) -> Html | None:
    if not events:
        return None
    lines = [tag("li", tag("span", one[:500], dir="auto")) for one in events[:100]]
    return tag(
        "div",
        tag("h3", "What went wrong on the new release"),
        tag("ol", lines, class_="log short", tabindex="0", aria_label="What went wrong"),
    )


def _steps(steps: Sequence[Step]) -> Html:
    rows = (
        [
            short(one.name, 40),
            state(one.state),
            moment(one.at) or "—",
            took(one.seconds),
            prose(one.text) if one.text else "—",
        ]
        for one in steps[:500]
    )
    return table("Steps", _STEPS, rows, empty="Nothing was done yet.")


def _findings(findings: Sequence[Judged]) -> Html:
    rows = (
        [
            name(one.policy, length=50),
            state(one.effect),
            prose(one.text),
            one.line or "—",
            prose(one.exception) if one.exception else "—",
        ]
        for one in findings[:500]
    )
    return table("Findings", _FINDINGS, rows, empty="Nothing was found.")


def _changes(changes: Sequence[PlanChange], descriptor: str) -> Html:
    if not changes:
        return tag("p", "It changes nothing.", class_="empty")
    lines = descriptor.splitlines()
    by_stack = sorted(changes[:1000], key=lambda one: one.stack)
    parts = [
        (
            tag("h3", short(stack, 40)),
            table(f"Changes of {stack}", _CHANGES, (_change(one, lines) for one in some), empty=""),
        )
        for stack, some in groupby(by_stack, key=lambda one: one.stack)
    ]
    return tag("div", parts)


def _change(one: PlanChange, lines: Sequence[str]) -> list[Node]:
    said = lines[one.line - 1].strip() if one.line and 0 < one.line <= len(lines) else ""
    return [
        (tag("code", short(one.path, 80)), " ", tag("small", one.action)),
        _value(one.old, "old"),
        _value(one.new, "new"),
        "—"
        if not one.line
        else (f"line {one.line}", tag("code", short(said, 60), class_="source") if said else None),
        prose(one.consequence) if one.consequence else "—",
    ]


def _value(value: str | None, kind: str) -> Node:
    return "—" if value is None else tag("code", short(value, _LONGEST_VALUE), class_=kind)
