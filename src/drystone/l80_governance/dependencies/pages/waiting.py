"""A page that waits for work: how far it is, and what it is at."""

from __future__ import annotations

from urllib.parse import urlencode

from drystone.l80_governance.dependencies.errors import BeingAnalysed
from drystone.l80_governance.dependencies.html import Html, link, tag
from drystone.l80_governance.dependencies.jobs import Job
from drystone.l80_governance.dependencies.view import Page, View


def waiting(view: View, job: Job, *, title: str, path: str) -> Page:
    """Say how far a piece of work is.

    Args:
        view: Whose address asks for it.
        job: The work.
        title: Of the page.
        path: Of the page that shows what comes of it, and what is asked for when it is ended.
    """
    return Page(
        title=title,
        lead="This takes a moment. The page comes by itself.",
        body=tag("div", _bar(job), _end(view, job, path), class_="waiting"),
        path=path,
        scripts=("waiting.js",),
        refresh=2,
        status=202,
    )


def being_analysed(why: BeingAnalysed) -> Page:
    """Say that a large model is being analysed; the page that was asked for comes by itself."""
    said = tag(
        "p", "That takes up to a minute, once.", id="doing", role="status", aria_live="polite"
    )
    return Page(
        title="One moment",
        lead=why.message[:1].upper() + why.message[1:] + ".",
        body=tag("div", tag("progress", "…", aria_labelledby="doing"), said, class_="waiting"),
        scripts=("waiting.js",),
        refresh=2,
        status=202,
    )


def _end(view: View, job: Job, path: str) -> Html:
    state = view.asked.without("ended")
    return tag(
        "form",
        tag("input", type="hidden", name="job", value=job.name),
        tag("input", type="hidden", name="page", value=path),
        tag("input", type="hidden", name="state", value=urlencode(state, doseq=True)),
        tag("button", "End it", type="submit"),
        tag("p", "It ends by itself soon after nobody waits for it any more.", class_="note"),
        action=link("end-work"),
        method="post",
    )


def _bar(job: Job) -> Html:
    percent = round(100 * job.share)
    return tag(
        "div",
        tag("progress", f"{percent} %", max=100, value=percent, aria_labelledby="doing"),
        tag("p", f"{percent} % · {job.text}", id="doing", role="status", aria_live="polite"),
        id="progress",
    )
