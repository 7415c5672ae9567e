"""A page that waits for work: how far it is, and what it is at."""

from __future__ import annotations

from drystone.l80_governance.dependencies.html import Html, Link, tag
from drystone.l80_governance.dependencies.jobs import Job
from drystone.l80_governance.dependencies.view import Page


def waiting(job: Job, *, title: str, path: str, back: Link) -> Page:
    """Say how far a piece of work is.

    Args:
        job: The work.
        title: Of the page.
        path: Which entry of the navigation it belongs to.
        back: Where to go instead of waiting.
    """
    return Page(
        title=title,
        lead="This takes a moment. The page comes by itself.",
        body=tag("div", _bar(job), tag("p", tag("a", "Do not wait", href=back)), class_="waiting"),
        path=path,
        scripts=("waiting.js",),
        refresh=2,
        status=202,
    )


def _bar(job: Job) -> Html:
    percent = round(100 * job.share)
    return tag(
        "div",
        tag("progress", f"{percent} %", max=100, value=percent, aria_labelledby="doing"),
        tag("p", f"{percent} % · {job.text}", id="doing", role="status", aria_live="polite"),
        id="progress",
    )
