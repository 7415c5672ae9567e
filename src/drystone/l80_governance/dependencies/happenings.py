"""What happens meanwhile in a tabletop exercise, as the address of its page says it.

Each event is a line of a disaster as people write it for git: ``{at: 2h, fails: orders-db}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import assert_never

from drystone.l00_kernel.durations import NoDuration, TooLong, duration, show_duration
from drystone.l05_graph.disaster import (
    Discovery,
    Event,
    FailsAgain,
    PeopleChange,
    TakesLonger,
    crew_of,
)
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.forms import disaster as form
from drystone.l05_graph.forms.survey_text import flow
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.asked import Asked
from drystone.l80_governance.dependencies.durations import spoken
from drystone.l80_governance.dependencies.errors import QuestionUnclear

MOST = 100
"""Events in one address."""
LEAST_FACTOR, MOST_FACTOR = 0.01, 1000
KINDS: Mapping[str, str] = {
    "fails": "A component fails again",
    "people": "People of a crew leave or come",
    "needs": "A component turns out to need another",
    "takes": "A component takes so many times as long",
}
"""What can happen, in words."""
FIELDS = ("do", "back", "after", "component", "other", "crew", "by", "factor")
"""What the forms of events send besides the state of the page."""


def written(events: Iterable[Event]) -> list[str]:
    """Write each event as one line."""
    return [flow(_said(one)) for one in events]


def _said(event: Event) -> dict[str, object]:
    at = show_duration(event.at)
    match event:
        case FailsAgain():
            return {"at": at, "fails": event.component}
        case PeopleChange():
            return {"at": at, "crew": event.crew, "people": event.by}
        case Discovery():
            return {"at": at, "component": event.component, "needs": event.needs}
        case TakesLonger():
            return {"at": at, "component": event.component, "takes": event.factor}
        case _:
            assert_never(event)


def read(lines: Sequence[str]) -> tuple[Event, ...]:
    """Read what :func:`written` gives, and return it by time.

    Raises:
        QuestionUnclear: A line is no event, or there are too many.
    """
    if len(lines) > MOST:
        raise QuestionUnclear(f"there are {len(lines)} events; an exercise has at most {MOST}")
    if not lines:
        return ()
    body = "".join(f"  - {' '.join(line.splitlines())}\n" for line in lines)
    try:
        found = form.read(f"lost: {{everything: true}}\nevents:\n{body}", file="events").events
    except ModelInvalid as e:
        raise QuestionUnclear(f"an event cannot be read: {e.mistakes[0].message}") from e
    return tuple(sorted(found, key=lambda one: one.at))


def added(model: Model, asked: Asked) -> Event:
    """Return the event that a form asks for.

    Args:
        model: Whose components and crews it may name.
        asked: The fields of the form; ``do`` names which.

    Raises:
        QuestionUnclear: It is none.
        ComponentNotFound: It names a component that is not there.
    """
    kind = asked.choice("do", KINDS, "")
    if not kind:
        raise QuestionUnclear("choose what happens")
    at = _after(asked)
    if kind == "people":
        return PeopleChange(at=at, crew=_crew(model, asked), by=_by(asked))
    component = model.component(_required(asked, "component")).name
    match kind:
        case "fails":
            return FailsAgain(at=at, component=component)
        case "needs":
            needs = model.component(_required(asked, "other")).name
            return Discovery(at=at, component=component, needs=needs)
        case _:
            return TakesLonger(at=at, component=component, factor=_factor(asked))


def sentence(event: Event) -> str:
    """Say what happens."""
    at = f"After {spoken(event.at)}"
    match event:
        case FailsAgain():
            return f"{at}, {event.component} fails again"
        case PeopleChange():
            verb = "leave" if event.by < 0 else "join"
            return f"{at}, {abs(event.by)} of the crew {event.crew} {verb}"
        case Discovery():
            return f"{at}, it turns out that {event.component} needs {event.needs}"
        case TakesLonger():
            return f"{at}, {event.component} takes {event.factor:g} times as long as was thought"
        case _:
            assert_never(event)


def _after(asked: Asked) -> timedelta:
    said = _required(asked, "after")
    try:
        # A number alone is hours: that is what people say at a table.
        return duration(f"{said}h" if said.replace(".", "", 1).isdecimal() else said)
    except (NoDuration, TooLong) as e:
        raise QuestionUnclear(f"after is {said[:40]!r}; give a time such as 90m, 3h or 2d") from e


def _crew(model: Model, asked: Asked) -> str:
    said = _required(asked, "crew")
    if said not in {crew_of(one) for one in model.components}:
        raise QuestionUnclear(f"no component belongs to the crew {said[:60]!r}")
    return said


def _by(asked: Asked) -> int:
    said = _required(asked, "by")
    digits = said.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 5 and int(digits)):
        raise QuestionUnclear(f"by is {said[:40]!r}; give a number of people such as -1 or 2")
    return -int(digits) if said.startswith("-") else int(digits)


def _factor(asked: Asked) -> float:
    said = _required(asked, "factor")
    try:
        found = float(said) if said.isascii() and len(said) < 12 else 0.0
    except ValueError:
        found = 0.0
    if not LEAST_FACTOR <= found <= MOST_FACTOR:
        raise QuestionUnclear(
            f"factor is {said[:40]!r}; give a number from {LEAST_FACTOR} to {MOST_FACTOR}"
        )
    return found


def _required(asked: Asked, key: str) -> str:
    said = asked.text(key)
    if not said:
        raise QuestionUnclear(f"say which {key}" if key != "after" else "say after how long")
    return said
