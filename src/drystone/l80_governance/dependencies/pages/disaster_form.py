"""The form that asks for a disaster."""

from __future__ import annotations

from drystone.l80_governance.dependencies.disasters import MOST_PEOPLE, MOST_RUNS, RUNS
from drystone.l80_governance.dependencies.html import Html, link, tag
from drystone.l80_governance.dependencies.pages.layout import kept
from drystone.l80_governance.dependencies.parts import section
from drystone.l80_governance.dependencies.view import View


def disaster_form(view: View, *, is_first: bool) -> Html:
    """Ask what is lost, and who brings it back.

    Args:
        view: What is asked for already.
        is_first: Whether nothing was rehearsed yet.
    """
    return section(
        "The disaster" if is_first else "Another disaster",
        tag(
            "form",
            _everything(view, is_first=is_first),
            _field(view, "layers", "Layers, such as 2, 3"),
            _field(view, "regions", "Regions"),
            _field(view, "components", "Components"),
            _field(view, "data", "Components that lose their data too"),
            _field(
                view,
                "people",
                "People in every other crew",
                type="number",
                min=1,
                max=MOST_PEOPLE,
                placeholder="1",
            ),
            _field(view, "begins", "Time of day, universal", placeholder="00:00"),
            _field(
                view,
                "runs",
                "Rehearsals",
                type="number",
                min=0,
                max=MOST_RUNS,
                placeholder=str(RUNS),
            ),
            _field(view, "seed", "Seed", type="number", min=0, max=10**9, placeholder="0"),
            _glass(view),
            tag(
                "div",
                tag("label", "Crews that differ, with their shifts", for_="t-crews"),
                tag(
                    "input",
                    id="t-crews",
                    name="crews",
                    value=view.asked.text("crews") or None,
                    placeholder="platform: 2 08:00-16:00; network: 3",
                    autocomplete="off",
                    maxlength=2000,
                ),
                class_="wide",
            ),
            [
                tag("input", type="hidden", name="event", value=line)
                for line in view.asked.texts("event")
            ],
            kept(view),
            tag("div", tag("button", "Rehearse", type="submit", class_="main"), class_="actions"),
            action=link("tabletop"),
            method="get",
            class_="filters",
        ),
        name="lost",
    )


def _field(view: View, key: str, label: str, **more: str | int) -> Html:
    said = view.asked.text(key) or None
    box = tag("input", id=f"t-{key}", name=key, value=said, autocomplete="off", **more)
    return tag("div", tag("label", label, for_=f"t-{key}"), box)


def _everything(view: View, *, is_first: bool) -> Html:
    is_on = is_first or view.asked.is_on("everything")
    box = tag("input", type="checkbox", name="everything", value="on", checked=is_on)
    return tag(
        "fieldset",
        tag("legend", "What is lost"),
        tag("div", tag("label", box, "Everything that is ours"), class_="choices"),
    )


def _glass(view: View) -> Html:
    is_off = view.asked.text("glass") == "off"
    options = [
        tag("option", "may be taken", value="on"),
        tag("option", "must not be taken", value="off", selected=is_off),
    ]
    label = tag("label", "Break-glass steps", for_="t-glass")
    return tag("div", label, tag("select", options, id="t-glass", name="glass"))
