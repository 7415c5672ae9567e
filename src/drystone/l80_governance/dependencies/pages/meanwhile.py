"""What happens while a recovery goes on: the events of an exercise, and the forms that add one."""

from __future__ import annotations

from collections.abc import Sequence

from drystone.l05_graph.disaster import Event, crew_of
from drystone.l80_governance.dependencies.happenings import FIELDS, KINDS, sentence
from drystone.l80_governance.dependencies.html import Html, Node, link, tag
from drystone.l80_governance.dependencies.parts import section, take_back
from drystone.l80_governance.dependencies.view import View

_MOST_NAMES = 400
_PATH = "tabletop"


def meanwhile(view: View, events: Sequence[Event]) -> Html:
    """List the events of an exercise, each to be taken back, and let more be added.

    Args:
        view: Whose address asks for the exercise.
        events: By time.
    """
    said = [sentence(event) for event in events]
    items = [
        tag("li", tag("span", one[:400]), " ", take_back(at, one)) for at, one in enumerate(said)
    ]
    listed = tag(
        "form",
        _state(view),
        tag("ol", items, class_="changes"),
        action=link(f"{_PATH}-add"),
        method="get",
    )
    model = view.analysis.model
    names = model.by_name if len(model.components) <= _MOST_NAMES else ()
    crews = sorted({crew_of(one) for one in model.components})[:_MOST_NAMES]
    return section(
        "What happens meanwhile",
        listed if items else None,
        tag("datalist", [tag("option", value=name) for name in names], id="components"),
        tag("datalist", [tag("option", value=name) for name in crews], id="crews"),
        tag("div", [_form(view, kind) for kind in KINDS], class_="columns"),
        lead="Recoveries do not go as planned. Let something happen, and see what it does to the plan.",
        name="meanwhile",
    )


def _form(view: View, kind: str) -> Html:
    fields: dict[str, list[Node]] = {
        "fails": [_component("fails")],
        "people": [
            _field("people", "crew", "Crew", list="crews"),
            _field("people", "by", "How many (-1 leaves)", value="-1", maxlength=5),
        ],
        "needs": [
            _component("needs"),
            _field("needs", "other", "What it turns out to need", list="components"),
        ],
        "takes": [
            _component("takes"),
            _field("takes", "factor", "How many times as long", value="2", maxlength=10),
        ],
    }
    return tag(
        "form",
        tag("h3", KINDS[kind], id=f"e-{kind}"),
        tag("input", type="hidden", name="do", value=kind),
        _state(view),
        _field(kind, "after", "After", placeholder="3h", maxlength=12),
        fields[kind],
        tag("div", tag("button", "Let it happen", type="submit"), class_="actions"),
        action=link(f"{_PATH}-add"),
        method="get",
        class_="filters",
        aria_labelledby=f"e-{kind}",
    )


def _state(view: View) -> list[Node]:
    """Return the fields that keep the exercise in a form."""
    return [
        tag("input", type="hidden", name=key, value=value)
        for key, values in view.asked.without(*FIELDS, "ended", "day").items()
        for value in values
    ]


def _component(kind: str) -> Html:
    return _field(kind, "component", "Component", list="components")


def _field(kind: str, name: str, label: str, **more: str | int) -> Html:
    identity = f"e-{kind}-{name}"
    box = tag("input", id=identity, name=name, required=True, autocomplete="off", **more)
    return tag("div", tag("label", label, for_=identity), box)
