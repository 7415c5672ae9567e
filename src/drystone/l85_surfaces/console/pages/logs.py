"""The last lines of a service; with scripts, those that follow as well."""

from __future__ import annotations

from drystone.l25_deployer.api import LogRecord
from drystone.l80_governance.dependencies.html import Html, tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.pages.layout import Page, short
from drystone.l85_surfaces.console.views import Logs

LONGEST_LINE = 4_000
MOST_LINES = 2_000


def logs(seen: Logs) -> Page:
    """Show the last lines of a service."""
    where = (seen.environment, seen.service)
    return Page(
        title=f"Logs of {short(seen.service, 60)}",
        entry="services",
        crumbs=(
            ("Services", addresses.overview()),
            (seen.environment, addresses.overview(environment=seen.environment)),
            (seen.service, addresses.service(*where)),
        ),
        body=(
            _filters(seen),
            tag(
                "ol",
                [line(one) for one in seen.records[-MOST_LINES:]],
                class_="log",
                id="log",
                tabindex="0",
                aria_label="Lines, the latest last",
                data_follow=addresses.follow(*where, group=seen.group),
                data_most=MOST_LINES,
            ),
            tag("p", "Nothing was written yet.", class_="empty") if not seen.records else None,
        ),
    )


def line(one: LogRecord) -> Html:
    """Show one line; of one that is very long only the begin."""
    left_out = len(one.text) - LONGEST_LINE
    return tag(
        "li",
        tag("span", f"{short(one.instance, 40)} ", class_="from"),
        tag("span", one.text[:LONGEST_LINE], dir="auto"),
        tag("small", f" … {left_out:,} more signs") if left_out > 0 else None,
    )


def _filters(seen: Logs) -> Html:
    options = [
        tag("option", "all", value="", selected=not seen.group),
        *[
            tag("option", short(one, 40), value=one, selected=one == seen.group)
            for one in seen.groups
        ],
    ]
    lines = [
        tag("option", str(one), value=one, selected=one == seen.lines) for one in (50, 200, 1000)
    ]
    return tag(
        "form",
        tag("label", "Group", tag("select", options, name="group")),
        tag("label", "Lines of each instance", tag("select", lines, name="lines")),
        tag("button", "Show", type="submit"),
        tag("span", id="following", class_="note", role="status"),
        action=addresses.logs(seen.environment, seen.service),
        method="get",
        class_="filters",
    )
