"""What is lost in a disaster, who brings it back, and what happens meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta

import msgspec

from drystone.l05_graph.errors import ComponentNotFound, Mistake, ModelInvalid
from drystone.l05_graph.model import Component, Estimate, Key, Model, unknown
from drystone.l05_graph.words import Resilience

NOTHING = timedelta()
DAY = timedelta(days=1)


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """A time of each day at which a crew works.

    Attributes:
        begins: After midnight, universal time.
        lasts: At most a day; it may go on past midnight.
    """

    begins: timedelta
    lasts: timedelta


class Crew(msgspec.Struct, frozen=True, kw_only=True):
    """People who bring components back; each works on one at a time.

    Attributes:
        name: As components name it.
        people: How many work at once.
        awake: When; always when empty.
    """

    name: str
    people: int = 1
    awake: tuple[Shift, ...] = ()


class FailsAgain(msgspec.Struct, frozen=True, kw_only=True, tag="fails-again"):
    """A component is lost once more; work on it begins anew."""

    at: timedelta
    component: str


class PeopleChange(msgspec.Struct, frozen=True, kw_only=True, tag="people"):
    """People of a crew come, or leave once they have ended what they do."""

    at: timedelta
    crew: str
    by: int


class Discovery(msgspec.Struct, frozen=True, kw_only=True, tag="discovery"):
    """It turns out that a component cannot be brought into place without another; work on it stops."""

    at: timedelta
    component: str
    needs: str


class TakesLonger(msgspec.Struct, frozen=True, kw_only=True, tag="takes-longer"):
    """Work on a component takes so many times as long as was thought."""

    at: timedelta
    component: str
    factor: float


Event = FailsAgain | PeopleChange | Discovery | TakesLonger


class Disaster(msgspec.Struct, frozen=True, kw_only=True):
    """What is lost, who brings it back and what happens meanwhile; all times count from its begin.

    Attributes:
        title: For people.
        begins: The time of day of the loss, after midnight, universal time.
        everything: Whether everything but what others run is lost.
        layers: Layers that are lost.
        regions: Regions that are lost; with one goes what runs there and does not claim to survive that.
        components: Single components that are lost.
        data: Components that also lost their data, so that they take ``data_factor`` times as long.
        data_factor: The same.
        crews: Those who are named by components and have more than ``people``, or do not always work.
        people: How many people every other crew has.
        recovery: How long a component takes when nobody has said.
        waived: Dependencies that are done without, each by its key; who is brought up before one of them serves takes
            the time of its break-glass step, if it has one.
        may_break_glass: Whether the cheapest break-glass steps are taken where nothing would come up otherwise.
        soft_factor: With none of its soft dependencies there, work takes so much longer, as a share.
        events: What happens meanwhile.
    """

    title: str = ""
    begins: timedelta = NOTHING
    everything: bool = False
    layers: tuple[int, ...] = ()
    regions: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    data_factor: float = 2.0
    crews: tuple[Crew, ...] = ()
    people: int = 1
    recovery: Estimate = Estimate(
        least=timedelta(minutes=30), likely=timedelta(hours=1), most=timedelta(hours=3)
    )
    waived: tuple[Key, ...] = ()
    may_break_glass: bool = True
    soft_factor: float = 0.3
    events: tuple[Event, ...] = ()


def crew_of(component: Component) -> str:
    """Name who brings a component back."""
    return component.crew or component.owner or "nobody in particular"


def lost(model: Model, disaster: Disaster) -> frozenset[str]:
    """Return what is lost.

    Raises:
        ModelInvalid: The disaster contradicts itself or the model; every mistake is in it.
    """
    check(model, disaster)
    named = {*disaster.components, *disaster.data}
    gone = frozenset(disaster.regions)
    return frozenset(
        one.name
        for one in model.components
        if one.name in named
        or (disaster.everything and one.kind != "external")
        or one.layer in disaster.layers
        or _falls_with(one, gone)
    )


def _falls_with(one: Component, gone: frozenset[str]) -> bool:
    mine = set(one.regions)
    if not mine & gone:
        return False
    return mine <= gone or one.resilience is not Resilience.MULTI_REGION


def check(model: Model, disaster: Disaster) -> None:
    """Check that a disaster fits a model.

    Raises:
        ModelInvalid: It does not; every mistake is in it.
    """
    mistakes = [Mistake(message) for message in _mistakes(model, disaster)]
    if mistakes:
        raise ModelInvalid(mistakes)


def check_event(model: Model, disaster: Disaster, event: Event) -> None:
    """Check that an event fits a model and what is known of a disaster.

    Raises:
        ComponentNotFound: It names a component that is not there.
        ModelInvalid: It cannot happen otherwise.
    """
    for name in _components_of(event):
        if name not in model.by_name:
            raise ComponentNotFound(unknown(name, model.by_name), component=name)
    mistakes = [Mistake(message) for message in _mistakes_of(event, _crews(model, disaster))]
    if mistakes:
        raise ModelInvalid(mistakes)


def _crews(model: Model, disaster: Disaster) -> set[str]:
    return {*(crew.name for crew in disaster.crews), *map(crew_of, model.components)}


def _mistakes_of(event: Event, crews: Collection[str]) -> Iterator[str]:
    if isinstance(event, PeopleChange) and event.crew not in crews:
        yield f"no component has the crew {event.crew!r}, whose people change; name one that has work"
    if isinstance(event, TakesLonger) and not 0 < event.factor < float("inf"):
        yield f"{event.component} takes {event.factor:g} times as long; a factor is above 0"
    if event.at < NOTHING:
        yield "an event happens before the begin"


def _components_of(event: Event) -> tuple[str, ...]:
    if isinstance(event, PeopleChange):
        return ()
    return (event.component, event.needs) if isinstance(event, Discovery) else (event.component,)


def _mistakes(model: Model, disaster: Disaster) -> list[str]:
    named = [*disaster.components, *disaster.data]
    named += [name for event in disaster.events for name in _components_of(event)]
    found = [
        unknown(name, model.by_name) for name in dict.fromkeys(named) if name not in model.by_name
    ]
    names = [crew.name for crew in disaster.crews]
    crews = _crews(model, disaster)
    found += dict.fromkeys(
        message for event in disaster.events for message in _mistakes_of(event, crews)
    )
    found += [f"the crew {name!r} is there twice" for name in set(names) if names.count(name) > 1]
    for crew in disaster.crews:
        if crew.people < 0:
            found.append(f"the crew {crew.name!r} has {crew.people} people")
        for shift in crew.awake:
            if not (NOTHING <= shift.begins < DAY and NOTHING < shift.lasts <= DAY):
                found.append(f"a shift of {crew.name!r} begins within a day and lasts at most one")
    if disaster.people < 1:
        found.append(f"people is {disaster.people}; a crew has at least one")
    if disaster.data_factor < 1 or disaster.soft_factor < 0:
        found.append("data_factor is at least 1 and soft_factor at least 0")
    return found
