"""Disasters as YAML: what is lost, who brings it back, and what happens meanwhile.

.. code-block:: yaml

    title: The east is gone
    begins: "22:30"
    lost: {regions: [east], data: [orders-db]}
    people: 1
    crews:
      platform: 2
      commerce: {people: 3, awake: [08:00-18:00]}
    recovery: {least: 30m, likely: 1h, most: 3h}
    events:
      - {at: 2h, fails: orders-db}
      - {at: 4h, crew: platform, people: -1}
      - {at: 1h, component: orders, needs: flags}
      - {at: 30m, component: users, takes: 2}

Nothing but ``lost`` has to be said; without it, everything is lost. Times of day are universal time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l05_graph.disaster import (
    DAY,
    Crew,
    Disaster,
    Discovery,
    Event,
    FailsAgain,
    PeopleChange,
    Shift,
    TakesLonger,
)
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.forms.attributes import COMPONENT, DEPENDENCY, Attribute, Several, Single
from drystone.l05_graph.forms.blocks import Notes, attributes, complete, single
from drystone.l05_graph.forms.parts import in_order
from drystone.l05_graph.forms.survey import document
from drystone.l05_graph.forms.values import Unfit, duration, flag, number, text, whole
from drystone.l05_graph.model import Key
from drystone.l05_graph.words import Phase, Risk

DISASTER = Subject(
    name="disaster",
    begin="begin with 'lost:' and what is lost, such as '{regions: [east]}'",
    too_large="name layers or regions instead of components",
    most_bytes=4 * 1024 * 1024,
    most_values=200_000,
)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")


def clock(written: str) -> timedelta:
    """Read a time of day such as ``08:30``."""
    found = _CLOCK.fullmatch(written)
    time = timedelta(hours=int(found[1]), minutes=int(found[2])) if found else None
    if time is None or time > DAY:
        raise Unfit(f"expected a time of day such as 08:30, got {quoted(written)}")
    return time


def shift(written: str) -> Shift:
    """Read ``08:00-18:00``; one that ends before it begins goes past midnight."""
    begin, dash, end = written.partition("-")
    if not dash:
        raise Unfit(f"expected hours such as 08:00-18:00, got {quoted(written)}")
    begins, ends = clock(begin.strip()), clock(end.strip())
    return Shift(begins=begins % DAY, lasts=ends - begins if ends > begins else ends - begins + DAY)


TOP: Mapping[str, Attribute] = {
    "title": Single(text),
    "begins": Single(clock),
    "people": Single(whole),
    "recovery": COMPONENT["recovery"],
    "data_factor": Single(number),
    "soft_factor": Single(number),
    "may_break_glass": Single(flag),
}
LOST: Mapping[str, Attribute] = {
    "everything": Single(flag),
    "layers": Several(whole, tuple),
    "regions": Several(text, tuple),
    "components": Several(text, tuple),
    "data": Several(text, tuple),
}
CREW: Mapping[str, Attribute] = {"people": Single(whole), "awake": Several(shift, tuple)}
WAIVED: Mapping[str, Attribute] = {
    "source": Single(text),
    "target": Single(text),
    "risk": DEPENDENCY["risk"],
    "at": DEPENDENCY["at"],
}
EVENT: Mapping[str, Attribute] = {
    "at": Single(duration),
    "fails": Single(text),
    "component": Single(text),
    "needs": Single(text),
    "takes": Single(number),
    "crew": Single(text),
    "people": Single(whole),
}
LISTS = ("lost", "crews", "waived", "events")


def read(written: str | bytes, *, file: str = "disaster.yaml") -> Disaster:
    """Read a disaster.

    Raises:
        ModelInvalid: It has mistakes; all of them are in it, with their places.
    """
    notes = Notes(file)
    root = document(written, notes, DISASTER)
    entries = root.entries if root is not None else {}
    top = complete(attributes(entries, TOP, notes, "the disaster", LISTS), {})
    lost: dict[str, Any] = {"everything": True}
    if (entry := entries.get("lost")) is not None:
        said = attributes(notes.mapping(entry.node, "lost"), LOST, notes, "lost")
        lost = complete(said, {"everything": False})
    if (entry := entries.get("crews")) is not None:
        top["crews"] = tuple(_crews(notes.mapping(entry.node, "crews"), notes))
    top["waived"] = tuple(_waived(entries.get("waived"), notes))
    top["events"] = tuple(_events(entries.get("events"), notes))
    if notes.mistakes:
        raise ModelInvalid(in_order(notes.mistakes))
    return Disaster(**top, **lost)


def _crews(entries: Mapping[str, tree.Entry], notes: Notes) -> Iterator[Crew]:
    for name, entry in entries.items():
        what = f"crew {name}"
        if isinstance(entry.node, tree.Scalar):  # the short way: only how many
            people = single(entry.node, whole, notes, what)
            if isinstance(people, int):
                yield Crew(name=name, people=people)
            continue
        said = attributes(notes.mapping(entry.node, what), CREW, notes, what)
        yield Crew(name=name, **complete(said, {}))


def _items(
    entry: tree.Entry | None, what: str, notes: Notes
) -> Iterator[tuple[tree.Span, Mapping[str, tree.Entry]]]:
    if entry is None:
        return
    if not isinstance(entry.node, tree.Sequence):
        notes.add(entry.node.span, f"{what} is {tree.kind(entry.node)}; write a list")
        return
    for item in entry.node.items:
        yield item.span, notes.mapping(item, what)


def _waived(entry: tree.Entry | None, notes: Notes) -> Iterator[Key]:
    for span, entries in _items(entry, "waived", notes):
        said = complete(attributes(entries, WAIVED, notes, "waived"), {})
        if {"source", "target"} <= said.keys():
            usual = (said.get("risk", Risk.OTHER), said.get("at", (Phase.RUN,)))
            yield (said["source"], said["target"], *usual)
        else:
            notes.add(span, "waived: say source and target, and risk and at where they are said")


def _events(entry: tree.Entry | None, notes: Notes) -> Iterator[Event]:
    for span, entries in _items(entry, "an event", notes):
        before = len(notes.mistakes)
        said = complete(attributes(entries, EVENT, notes, "an event"), {})
        found = event_of(said)
        if found is not None:
            yield found
        elif len(notes.mistakes) == before:
            notes.add(
                span,
                "an event has at, and one of: fails; component and needs; component and takes; crew and people",
            )


def event_of(said: Mapping[str, Any]) -> Event | None:
    """Return the event that these attributes make; None when they make none."""
    match dict(said):
        case {"at": at, "fails": name, **rest} if not rest:
            return FailsAgain(at=at, component=name)
        case {"at": at, "component": name, "needs": needs, **rest} if not rest:
            return Discovery(at=at, component=name, needs=needs)
        case {"at": at, "component": name, "takes": factor, **rest} if not rest:
            return TakesLonger(at=at, component=name, factor=factor)
        case {"at": at, "crew": name, "people": by, **rest} if not rest:
            return PeopleChange(at=at, crew=name, by=by)
        case _:
            return None
