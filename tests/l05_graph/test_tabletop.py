from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.disaster import (
    Crew,
    Disaster,
    Discovery,
    FailsAgain,
    PeopleChange,
    Shift,
    TakesLonger,
    lost,
)
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.model import BreakGlass, Component, Estimate, Group, Model, checked
from drystone.l05_graph.rehearsal_plan import Reason
from drystone.l05_graph.tabletop import tabletop
from drystone.l05_graph.words import BEFORE_SERVING, Phase, Resilience
from drystone.l05_graph.working_time import WorkingTime
from l05_graph.recovering import models, need, recovered

START, RUN = Phase.START, Phase.RUN
HOUR = timedelta(hours=1)
ZERO = timedelta()


def hours(count: float) -> Estimate:
    return Estimate(least=HOUR * count, likely=HOUR * count, most=HOUR * count)


def component(name: str, takes: float = 1, crew: str = "", **more: object) -> Component:
    return Component(name=name, recovery=hours(takes), crew=crew or name, **more)  # type: ignore[arg-type]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Model, Disaster]:
    """Draw a model with a few crews, and what is lost of it."""
    model = draw(models())
    people = st.sampled_from(["x", "y"])
    components = [
        component(one.name, draw(st.integers(1, 5)), draw(people)) for one in model.components
    ]
    names = st.sampled_from([one.name for one in components])
    gone = draw(st.lists(names, unique=True, min_size=1))
    keys = [one.key for one in model.dependencies]
    waived = draw(st.lists(st.sampled_from(keys), unique=True, max_size=2)) if keys else []
    count = draw(st.integers(1, 3))
    crews = (Crew(name="x", people=count),)
    disaster = Disaster(components=tuple(gone), crews=crews, soft_factor=0, waived=tuple(waived))
    return checked(components, model.dependencies, model.groups), disaster


@given(cases())
def test_what_serves_in_the_end_is_what_people_could_bring_up_step_by_step(
    rehearsed: tuple[Model, Disaster],
) -> None:
    model, disaster = rehearsed
    found = tabletop(model, disaster)
    there = {one.name for one in model.components} - set(disaster.components)
    assert set(found.serves) == recovered(model, disaster.waived, there)
    assert {one.component for one in found.unrecovered} == {
        one.name for one in model.components
    } - set(found.serves)


@given(cases())
def test_work_begins_when_all_that_is_needed_before_serves_and_somebody_is_free(
    rehearsed: tuple[Model, Disaster],
) -> None:
    model, disaster = rehearsed
    found = tabletop(model, disaster)
    for bar in found.bars:
        for one in model.needs.get(bar.component, ()):
            is_plain = one.group is None and one.is_hard and one.key not in disaster.waived
            if is_plain and BEFORE_SERVING & set(one.at):
                assert found.serves[one.target] <= bar.begins
        going = [o for o in found.bars if o.crew == bar.crew and o.begins <= bar.begins < o.ends]
        people = {"x": disaster.crews[0].people}.get(bar.crew, 1)
        assert len(going) <= people
        # Nobody is idle while something waits: at each begin, what it waited for has just happened.
        if bar.reason is Reason.NEED and bar.because is not None:
            assert found.serves[bar.because] == bar.begins
        elif bar.reason is Reason.CREW:
            assert bar.begins in {o.ends for o in found.bars if o.component == bar.because}
        else:
            assert (bar.reason, bar.begins) == (Reason.BEGIN, ZERO)


@given(cases())
def test_the_chain_leads_from_the_begin_to_the_end_without_a_pause(
    rehearsed: tuple[Model, Disaster],
) -> None:
    model, disaster = rehearsed
    found = tabletop(model, disaster)
    done = [one for one in found.bars if one.component in found.serves]
    assert bool(found.chain) == bool(done)
    if done:
        assert found.chain[0].begins == ZERO
        assert found.chain[-1].ends == max(found.serves[one.component] for one in done)
    for one, then in itertools.pairwise(found.chain):
        assert then.begins == one.ends


@given(cases())
def test_the_days_count_what_serves(rehearsed: tuple[Model, Disaster]) -> None:
    found = tabletop(*rehearsed)
    served = [name for day in found.days for name in day.serves_now]
    assert sorted(served) == sorted(n for n, at in found.serves.items() if at > ZERO)
    for one, then in itertools.pairwise(found.days):
        assert one.down_at_end == then.down_at_begin
    if found.days:
        assert found.days[-1].down_at_end == len(found.unrecovered)


@settings(max_examples=25, deadline=None)
@given(cases(), st.integers(0, 5))
def test_equal_seeds_give_equal_spreads(rehearsed: tuple[Model, Disaster], seed: int) -> None:
    model, disaster = rehearsed
    first = tabletop(model, disaster, runs=5, seed=seed)
    assert first == tabletop(model, disaster, runs=5, seed=seed)
    assert first.many is not None
    # All durations are certain, so that every run is the likely one.
    assert first.many.lasts.p50 == first.many.lasts.p90 == first.lasts
    assert set(first.many.criticality.values()) <= {1.0}
    assert set(first.many.criticality) == {one.component for one in first.chain}


def test_where_nothing_can_come_back_it_is_over_at_once() -> None:
    pair = [Component(name=name, recovery=hours(1), crew="x") for name in ("a", "b")]
    model = checked(pair, [need("a", "b", START), need("b", "a", START)])
    found = tabletop(model, Disaster(components=("a", "b")), runs=3, seed=1)
    assert found.many is not None
    assert found.lasts == found.many.lasts.p50 == timedelta()


def test_uncertain_durations_spread_and_the_longer_branch_is_critical_more_often() -> None:
    wide = Estimate(least=HOUR, likely=HOUR * 2, most=HOUR * 6)
    narrow = Estimate(least=HOUR * 2, likely=HOUR * 2, most=HOUR * 3)
    model = checked(
        [
            Component(name="a", recovery=wide, crew="a", products=("shop",)),
            Component(name="b", recovery=narrow, crew="b"),
            Component(name="top", recovery=hours(1), crew="top", products=("shop",)),
        ],
        [need("top", "a", START), need("top", "b", START)],
    )
    many = tabletop(model, Disaster(everything=True), runs=400, seed=1)
    assert many.many is not None
    shares = many.many.criticality
    assert shares["top"] == 1.0
    assert shares["a"] + shares["b"] == 1.0
    assert shares["a"] > 0.5 > shares["b"] > 0.05
    p50, p90 = many.many.lasts.p50, many.many.lasts.p90
    assert p50 is not None
    assert p90 is not None
    assert HOUR * 3 < p50 < p90 < HOUR * 7
    assert many.products[0].spread == many.many.lasts


def test_a_circle_while_serving_serves_when_its_last_member_is_in_place() -> None:
    model = checked([component("a", 1), component("b", 3)], [need("a", "b"), need("b", "a")])
    found = tabletop(model, Disaster(everything=True))
    assert found.serves == {"a": HOUR * 3, "b": HOUR * 3}
    assert [one.component for one in found.chain] == ["b"]


def deadlock() -> Model:
    glass = BreakGlass(takes=HOUR * 5, cost=3, runbook="by-hand.md")
    return checked(
        [
            component("registry", 1, owner="storage", break_glass=glass),
            component("orchestrator", 2, break_glass=BreakGlass(takes=HOUR, cost=9)),
            component("shop", 1),
        ],
        [
            need("registry", "orchestrator", START),
            need("orchestrator", "registry", START),
            need("shop", "orchestrator"),
        ],
    )


def test_the_cheapest_break_glass_step_opens_a_deadlock_and_is_told_with_its_cost() -> None:
    found = tabletop(deadlock(), Disaster(everything=True))
    assert found.serves == {"registry": HOUR * 5, "orchestrator": HOUR * 7, "shop": HOUR * 7}
    (glass,) = found.glass
    assert (glass.component, glass.owner, glass.cost) == ("registry", "storage", 3)
    assert (glass.takes, glass.runbook) == (HOUR * 5, "by-hand.md")


def test_without_break_glass_a_deadlock_stays_and_says_why() -> None:
    found = tabletop(deadlock(), Disaster(everything=True, may_break_glass=False))
    assert found.serves == {}
    why = {one.component: (one.is_placed, one.path) for one in found.unrecovered}
    assert why["shop"] == (True, ("shop", "orchestrator", "registry", "orchestrator"))
    assert why["registry"] == (False, ("registry", "orchestrator", "registry"))


def test_who_does_without_a_waived_need_takes_the_time_of_the_step() -> None:
    model = deadlock()
    waived = tuple(one.key for one in model.dependencies if one.source == "registry")
    found = tabletop(model, Disaster(everything=True, waived=waived))
    assert found.serves["registry"] == HOUR * 5
    assert found.serves["shop"] == HOUR * 7
    assert [one.component for one in found.glass] == ["registry"]


def test_soft_dependencies_that_are_not_there_slow_the_work_down() -> None:
    model = checked(
        [component("logs", 2), component("a", 1), component("b", 1)],
        [need("a", "logs", soft=True), need("b", "a", START), need("b", "logs", soft=True)],
    )
    found = tabletop(model, Disaster(everything=True, soft_factor=0.5))
    assert found.serves == {"logs": HOUR * 2, "a": HOUR * 1.5, "b": HOUR * 3}


def test_a_crew_works_while_it_is_awake() -> None:
    model = checked([component("a", 10, "day"), component("b", 1)], [need("b", "a", START)])
    shift = Shift(begins=HOUR * 9, lasts=HOUR * 8)
    found = tabletop(
        model,
        Disaster(everything=True, begins=HOUR * 20, crews=(Crew(name="day", awake=(shift,)),)),
    )
    # Lost at 20:00; from 9:00 to 17:00, and from 9:00 to 11:00 the day after.
    assert found.bars[0].reason is Reason.ASLEEP
    assert (found.bars[0].begins, found.bars[0].ends) == (HOUR * 13, HOUR * 39)
    assert [day.down_at_end for day in found.days] == [2, 0]


def test_a_component_that_fails_again_is_brought_back_again_and_those_above_with_it() -> None:
    model = checked([component("a", 1), component("b", 1)], [need("b", "a")])
    found = tabletop(
        model, Disaster(everything=True, events=(FailsAgain(at=HOUR * 5, component="a"),))
    )
    assert found.serves == {"a": HOUR * 6, "b": HOUR * 6}
    assert [bar.component for bar in found.bars] == ["a", "b", "a"]
    stopped = tabletop(
        model, Disaster(everything=True, events=(FailsAgain(at=HOUR / 2, component="a"),))
    )
    assert [bar.is_done for bar in stopped.bars if bar.component == "a"] == [False, True]
    assert stopped.serves["a"] == HOUR * 1.5


def test_what_is_discovered_stops_the_work_until_it_serves() -> None:
    model = checked([component("a", 2), component("b", 3)], [])
    found = tabletop(
        model,
        Disaster(everything=True, events=(Discovery(at=HOUR, component="a", needs="b"),)),
    )
    assert found.serves == {"a": HOUR * 5, "b": HOUR * 3}
    late = Discovery(at=HOUR * 4, component="a", needs="b")
    assert tabletop(model, Disaster(everything=True, events=(late,))).serves["a"] == HOUR * 2


def test_a_person_who_leaves_is_missed_and_one_who_comes_takes_work() -> None:
    parts = [component(name, 2, "team") for name in "abcd"]
    crew = (Crew(name="team", people=2),)
    model = checked(parts, [])
    whole = tabletop(model, Disaster(everything=True, crews=crew))
    leaves = PeopleChange(at=HOUR, crew="team", by=-1)
    comes = PeopleChange(at=HOUR, crew="team", by=2)
    fewer = tabletop(model, Disaster(everything=True, crews=crew, events=(leaves,)))
    more = tabletop(model, Disaster(everything=True, crews=crew, events=(comes,)))
    assert (whole.lasts, fewer.lasts, more.lasts) == (HOUR * 4, HOUR * 6, HOUR * 3)
    assert whole.crews[0].share == 1.0


def test_work_that_takes_longer_ends_later() -> None:
    model = checked([component("a", 4), component("b", 4, "a")], [])
    event = TakesLonger(at=HOUR, component="a", factor=2)
    found = tabletop(model, Disaster(everything=True, events=(event,)))
    assert found.serves == {"a": HOUR * 7, "b": HOUR * 11}


def test_what_is_lost_follows_from_layers_regions_names_and_data() -> None:
    model = checked(
        [
            component("low", layer=3),
            component("west", regions=("west",)),
            component("both", regions=("east", "west")),
            component("claims", regions=("east", "west"), resilience=Resilience.MULTI_REGION),
            component("named"),
            component("data"),
            component("theirs", kind="external"),
        ],
        [],
    )
    disaster = Disaster(layers=(3,), regions=("west",), components=("named",), data=("data",))
    assert lost(model, disaster) == {"low", "west", "both", "named", "data"}
    assert "theirs" not in lost(model, Disaster(everything=True))
    found = tabletop(model, disaster)
    assert (found.serves["data"], found.serves["named"]) == (HOUR * 2, HOUR)
    assert found.serves["claims"] == ZERO


def test_every_mistake_of_a_scenario_is_told_at_once() -> None:
    model = checked([component("a")], [])
    disaster = Disaster(
        components=("b",),
        crews=(Crew(name="x"), Crew(name="x", people=-1)),
        people=0,
        soft_factor=-1,
        events=(PeopleChange(at=-HOUR, crew="nobody", by=1),),
    )
    with pytest.raises(ModelInvalid) as caught:
        tabletop(model, disaster)
    assert len(caught.value.mistakes) == 7
    assert "there is no component 'b'" in str(caught.value)


def test_alternatives_inside_a_circle_serve_as_soon_as_enough_do() -> None:
    model = checked(
        [component("a", 1), component("b", 2), component("c", 9)],
        [need("a", "b", group="g"), need("a", "c", group="g"), need("b", "a"), need("c", "a")],
        [Group(component="a", name="g")],
    )
    found = tabletop(model, Disaster(everything=True))
    assert found.serves == {"a": HOUR * 2, "b": HOUR * 2, "c": HOUR * 9}


SHIFTS = st.lists(
    st.builds(
        Shift,
        begins=st.integers(0, 23).map(lambda n: n * HOUR),
        lasts=st.integers(1, 24).map(lambda n: n * HOUR),
    ),
    max_size=3,
)


@given(SHIFTS, st.integers(0, 47), st.integers(0, 60), st.integers(0, 23))
def test_working_time_is_what_the_clock_shows_hour_by_hour(
    shifts: list[Shift], moment: int, work: int, begins: int
) -> None:
    def works(hour: int) -> bool:
        spans = [(one.begins // HOUR, one.lasts // HOUR) for one in shifts]
        return not spans or any((hour + begins - first) % 24 < long for first, long in spans)

    times = WorkingTime(shifts, begins * HOUR)
    first = next(hour for hour in itertools.count(moment) if works(hour))
    assert times.next(moment * 3600) == first * 3600
    hour, left = first, work
    while left:
        left -= works(hour)
        hour += 1
    assert times.end(first * 3600, work * 3600) == hour * 3600
