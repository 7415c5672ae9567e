"""One service: what runs, what it answers, what became of its releases."""

from __future__ import annotations

from collections.abc import Sequence

from drystone.l25_deployer.api import HistoryEvent, InstanceView, ReleaseView
from drystone.l35_mesh.observed.api import CallTimes
from drystone.l80_governance.dependencies.html import Html, Node, tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.pages.layout import Page, short
from drystone.l85_surfaces.console.pages.parts import (
    Column,
    Hand,
    ask,
    counted,
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
from drystone.l85_surfaces.console.views import ReleaseLine, Service, Traffic

LIVE = 3
_INSTANCES = (
    Column("Instance"),
    Column("State"),
    Column("Release", is_number=True),
    Column("Restarts", is_number=True),
    Column("Since"),
    Column("Last end"),
)
_RELEASES = (
    Column("Release"),
    Column("State"),
    Column("Made"),
    Column("By"),
    Column("Artefact"),
)
_RECORDED = (
    Column("Release"),
    Column("What"),
    Column("State"),
    Column("When"),
    Column("By"),
    Column("Why"),
)
_CALLS = (
    Column("Call"),
    Column("Calls", is_number=True),
    Column("Half", is_number=True),
    Column("95 of 100", is_number=True),
    Column("99 of 100", is_number=True),
)
_HISTORY = (
    Column("When"),
    Column("What"),
    Column("Release"),
    Column("By"),
    Column("Took", is_number=True),
)


def service(seen: Service, hand: Hand | None) -> Page:
    """Show one service.

    Args:
        seen: What is known of it.
        hand: Whose buttons it has; none where None.
    """
    one = seen.view.summary
    return Page(
        title=one.service,
        entry="services",
        live=LIVE,
        crumbs=(
            ("Services", addresses.overview()),
            (one.environment, addresses.overview(environment=one.environment)),
        ),
        lead=_lead(seen),
        body=(
            _problems([*seen.drift, *seen.view.problems]),
            _actions(seen, hand),
            section("Traffic", _traffic(seen.traffic)),
            section("Instances", _instances(seen.view.instances)),
            section(
                "Releases",
                (_recorded(seen.releases), _all(seen))
                if seen.releases
                else _kept(seen.view.releases),
            ),
            section("Calls", _calls(seen), lead="As the proxies time them."),
            section("Needs", _needs(seen)),
            section("History", _history(seen.history)),
        ),
    )


def _lead(seen: Service) -> Html:
    one, rolling = seen.view.summary, seen.rolling
    url = addresses.web(one.url) if one.url else None
    progress: Node = None
    if rolling is not None:
        shown: Node = (state(rolling.state), f" {rolling.version} ", percent(rolling.share))
        progress = tag("a", shown, href=addresses.release(rolling.id)) if rolling.id else shown
    return facts(
        [
            ("State", state(one.state)),
            (
                "Release",
                None if one.version is None else f"{short(one.version, 40)} #{one.release}",
            ),
            ("Rollout", progress),
            ("Instances", one.instances),
            ("Owner", name(one.owner) if one.owner else None),
            ("Address", tag("a", one.url, href=url) if url is not None else None),
            ("Ways in", _ways_in(one.ways) if one.ways else None),
            ("Under way", prose(seen.view.operation) if seen.view.operation else None),
        ]
    )


def _ways_in(ways: list[str]) -> Node:
    links = ((way, addresses.web(way)) for way in ways)
    return tuple(
        (tag("a", way, href=link) if link is not None else way, " ") for way, link in links
    )


def _actions(seen: Service, hand: Hand | None) -> Html:
    one = seen.view.summary
    where = (one.environment, one.service)
    links = [
        tag("a", "Logs", href=addresses.logs(*where), class_="button plain"),
        tag(
            "a",
            "In the dependency view",
            href=addresses.dependencies(*where),
            class_="button plain",
        ),
    ]
    back = None
    if hand is not None and seen.may_roll_back:
        back = ask(
            hand,
            label="Roll back",
            about="The release before serves again: code, configuration and settings of resources. Data stays as it is.",
            to=addresses.roll_back(*where),
            mood="bad",
            reason="Why",
        )
    return tag("div", links, back, class_="actions")


def _problems(problems: Sequence[str]) -> Html | None:
    if not problems:
        return None
    return tag(
        "div", tag("ul", [tag("li", prose(one)) for one in problems[:20]]), class_="notice bad"
    )


def _traffic(seen: Traffic | None) -> Html:
    if seen is None:
        return tag("p", "Nobody can say now.", class_="empty")
    share = seen.errors / seen.requests if seen.requests else 0.0
    failed = f"{seen.errors:,} ({percent(share)})" if seen.errors else "0"
    return tag(
        "div",
        facts(
            [
                ("Requests", f"{seen.requests:,}"),
                ("Errors", tag("span", failed, class_="state bad" if seen.errors else None)),
                ("Half within", took(seen.p50)),
                ("95 of 100 within", took(seen.p95)),
                ("99 of 100 within", took(seen.p99)),
            ]
        ),
        tag("p", "At the edge since ", moment(seen.since), ", UTC.", class_="note"),
    )


def _instances(instances: Sequence[InstanceView]) -> Html:
    return table(
        "Instances",
        _INSTANCES,
        (
            [
                (name(one.id), " ", tag("small", one.group)),
                state(one.state),
                f"#{one.release}",
                one.restarts,
                moment(one.since) or "—",
                prose(one.last_exit, 80) if one.last_exit else "—",
            ]
            for one in instances[:200]
        ),
        empty="Nothing runs.",
    )


def _kept(releases: Sequence[ReleaseView]) -> Html:
    return table(
        "Releases that are kept",
        _RELEASES,
        (
            [
                (name(one.version, length=40), tag("small", f" #{one.number}")),
                state(one.state),
                moment(one.created),
                name(one.by, length=30),
                tag("code", short(one.artifact, 19)),
            ]
            for one in sorted(releases, key=lambda each: -each.number)[:50]
        ),
        empty="There is none.",
    )


def _recorded(releases: Sequence[ReleaseLine]) -> Html:
    return table(
        "Releases",
        _RECORDED,
        (
            [
                name(one.version or one.id, addresses.release(one.id), 40),
                one.kind,
                state(one.state),
                moment(one.at),
                name(one.by, length=30),
                prose(one.why, 80) if one.why else "—",
            ]
            for one in releases
        ),
        empty="There is none.",
    )


def _all(seen: Service) -> Html:
    summary = seen.view.summary
    to = addresses.releases(environment=summary.environment, service=summary.service)
    return tag("p", tag("a", "All releases", href=to), class_="more")


def _calls(seen: Service) -> Html:
    def row(one: CallTimes) -> list[Node]:
        caller = one.caller or "the edge"
        return [
            (name(caller, length=40), " → ", name(one.callee, length=40)),
            f"{one.calls:,}",
            took(one.p50),
            took(one.p95),
            took(one.p99),
        ]

    return table(
        "Calls and how long they took", _CALLS, map(row, seen.calls[:100]), empty="None were timed."
    )


def _needs(seen: Service) -> Html:
    view = seen.view
    needs = [tag("li", prose(one)) for one in view.dependencies[:100]]
    held = [
        tag("li", name(one.name), f" ({one.type}): ", prose(one.detail))
        for one in view.resources[:100]
    ]
    if not needs and not held:
        return tag("p", "Nothing that it declares.", class_="empty")
    return tag("ul", needs, held, class_="needs")


def _history(events: Sequence[HistoryEvent]) -> Html:
    return tag(
        "div",
        table(
            "What happened, newest first",
            _HISTORY,
            (
                [
                    moment(one.at),
                    (short(one.event, 40), ": " if one.text else "", prose(one.text, 200)),
                    "—"
                    if one.release is None
                    else f"{short(one.version or '', 24)} #{one.release}",
                    name(one.by, length=30),
                    took(one.seconds),
                ]
                for one in events
            ),
            empty="Nothing yet.",
        ),
        tag("p", f"The latest {counted(len(events), 'event')}, times in UTC.", class_="note"),
    )
