from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.disaster import (
    Crew,
    Disaster,
    Discovery,
    Event,
    FailsAgain,
    PeopleChange,
    Shift,
    TakesLonger,
)
from drystone.l05_graph.errors import ComponentNotFound, ModelInvalid
from drystone.l05_graph.exercise import Facilitator, NotNow, OtherModel
from drystone.l05_graph.exercise_state import (
    Action,
    Advance,
    Begin,
    Done,
    Exercise,
    Failed,
    Inject,
)
from drystone.l05_graph.model import BreakGlass, Component, Estimate, Model, checked
from drystone.l05_graph.tabletop import tabletop
from drystone.l05_graph.words import Phase
from l05_graph.recovering import models, need, recovered

HOUR = timedelta(hours=1)
NEXT = Advance()


def component(name: str, takes: int, crew: str, **more: object) -> Component:
    lasts = HOUR * takes
    estimate = Estimate(least=lasts, likely=lasts, most=lasts)
    return Component(name=name, recovery=estimate, crew=crew, **more)  # type: ignore[arg-type]


def small() -> Model:
    return checked(
        [component("db", 2, "storage"), component("shop", 1, "web"), component("logs", 1, "web")],
        [need("shop", "db", Phase.START, Phase.RUN), need("shop", "logs", soft=True)],
    )


DISASTER = Disaster(everything=True, soft_factor=0)


def play(leads: Facilitator, *actions: Action) -> Exercise:
    return leads.replay(actions)


def lines(state: Exercise) -> list[str]:
    return [f"{entry.at // HOUR}: {entry.text}" for entry in state.log]


def test_a_whole_exercise_is_played_step_by_step() -> None:
    leads = Facilitator(small(), DISASTER)
    state = leads.begin()
    assert [(one.component, one.crew, one.is_free) for one in leads.startable(state)] == [
        ("db", "storage", True),
        ("logs", "web", True),
    ]
    state = play(leads, Begin(component="db"), Begin(component="logs"), NEXT, NEXT)
    assert state.now == HOUR * 2
    assert leads.serving(state) == {"db", "logs"}
    state = leads.step(leads.step(state, Begin(component="shop")), Advance(by=HOUR * 5))
    assert leads.serving(state) == {"db", "logs", "shop"}
    assert leads.startable(state) == ()
    assert lines(state) == [
        "0: storage begins with db, until 2:00:00",
        "0: web begins with logs, until 1:00:00",
        "1: logs is in place, by web",
        "1: logs serves now",
        "2: db is in place, by storage",
        "2: db serves now",
        "2: web begins with shop, until 3:00:00",
        "3: shop is in place, by web",
        "3: shop serves now",
    ]


@pytest.mark.parametrize(
    ("before", "action", "message"),
    [
        ((), Begin(component="shop"), "shop needs db before it can be brought into place"),
        ((), Begin(component="shop", by_hand=True), "shop has no break-glass step"),
        ((), NEXT, "nothing goes on and nothing is planned"),
        ((), Advance(by=-HOUR), "time does not run backwards"),
        ((Begin(component="db"),), Begin(component="db"), "somebody works on it"),
        ((Done(component="db"), Begin(component="logs")), Begin(component="shop"), "nobody of web is free; they work on logs"),
        ((Done(component="db"),), Done(component="db"), "db is in place already"),
    ],
)  # fmt: skip
def test_a_step_that_cannot_be_done_says_why(
    before: tuple[Action, ...], action: Action, message: str
) -> None:
    leads = Facilitator(small(), DISASTER)
    with pytest.raises(NotNow, match=message):
        leads.step(play(leads, *before), action)


def test_an_unknown_component_is_refused_with_a_proposal() -> None:
    leads = Facilitator(small(), DISASTER)
    for action in (
        Begin(component="shpo"),
        Failed(component="shpo"),
        Inject(event=FailsAgain(at=HOUR, component="shpo")),
    ):
        with pytest.raises(ComponentNotFound, match="did you mean 'shop'"):
            leads.step(leads.begin(), action)


def test_the_state_survives_being_written_down() -> None:
    leads = Facilitator(small(), DISASTER)
    event = Inject(event=FailsAgain(at=HOUR * 4, component="db"))
    state = play(leads, Begin(component="db"), event, NEXT)
    again = msgspec.json.decode(msgspec.json.encode(state), type=Exercise)
    assert again == state
    other = Facilitator(small(), DISASTER)
    assert other.step(again, NEXT) == leads.step(state, NEXT)
    assert other.undo(again) == leads.undo(state)


def test_an_exercise_goes_on_with_its_own_model_alone() -> None:
    state = Facilitator(small(), DISASTER).begin()
    stranger = Facilitator(checked([component("db", 1, "x")], []), DISASTER)
    with pytest.raises(OtherModel, match="another model or disaster"):
        stranger.step(state, NEXT)


def test_what_fails_takes_down_what_needs_it_and_can_be_brought_back() -> None:
    leads = Facilitator(small(), DISASTER)
    state = play(leads, Done(component="db"), Done(component="shop"), Failed(component="db"))
    assert leads.serving(state) == frozenset()
    assert lines(state)[-3:] == [
        "0: db is lost",
        "0: db no longer serves",
        "0: shop no longer serves",
    ]
    state = leads.step(leads.step(state, Begin(component="db")), NEXT)
    assert leads.serving(state) == {"db", "shop"}


def test_events_of_the_scenario_and_of_the_facilitator_happen_in_their_time() -> None:
    shift = Shift(begins=HOUR * 0, lasts=HOUR * 10)
    disaster = Disaster(
        everything=True,
        soft_factor=0,
        crews=(Crew(name="storage", awake=(shift,)),),
        events=(PeopleChange(at=HOUR * 3, crew="web", by=-1),),
    )
    leads = Facilitator(small(), disaster)
    late = Inject(event=TakesLonger(at=HOUR, component="db", factor=3))
    state = play(leads, Begin(component="db"), late, Advance(by=HOUR))
    assert state.tasks[0].ends == HOUR * 4
    state = leads.step(state, Advance(by=HOUR * 2))
    assert [one.is_free for one in leads.startable(state)] == [False]
    with pytest.raises(NotNow, match="nobody of web is free; they work on nothing, and are gone"):
        leads.step(state, Begin(component="logs"))
    with pytest.raises(NotNow, match="storage is asleep until 1 day, 0:00:00"):
        leads.step(leads.step(leads.step(state, Failed(component="db")), Advance(by=HOUR * 8)), Begin(component="db"))  # fmt: skip


def test_a_discovery_stops_the_work_until_what_is_needed_serves() -> None:
    leads = Facilitator(small(), DISASTER)
    found = Inject(event=Discovery(at=timedelta(), component="logs", needs="db"))
    state = play(leads, Begin(component="logs"), found)
    assert state.tasks == ()
    with pytest.raises(NotNow, match="logs needs db"):
        leads.step(state, Begin(component="logs"))
    state = leads.step(leads.step(state, Done(component="db")), Begin(component="logs"))
    assert [task.component for task in state.tasks] == ["logs"]


def test_break_glass_is_offered_after_the_ordinary_work() -> None:
    glass = BreakGlass(takes=HOUR * 5)
    model = checked(
        [component("a", 1, "x", break_glass=glass), component("b", 1, "y")],
        [need("a", "b", Phase.START), need("b", "a", Phase.START)],
    )
    leads = Facilitator(model, DISASTER)
    (offered,) = leads.startable(leads.begin())
    assert (offered.component, offered.by_hand, offered.takes) == ("a", True, HOUR * 5)
    state = play(leads, Begin(component="a", by_hand=True), NEXT, Begin(component="b"), NEXT)
    assert leads.serving(state) == {"a", "b"}
    assert state.now == HOUR * 6


def games(leads: Facilitator, draw: Callable[[st.SearchStrategy[object]], object]) -> Exercise:
    """Play at random: begin with something that is offered, or let time pass, or let something fail."""
    state = leads.begin()
    for _ in range(draw(st.integers(0, 6))):  # type: ignore[call-overload]
        free = [one.component for one in leads.startable(state) if one.is_free and not one.by_hand]
        could: list[Action] = [Begin(component=name) for name in free]
        could += [Failed(component=name) for name in sorted(state.placed)][:1]
        could += [NEXT] if state.tasks else [Advance(by=HOUR)]
        state = leads.step(state, draw(st.sampled_from(could)))  # type: ignore[arg-type]
    return state


@given(models(), st.data())
def test_undo_leads_back_and_replay_leads_to_the_same(model: Model, data: st.DataObject) -> None:
    leads = Facilitator(model, DISASTER)
    state = games(leads, data.draw)
    assert leads.replay(state.actions) == state
    if state.actions:
        assert leads.step(leads.undo(state), state.actions[-1]) == state


@given(models())
def test_who_does_all_that_is_offered_brings_up_all_that_can_be(model: Model) -> None:
    leads = Facilitator(model, DISASTER)
    state = leads.begin()
    while True:
        free = [one for one in leads.startable(state) if one.is_free]
        if free:
            state = leads.step(state, Begin(component=free[0].component))
        elif state.tasks:
            state = leads.step(state, NEXT)
        else:
            break
    assert leads.serving(state) == recovered(model)
    rehearsed = tabletop(model, DISASTER)
    assert leads.serving(state) == set(rehearsed.serves)
    # The most urgent first, as the rehearsal does, with one crew for all.
    assert state.now == max((bar.ends for bar in rehearsed.bars), default=timedelta())


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (PeopleChange(at=HOUR, crew="nobody", by=1), "no component has the crew 'nobody'"),
        (TakesLonger(at=HOUR, component="a", factor=-1), "a factor is above 0"),
        (TakesLonger(at=HOUR, component="a", factor=float("nan")), "a factor is above 0"),
        (FailsAgain(at=-HOUR, component="a"), "an event happens before the begin"),
    ],
)
def test_an_event_that_cannot_happen_is_refused_in_plans_and_exercises(
    event: Event, says: str
) -> None:
    model = checked([Component(name="a")], [])
    with pytest.raises(ModelInvalid, match=says):
        Facilitator(model, Disaster(everything=True, events=(event,)))
    game = Facilitator(model, Disaster(everything=True))
    with pytest.raises(ModelInvalid, match=says):
        game.step(game.begin(), Inject(event=event))
