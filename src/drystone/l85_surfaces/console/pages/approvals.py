"""What waits for somebody to approve it."""

from __future__ import annotations

from collections.abc import Sequence

from drystone.l80_governance.dependencies.html import Node, tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.pages.layout import Page
from drystone.l85_surfaces.console.pages.parts import Column, Hand, ask, moment, name, prose, table
from drystone.l85_surfaces.console.views import Waiting

LIVE = 5
_COLUMNS = (
    Column("Release"),
    Column("Where"),
    Column("By"),
    Column("Why"),
    Column("Waits since"),
    Column("Decide"),
)


def approvals(waiting: Sequence[Waiting], hand: Hand | None) -> Page:
    """Show what waits.

    Args:
        waiting: What.
        hand: Who could decide; without, it is only shown.
    """
    return Page(
        title="Approvals",
        entry="approvals",
        live=LIVE,
        lead="Releases that go on when somebody else than their author approves them.",
        body=table(
            "What waits",
            _COLUMNS,
            (
                [
                    name(f"{one.line.service} {one.line.version}", addresses.release(one.line.id)),
                    name(one.line.environment, length=30),
                    name(one.line.by, length=30),
                    prose(one.reason or one.line.why or "—"),
                    moment(one.since),
                    _decide(one, hand),
                ]
                for one in waiting
            ),
            empty="Nothing waits.",
        ),
    )


def _decide(one: Waiting, hand: Hand | None) -> Node:
    if hand is None:
        return tag("a", "Look", href=addresses.release(one.line.id))
    what = f"{one.line.service} {one.line.version}"[:80]
    return (
        ask(
            hand,
            label="Approve",
            about=f"{what} goes on in {one.line.environment}.",
            to=addresses.act(one.line.id, "approve"),
            mood="good",
        ),
        ask(
            hand,
            label="Reject",
            about=f"{what} ends here; what serves in {one.line.environment} goes on serving.",
            to=addresses.act(one.line.id, "reject"),
            mood="bad",
            reason="Why",
        ),
    )
