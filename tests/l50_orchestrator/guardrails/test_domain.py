"""Exceptions and freezes: what may be said, and when it counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l50_orchestrator.guardrails import domain
from drystone.l50_orchestrator.guardrails.api import ExceptionSaid, FreezeSaid
from drystone.l50_orchestrator.guardrails.domain import Asked, Frozen
from drystone.l50_orchestrator.guardrails.errors import ExceptionUnfit, FreezeUnfit, SamePerson
from drystone.l50_orchestrator.ports import Actor
from l50_orchestrator.guardrails.ground import DEV, NOW, PROD, said

TODAY = NOW.date()
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Kolkata",
    ]
)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2029, 12, 31)).map(  # noqa: DTZ001 - of a clock on a wall
    lambda moment: moment.replace(second=0, microsecond=0)
)


def excepted(**different: object) -> ExceptionSaid:
    given_: dict[str, Any] = {
        "policy": "backup",
        "service": "orders",
        "environment": "prod",
        "reason": "moves next month",
        "owner": "ada",
        "until": TODAY + timedelta(days=30),
    } | different
    return ExceptionSaid(**given_)


def asked(**different: object) -> Asked:
    return Asked("moving", excepted(**different), "ada", "", NOW, "max", NOW)


@pytest.mark.parametrize(
    ("different", "told"),
    [
        ({"policy": "nope"}, "there is no policy 'nope'"),
        ({"environment": ""}, "say where it counts"),
        ({"type": "prod"}, "say where it counts"),
        ({"service": "Orders; DROP TABLE x"}, "is no name of a service"),
        ({"reason": " "}, "the reason has 1 to 500"),
        ({"owner": "x" * 501}, "the owner has 1 to 500"),
        ({"until": TODAY - timedelta(days=1)}, "90 days at most"),
        ({"until": TODAY + timedelta(days=91)}, "90 days at most"),
    ],
)
def test_an_exception_is_bounded_and_has_a_reason(different: dict[str, object], told: str) -> None:
    with pytest.raises(ExceptionUnfit, match=told):
        domain.checked_exception(excepted(**different), {"backup"}, TODAY)
    domain.checked_exception(excepted(until=TODAY), {"backup"}, TODAY)
    domain.checked_exception(excepted(until=TODAY + timedelta(days=90)), {"backup"}, TODAY)


def test_an_exception_is_for_one_policy_one_service_and_one_place() -> None:
    assert domain.is_about(asked(), "backup", "orders", PROD)
    assert not domain.is_about(asked(), "protect", "orders", PROD)
    assert not domain.is_about(asked(), "backup", "orders2", PROD)
    assert not domain.is_about(asked(), "backup", "orders", DEV)
    assert domain.is_about(asked(environment="", type="prod"), "backup", "orders", PROD)


@given(st.dates(date(2026, 1, 1), date(2027, 1, 1)))
def test_an_exception_counts_up_to_its_last_day_and_only_when_allowed(today: date) -> None:
    one = asked()
    assert domain.counts(one, today) == (today <= one.said.until)
    view = domain.exception_view(one, today)
    assert (view.days_left >= 0) == (view.state == "counts")
    nobody = Asked("moving", one.said, "ada", "", NOW)
    assert not domain.counts(nobody, today)


@pytest.mark.parametrize(
    ("actor", "behind", "allowed"),
    [
        (Actor("max", "person"), "", True),
        (Actor("ada", "person"), "", False),
        (Actor("token:7", "token", behind="ada"), "", False),
        (Actor("token:7", "token", behind="max"), "", True),
        (Actor("bob", "person"), "bob", False),
        (Actor("token:8", "token", behind="bob"), "bob", False),
    ],
)
def test_an_exception_has_four_eyes_also_behind_tokens(
    actor: Actor, behind: str, allowed: bool
) -> None:
    by = "ada" if not behind else "token:9"
    one = Asked("moving", excepted(), by, behind, NOW)
    if allowed:
        domain.require_another(one, actor)
    else:
        with pytest.raises(SamePerson):
            domain.require_another(one, actor)


@given(MOMENTS, st.integers(1, 5000), ZONES)
def test_a_freeze_covers_every_reading_of_the_clock_on_the_wall(
    start: datetime, minutes: int, zone: str
) -> None:
    end = start + timedelta(minutes=minutes)
    frozen = FreezeSaid(start.isoformat(), end.isoformat(), "holidays", zone)
    begins, ends = domain.span(frozen)
    for fold in (0, 1):
        there = ZoneInfo(zone)
        assert begins <= start.replace(tzinfo=there, fold=fold).astimezone(UTC)
        assert ends >= end.replace(tzinfo=there, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        # 2026-03-29 02:30 does not exist in Berlin, 2026-10-25 02:30 is there twice.
        ("2026-03-28T02:30", "2026-03-29T02:30", 24),
        ("2026-03-29T02:30", "2026-03-30T02:30", 24),
        ("2026-03-28T12:00", "2026-03-29T12:00", 23),
        ("2026-10-24T12:00", "2026-10-25T12:00", 25),
        ("2026-10-25T02:30", "2026-10-25T02:31", 1 + 1 / 60),
    ],
)
def test_a_freeze_knows_when_clocks_are_changed(start: str, end: str, hours: float) -> None:
    begins, ends = domain.span(FreezeSaid(start, end, "x", "Europe/Berlin"))
    assert (ends - begins) / timedelta(hours=1) == pytest.approx(hours)


@pytest.mark.parametrize(
    ("different", "told"),
    [
        ({"zone": "Europe/Nowhere"}, "is no time zone"),
        ({"zone": "../../etc/passwd"}, "is no time zone"),
        ({"start": "tomorrow"}, "is no moment"),
        ({"start": "2026-12-20T18:00+01:00"}, "has an offset of its own"),
        ({"start": "9999-12-31T23:59", "zone": "America/New_York"}, "is no moment|ends after"),
        ({"end": "2026-12-20T17:00"}, "a freeze ends after it has begun"),
        ({"end": "2028-12-20T17:00"}, "366 days at most"),
        ({"reason": ""}, "the reason has"),
    ],
)
def test_a_freeze_that_cannot_be_is_refused(different: dict[str, str], told: str) -> None:
    given_: dict[str, Any] = {
        "start": "2026-12-20T18:00",
        "end": "2027-01-04T08:00",
        "reason": "holidays",
    }
    with pytest.raises(FreezeUnfit, match=told):
        domain.checked_freeze(FreezeSaid(**(given_ | different)))
    domain.checked_freeze(FreezeSaid(**given_))


def test_a_freeze_holds_where_it_says_and_while_it_says() -> None:
    def held(at: datetime = NOW, team: str = "commerce", **where: tuple[str, ...]) -> bool:
        frozen = FreezeSaid("2026-06-01T12:00", "2026-06-01T13:00", "x", **where)  # type: ignore[arg-type]
        return bool(domain.freezes([Frozen("f", frozen, "root")], PROD, team, at))

    assert held()
    assert held(types=("prod",), teams=("commerce",))
    assert not held(types=("dev",))
    assert not held(environments=("prod-us",))
    assert not held(teams=("search",))
    assert not held(at=NOW - timedelta(seconds=1))
    assert not held(at=NOW + timedelta(hours=1))


def test_a_policy_holds_where_it_says() -> None:
    assert domain.applies(said(), PROD, 3)
    assert domain.applies(said(environments=("prod",), types=("prod",), tiers=(0, 3)), PROD, 3)
    assert not domain.applies(said(environments=("dev",)), PROD, 3)
    assert not domain.applies(said(types=("dev",)), PROD, 3)
    assert not domain.applies(said(tiers=(0, 1)), PROD, 3)
