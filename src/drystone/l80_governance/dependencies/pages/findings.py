"""Findings, by how bad they are, what they break and whose they are."""

from __future__ import annotations

from drystone.l05_graph.findings import Rule, Severity
from drystone.l80_governance.dependencies.html import Html, joined, tag
from drystone.l80_governance.dependencies.listing import choose, filters, part_of, turns, write
from drystone.l80_governance.dependencies.pages.traffic import what_was_seen
from drystone.l80_governance.dependencies.parts import counted, finding
from drystone.l80_governance.dependencies.view import Page, View

PATH = "findings"


def findings(view: View) -> Page:
    """List the findings that are asked for, the worst first."""
    asked, model = view.asked, view.analysis.model
    severity, rule = asked.word("severity", Severity), asked.word("rule", Rule)
    owner, text = asked.text("owner"), asked.text("q").casefold()
    found = [
        one
        for one in view.analysis.findings
        if (severity is None or one.severity is severity)
        and (rule is None or one.rule is rule)
        and (
            not owner
            or (one.subject in model.by_name and model.by_name[one.subject].owner == owner)
        )
        and (not text or text in one.sentence.casefold())
    ]
    part = part_of(view, len(found))
    every = view.analysis.severities
    said = ", ".join(counted(every[one], str(one)) for one in Severity if every[one])
    owners = sorted({one.owner for one in model.components if one.owner})
    form = filters(
        view,
        PATH,
        choose(view, "severity", "How bad", Severity),
        choose(view, "rule", "What it breaks", Rule),
        choose(view, "owner", "Whose", owners, "anybody's") if owners else None,
        write(view, "q", "With the words"),
    )
    shown = [finding(view, one) for one in found[part.begin : part.end]]
    listed = (
        tag("ul", shown, class_="findings") if shown else _nothing(bool(view.analysis.findings))
    )
    count = tag(
        "p", f"{counted(len(found), 'finding')} as asked for.", class_="more", role="status"
    )
    return Page(
        title="Findings",
        lead=f"Where the model breaks a rule: {said}." if said else "The model breaks no rule.",
        body=joined(
            form if view.analysis.findings else None,
            count if shown else None,
            listed,
            turns(view, PATH, part),
            what_was_seen(view),
        ),
        path=PATH,
    )


def _nothing(has_others: bool) -> Html:
    text = "No finding is like that." if has_others else "There is nothing to mend."
    return tag("p", text, class_="empty")
