"""The pages of the dashboard: pure functions from what is seen to what is shown. They work without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drystone.l25_deployer.api import LogRecord
from drystone.l80_governance.dependencies.html import (
    Html,
    Link,
    Node,
    fragment,
    link,
    outside,
    page,
    tag,
)
from drystone.l85_surfaces.console.pages.logs import line
from drystone.l85_surfaces.console.pages.parts import (
    Column,
    counted,
    facts,
    moment,
    name,
    prose,
    section,
    state,
    table,
)
from drystone.l85_surfaces.sandbox.calls import Call
from drystone.l85_surfaces.sandbox.looking import Seen, Served, Setting, hidden

LIVE = 3
"""Seconds after which the script asks for the first page again."""
_WORDS: Mapping[str, str] = {
    "real": "real",
    "mock": "mocked from",
    "proxy": "passed on to",
    "absent": "absent",
}


def overview(seen: Seen, static: Mapping[str, Link]) -> Html:
    """Show the whole sandbox."""
    return _document(
        f"Sandbox {seen.name}",
        static,
        facts([("Workspace", name(seen.base, length=120)), ("Platform", _platform(seen))]),
        section(
            "Services and dependencies",
            table(
                "How each is served",
                (
                    Column("Name"),
                    Column("State"),
                    Column("Served"),
                    Column("Needed by"),
                    Column("Look"),
                ),
                [_served(one, seen) for one in seen.served],
                empty="Nothing runs yet.",
            ),
        ),
        section(
            "Last calls",
            table(
                "Calls of services to each other, newest first",
                (
                    Column("When"),
                    Column("Caller"),
                    Column("Dependency"),
                    Column("Request"),
                    Column("Status", is_number=True),
                    Column("Verdict"),
                ),
                [_call(one) for one in seen.calls],
                empty="No service has called another yet.",
            ),
            lead=f"The last {counted(len(seen.calls), 'call')}, times in UTC.",
        ),
        live=True,
    )


def settings(
    service: str, found: Sequence[Setting], static: Mapping[str, Link], *, is_shown: bool
) -> Html:
    """Show by which variables a service reaches its resources; what is secret only when that was asked for."""
    where = f"settings/{service}"
    return _document(
        f"Resources of {service}",
        static,
        section(
            "Connection settings",
            table(
                "Variables that the service gets",
                (Column("Variable"), Column("Value")),
                [
                    [name(one.name), tag("code", one.value if is_shown else hidden(one))]
                    for one in found
                ],
                empty="It has no resources.",
            ),
            tag(
                "p",
                tag("a", "Hide what is secret", href=Link(f"/{where}"))
                if is_shown
                else tag("a", "Show what is secret", href=Link(f"/{where}?secrets=shown")),
            ),
        ),
    )


def logs(service: str, records: Sequence[LogRecord], static: Mapping[str, Link]) -> Html:
    """Show the last lines of a service."""
    lines = [line(one) for one in records]
    shown = tag("ol", lines, class_="log") if lines else tag("p", "It wrote nothing.")
    return _document(f"Logs of {service}", static, section("Last lines", shown))


def trouble(title: str, why: str, static: Mapping[str, Link]) -> Html:
    """Say why there is no page."""
    return _document(title, static, tag("p", prose(why)))


def _platform(seen: Seen) -> Node:
    return state("running") if seen.is_up else state("down")


def _served(one: Served, seen: Seen) -> list[Node]:
    choice = one.choice
    where = choice.to if choice.way in {"mock", "proxy"} else ""
    look: list[Node] = []
    if choice.way != "absent":
        look.append(tag("a", "Logs", href=Link(f"/logs/{choice.name}")))
    if seen.resources.get(choice.name):
        look += [" ", tag("a", "Resources", href=Link(f"/settings/{choice.name}"))]
    address = outside(one.url) if one.url else None
    return [
        name(choice.name, address),
        state(one.state or ("absent" if choice.way == "absent" else "down")),
        [
            _WORDS[choice.way],
            " ",
            name(where, length=80) if where else "",
            tag("small", f" — {choice.why}"),
        ],
        ", ".join(choice.needed_by) or "—",
        look or "—",
    ]


def _call(one: Call) -> list[Node]:
    return [
        moment(one.at),
        name(one.caller, length=40),
        name(one.callee, length=40),
        tag("code", one.request[:200]),
        str(one.status) if one.status else "—",
        prose(one.verdict),
    ]


def _document(title: str, static: Mapping[str, Link], *body: Node, live: bool = False) -> Html:
    return page(
        "en",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("title", f"{title[:80]} · Drystone sandbox"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("link", rel="icon", href=static["wall.svg"], type="image/svg+xml"),
            tag("link", rel="stylesheet", href=static["console.css"]),
            tag("script", src=static["console.js"], defer=True),
        ),
        tag(
            "body",
            tag("a", "Skip to the content", href=fragment("main"), class_="skip"),
            tag(
                "header", tag("a", "Drystone sandbox", href=link("/"), class_="brand"), class_="top"
            ),
            tag(
                "main",
                tag("h1", tag("bdi", title[:200])),
                body,
                id="main",
                tabindex="-1",
                data_live=LIVE if live else None,
            ),
            tag("p", id="told", class_="unseen", role="status"),
        ),
    )
