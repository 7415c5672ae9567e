"""What a release waits for: laws over every order of facts, and windows where clocks are set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from drystone.l50_orchestrator.releases.admission import (
    APPROVED_WITHIN,
    Approval,
    Facts,
    Interval,
    missing,
    soaked,
    weigh,
)
from drystone.l50_orchestrator.releases.errors import RequestUnfit
from drystone.l50_orchestrator.releases.windows import is_open, opens_at, parse

START = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
TIMES = st.timedeltas(timedelta(), timedelta(days=365)).map(lambda passed: START + passed)
NAMES = st.sampled_from(["ada", "bob", "leads", "sre"])
WINDOWS = st.sampled_from(
    [
        "mon-thu 09:00-16:00 Europe/Berlin",
        "mon-fri 09:00-16:00 australia/sydney",
        "sat,sun 22:00-04:00 america/new_york",
        "fri-mon 00:00-23:59",
        "wed 02:30-02:45 Europe/Berlin",
    ]
).map(parse)
APPROVALS = st.builds(Approval, NAMES, st.frozensets(NAMES, max_size=2), st.booleans(), st.just(""))


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    now = draw(TIMES)
    since = now - draw(st.timedeltas(timedelta(), timedelta(days=3)))
    until = draw(st.none() | st.just(now))
    order: Literal["", "pause", "resume", "abort"] = draw(
        st.sampled_from(["", "", "pause", "resume", "abort"])
    )
    return Facts(
        now=now,
        asked_at=now - draw(st.timedeltas(timedelta(), timedelta(days=9))),
        is_way_back=draw(st.booleans()),
        order=order,
        after=draw(st.sampled_from(["", "staging"])),
        soak=draw(st.none() | st.timedeltas(timedelta(), timedelta(days=3))),
        served_there=draw(st.sampled_from([(), (Interval(since, until),)])),
        approve=tuple(draw(st.lists(NAMES, max_size=2, unique=True))),
        approvals=tuple(draw(st.lists(APPROVALS, max_size=3))),
        windows=tuple(draw(st.lists(WINDOWS, max_size=2))),
    )


@given(facts())
def test_what_may_go_has_all_that_it_waits_for(one: Facts) -> None:
    said = weigh(one)
    if said.what != "go" or one.is_way_back:
        return
    assert missing(one) == ()
    assert all(word.agrees for word in one.approvals)
    assert is_open(one.windows, one.now)
    assert not one.after or soaked(one.served_there, one.now) >= (one.soak or timedelta())
    assert one.order not in {"pause", "abort"}


@given(facts())
def test_a_way_back_waits_for_nothing_but_an_order(one: Facts) -> None:
    said = weigh(structs.replace(one, is_way_back=True))
    assert said.what == {"abort": "end", "pause": "wait"}.get(one.order, "go")


@given(facts())
def test_who_waits_knows_why_and_looks_again(one: Facts) -> None:
    said = weigh(one)
    if said.what != "go":
        assert said.why
    assert timedelta() < said.within <= timedelta(hours=1)


@given(facts(), APPROVALS)
def test_one_more_yes_never_holds_anything_back(one: Facts, word: Approval) -> None:
    more = structs.replace(one, approvals=(*one.approvals, structs.replace(word, agrees=True)))
    order = {"end": 0, "wait": 1, "go": 2}
    assert order[weigh(more).what] >= order[weigh(one).what]


def test_an_approval_is_waited_for_for_a_week() -> None:
    one = Facts(now=START + APPROVED_WITHIN, asked_at=START, approve=("leads",))
    assert weigh(one).what == "end"
    assert weigh(structs.replace(one, asked_at=START + timedelta(seconds=2))).what == "wait"


@given(st.lists(WINDOWS, min_size=1, max_size=3).map(tuple), TIMES)
def test_a_window_is_open_when_it_opens_and_closed_just_before(windows, now) -> None:  # type: ignore[no-untyped-def]
    opens = opens_at(windows, now)
    assert opens is not None
    assert opens >= now
    assert is_open(windows, opens)
    if opens > now:
        assert not is_open(windows, now)
        assert not is_open(windows, opens - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("text", "now", "opens"),
    [
        # The Sunday in March on which Berlin goes from one to two hours ahead of UTC.
        ("sun 09:00-16:00 Europe/Berlin", datetime(2026, 3, 29, 0, tzinfo=UTC), datetime(2026, 3, 29, 7, tzinfo=UTC)),
        ("sat 09:00-16:00 Europe/Berlin", datetime(2026, 3, 28, 0, tzinfo=UTC), datetime(2026, 3, 28, 8, tzinfo=UTC)),
        # Three in the morning comes twice in October; the window opens the first time.
        ("sun 02:30-05:00 Europe/Berlin", datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("mon 23:00-01:00 UTC", datetime(2026, 3, 3, 0, 30, tzinfo=UTC), datetime(2026, 3, 3, 0, 30, tzinfo=UTC)),
        ("mon 23:00-01:00 UTC", datetime(2026, 3, 3, 1, 0, tzinfo=UTC), datetime(2026, 3, 9, 23, tzinfo=UTC)),
        ("mon 09:00-16:00 australia/sydney", datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 22, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_windows_go_by_the_wall_clock_of_their_zone(
    text: str, now: datetime, opens: datetime
) -> None:
    assert opens_at((parse(text),), now) == opens


@pytest.mark.parametrize("text", ["mon", "mon 25:00-26:00", "mon 09:00-16:00 Mars/Base", "", "xyz 1-2", "mon 09:00-16:00 ../../etc"])  # fmt: skip
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(RequestUnfit):
        parse(text)
