"""Users count once, whatever they do; a sample of too many is as true; and nothing in a log of attempts is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.local import attempts
from drystone.l25_deployer.local import users as counted_users
from drystone.l25_deployer.local.attempts import Attempt, AttemptLog, read
from drystone.l25_deployer.local.users import Side, Users
from drystone.l25_deployer.local.witness import without_secrets

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SIDES: list[Side] = ["stable", "canary"]
STORIES = st.lists(
    st.tuples(
        st.sampled_from(SIDES), st.sampled_from("abcdef"), st.booleans(), st.integers(0, 300)
    ),
    max_size=60,
)


def attempt(who: str | None, *, is_bad: bool = False, after: float = 0) -> Attempt:
    return Attempt(
        at=NOW + timedelta(seconds=after),
        port=1,
        by="user",
        who=who,
        is_bad=is_bad,
        method="GET",
        path="/a",
        status=500 if is_bad else 200,
        flags="",
        took=7,
    )


def users() -> Users:
    return Users("k", NOW, "user", "salt")


@given(STORIES)
def test_each_user_is_in_error_once_and_where_that_was(
    story: list[tuple[Side, str, bool, int]],
) -> None:
    known, first = users(), dict[str, Side]()
    for side, who, is_bad, after in story:
        known.count([(side, attempt(who, is_bad=is_bad, after=after))])
        if is_bad:
            first.setdefault(who, side)
    assert known.canary.in_error == sum(side == "canary" for side in first.values())
    assert known.stable.in_error == sum(side == "stable" for side in first.values())
    for side, sums in (("stable", known.stable), ("canary", known.canary)):
        assert sums.met == len({who for where, who, _, _ in story if where == side})
        assert sums.in_error <= sums.tried


@given(STORIES, st.integers(0, 60))
def test_who_goes_on_from_a_document_counts_as_if_nothing_had_been(
    story: list[tuple[Side, str, bool, int]], cut: int
) -> None:
    whole, parts = users(), users()
    for number, (side, who, is_bad, after) in enumerate(story):
        if number == cut:
            parts = msgspec.json.decode(msgspec.json.encode(parts), type=Users)
        for one in (whole, parts):
            one.count([(side, attempt(who, is_bad=is_bad, after=after))])
    assert parts == whole


def test_a_storm_of_one_user_is_one_error_and_one_answer() -> None:
    known = users()
    known.count([("canary", attempt("one", is_bad=True, after=n / 10)) for n in range(500)])
    assert (known.canary.met, known.canary.in_error, known.canary.tried) == (1, 1, 1)
    assert sum(known.canary.times) == 0
    known.count([("canary", attempt("one", is_bad=True, after=60 + n)) for n in range(500)])
    assert (known.canary.met, known.canary.in_error, sum(known.canary.times)) == (1, 1, 1)


def test_at_risk_is_who_asked_within_a_minute_and_had_met_no_error_before() -> None:
    known = users()
    known.count([("stable", attempt("early")), ("stable", attempt(None))])
    known.count([("stable", attempt("ill", is_bad=True, after=10))])
    known.count([("stable", attempt("ill", after=100)), ("stable", attempt("well", after=100))])
    at = NOW + timedelta(seconds=100)
    assert known.at_risk("stable", at) == 1
    assert known.at_risk("canary", at) == 0


def test_who_was_well_and_gets_nothing_but_errors_on_the_other_release_has_turned() -> None:
    known = users()
    for who in ("tenant", "other", "ill"):
        known.count([("stable", attempt(who, is_bad=who == "ill" and n == 3)) for n in range(25)])
    assert known.turned == 0
    for who in ("tenant", "other", "ill", "new"):
        known.count([("canary", attempt(who, is_bad=True)) for _ in range(5)])
    assert known.turned == 2
    known.count([("canary", attempt("other"))])
    known.count([("canary", attempt("other", is_bad=True)) for _ in range(9)])
    assert known.turned == 1


def test_of_who_gets_nothing_but_errors_of_one_release_and_none_of_the_other_answers_are_counted() -> (
    None
):
    known = users()
    for who in ("tenant", "elsewhere ill"):
        is_bad = who != "tenant"
        known.count([("stable", attempt(who, is_bad=is_bad)) for _ in range(2)])
    for who in ("tenant", "elsewhere ill", "new"):
        known.count([("canary", attempt(who, is_bad=True)) for _ in range(7)])
    known.count([("stable", attempt(who)) for who in ("tenant", "new", "new")])
    torn = {f"{known.digest(who):014x}": n for who, n in (("tenant", 1), ("new", 2))}
    assert known.torn("stable") == torn
    assert known.torn("canary") == dict.fromkeys(torn, 3)
    known.count([("canary", attempt("new"))])
    known.count([("stable", attempt("tenant", is_bad=True))])
    assert known.torn("canary") == {}
    known.count([("canary", attempt(f"t{n}", is_bad=True)) for n in range(90) for _ in range(5)])
    assert len(known.torn("canary")) == len(known.torn("stable")) == counted_users.MOST_TORN


def test_requests_that_name_nobody_count_each() -> None:
    known = users()
    known.count([("canary", attempt(None, is_bad=n < 2)) for n in range(5)])
    assert (known.canary.tried, known.canary.in_error, known.canary.met) == (5, 2, 0)
    assert known.at_risk("canary", NOW) == 5


def test_of_too_many_a_sample_is_followed_in_which_both_releases_have_their_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counted_users, "MOST", 200)
    known = users()
    for n in range(4000):
        side: Side = "canary" if n % 4 == 0 else "stable"
        known.count([(side, attempt(f"u{n}", is_bad=n % 8 < 2))])
    followed = len(known.stable.seen) + len(known.canary.seen)
    assert 50 < followed <= 200
    assert len(known.had) <= followed
    risk = {side: known.at_risk(side, NOW) for side in SIDES}
    assert 0.1 < risk["canary"] / (risk["canary"] + risk["stable"]) < 0.45


LINE = {
    "time": "2026-03-02T12:00:00.000Z",
    "service": "shop.dev",
    "instance": "127.0.0.1:8080",
    "by": "user",
    "first": "anna",
    "status": 500,
    "flags": "-",
    "duration_ms": 12,
    "method": "GET",
    "path": "/orders",
}


def line(**changes: object) -> bytes:
    return msgspec.json.encode({**LINE, **changes})


def test_a_line_tells_who_asked_and_what_came_of_it() -> None:
    one = read(line(), "shop.dev")
    assert one is not None
    assert (one.who, one.port, one.is_bad) == ("anna", 8080, True)
    assert one.told() == "12:00:00 GET /orders answered 500 after 12 ms"
    broken = read(line(status=0, flags="UC"), "shop.dev")
    assert broken is not None
    assert broken.told() == "12:00:00 GET /orders got no answer (UC) after 12 ms"


def test_a_client_that_left_is_no_error_of_the_release() -> None:
    one = read(line(status=0, flags="DC"), "shop.dev")
    assert one is not None
    assert not one.is_bad


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"\xff\xfe",
        line(service="other.dev"),
        line(instance="/run/x.sock"),
        line(time="2026-03-02T12:00:00"),
        line(status="500"),
        b"[" * 10_000,
    ],
)
def test_a_line_of_another_form_or_service_is_none(bad: bytes) -> None:
    assert read(bad, "shop.dev") is None


def test_a_visitor_without_a_cookie_is_known_by_what_the_cookie_will_be() -> None:
    first = read(line(by="visitor", first=None, visitor=None, request_id="ab-1"), "shop.dev")
    later = read(line(by="visitor", first=None, visitor="ab-1", request_id="cd-2"), "shop.dev")
    assert first is not None
    assert later is not None
    assert first.who == later.who == "ab-1"


def test_a_log_that_is_moved_away_is_read_to_its_end_and_the_next_from_its_begin(
    tmp_path: Path,
) -> None:
    path = tmp_path / "attempts.log"
    log = AttemptLog(path)
    assert log.since({}) == ([], {})
    path.write_bytes(b"a\nb\nhalf")
    lines, places = log.since({})
    assert lines == [b"a", b"b"]
    with path.open("ab") as file:
        file.write(b" whole\nc\n")
    path.replace(tmp_path / "attempts.log.1")
    path.write_bytes(b"d\n")
    lines, places = log.since(places)
    assert lines == [b"half whole", b"c", b"d"]
    assert log.since(places)[0] == []
    assert log.since(log.end())[0] == []


def test_what_is_more_than_can_be_read_at_once_is_passed_over_up_to_a_whole_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MOST_AT_ONCE", 40)
    path = tmp_path / "attempts.log"
    path.write_bytes(b"".join(b"line %04d\n" % number for number in range(1000)))
    lines, places = AttemptLog(path).since({})
    assert lines == [b"line 0997", b"line 0998", b"line 0999"]
    assert AttemptLog(path).since(places)[0] == []


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("ERROR password=hunter2 for anna", "ERROR password=… for anna"),
        ('{"api_key": "abc", "at": 1}', '{"api_key": …, "at": 1}'),
        ("Authorization: Bearer abc.def", "Authorization: …"),
        ("no route to postgres://a:b@db/x", "no route to postgres://…@db/x"),
        ("a\x1b[31mb\nc", "a [31mb c"),
        ("x" * 5000, "x" * 299 + "…"),
    ],
)
def test_a_line_of_a_log_is_shown_without_what_looks_like_a_secret(line: str, shown: str) -> None:
    assert without_secrets(line) == shown
