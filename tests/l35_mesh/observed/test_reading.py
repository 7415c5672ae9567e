"""Lines of a refusal log, whatever a service puts into them, and how often each thing was tried."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l35_mesh.observed.attempts import LONGEST_LINE, Attempt, NoAttempt
from drystone.l35_mesh.observed.attempts import read as read_at
from drystone.l35_mesh.observed.following import MOST_AT_ONCE, Followed
from drystone.l35_mesh.observed.tally import FORGOTTEN, MOST_OF_ONE, Tally, Times

FEW = 40
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def line(**said: Any) -> bytes:
    return json.dumps({"time": "2026-11-22T12:00:00.000Z", **said}).encode()


def read(line: bytes) -> tuple[datetime, Attempt] | None:
    return read_at(line, now=NOON + timedelta(hours=1))


def test_each_form_is_read() -> None:
    caught = {"listener": "catcher", "caller": "dev/desk", "name": "Api.Example.com.:8443"}
    asked = {"listener": "inbound", "service": "dev/billing", "method": "GET"}
    told = {"caller": "dev/desk", "path": "/users/4711?token=x", "details": "rbac_access_denied_x"}
    found = [
        read(line(**caught, destination="[::ffff:10.0.0.5]:443")),
        read(line(**asked, **told)),
        read(line(**asked, caller=None, path="/", details="jwt_authn_access_denied{x}")),
        read(line(listener="dns", caller="dev/desk", name="api.example.com", answers=0)),
        read(line(listener="dns", caller="dev/desk", name="api.example.com", answers=1)),
    ]
    assert found == [
        (
            NOON,
            Attempt(
                way="catcher", caller="dev/desk", host="10.0.0.5", port=443, name="api.example.com"
            ),
        ),
        (
            NOON,
            Attempt(
                way="inbound",
                caller="dev/desk",
                callee="dev/billing",
                request="GET /users/*",
                why="rule",
            ),
        ),
        (
            NOON,
            Attempt(way="inbound", caller="", callee="dev/billing", request="GET /", why="token"),
        ),
        (NOON, Attempt(way="dns", caller="dev/desk", name="api.example.com")),
        None,
    ]


def test_a_question_for_a_name_has_the_time_at_which_it_is_read() -> None:
    said = {"listener": "dns", "caller": "dev/desk", "name": "api.example.com", "answers": "-"}
    attempt = Attempt(way="dns", caller="dev/desk", name="api.example.com")
    assert read(json.dumps(said).encode()) == (NOON + timedelta(hours=1), attempt)
    with pytest.raises(NoAttempt):
        read(json.dumps({**said, "listener": "catcher", "destination": "10.0.0.5:80"}).encode())


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 5000,
        line(listener="catcher", caller="dev/desk", destination="-"),
        line(listener="catcher", caller="dev/desk", destination="10.0.0.5:99999"),
        line(listener="catcher", caller="dev/desk", destination="10.0.0.5:٣"),
        line(listener="catcher", caller="desk", destination="10.0.0.5:80"),
        line(listener="catcher", caller="dev/desk]}", destination="10.0.0.5:80"),
        line(listener="else", caller="dev/desk"),
        json.dumps({"time": "2026-11-22T12:00:00", "listener": "dns", "caller": "a/b"}).encode(),
        line(listener="dns", caller="dev/desk", name="x" * LONGEST_LINE),
    ],
)
def test_what_is_no_attempt_is_refused(bad: bytes) -> None:
    with pytest.raises(NoAttempt):
        read(bad)


@settings(max_examples=FEW)
@given(
    said=st.fixed_dictionaries(
        {"listener": st.sampled_from(["inbound", "outbound", "catcher", "egress", "dns"])},
        optional={
            key: st.one_of(st.none(), st.text(max_size=300), st.just("dev/desk"), st.integers())
            for key in ("caller", "service", "method", "path", "details", "destination", "name")
        },
    )
)
def test_no_line_breaks_the_reader_and_nothing_but_checked_words_comes_out(
    said: dict[str, Any],
) -> None:
    try:
        found = read(line(**said))
    except NoAttempt:
        return
    if found is not None:
        shown = "".join((found[1].name, found[1].request, found[1].host, found[1].caller))
        assert shown.isascii()
        assert shown.isprintable()
        assert len(shown) < 600


ATTEMPTS = st.builds(
    Attempt,
    way=st.just("dns"),
    caller=st.sampled_from(["dev/a", "dev/b"]),
    name=st.integers(0, 12).map("n{}".format),
)
MADE = st.lists(
    st.tuples(st.integers(0, 3600).map(lambda s: NOON + timedelta(seconds=s)), ATTEMPTS)
)


@settings(max_examples=FEW)
@given(made=MADE, cut=st.integers(0, 100))
def test_counts_are_the_same_in_whatever_portions_attempts_are_added(
    made: list[tuple[datetime, Attempt]], cut: int
) -> None:
    whole, parts = Tally(), Tally()
    whole.add(made)
    parts.add(made[cut:])
    parts.add(made[:cut])
    assert dict(whole) == dict(parts)
    assert sum(times.count for _, times in whole) == len(made)


def test_whoever_tries_everything_pushes_out_its_own_attempts_alone() -> None:
    tally = Tally()
    calm = Attempt(way="dns", caller="dev/calm", name="one")
    often = Attempt(way="dns", caller="dev/wild", name="often")
    tally.add([(NOON, calm), *[(NOON, often)] * 3])
    names = (Attempt(way="dns", caller="dev/wild", name=f"n{n}") for n in range(5000))
    tally.add((NOON, one) for one in names)

    kept = dict(tally)

    assert kept[calm] == Times(1, NOON, NOON)
    assert kept[often].count == 3
    assert sum(one.caller == "dev/wild" for one in kept) == MOST_OF_ONE
    assert tally.left_out("dev/wild") == tally.left_out() == 5000 - (MOST_OF_ONE - 1)
    assert tally.left_out("dev/calm") == 0


def test_what_was_not_tried_for_a_day_is_forgotten() -> None:
    tally = Tally()
    old, new = (Attempt(way="dns", caller="dev/a", name=name) for name in ("old", "new"))
    tally.add([(NOON, old), (NOON + FORGOTTEN, new)])
    tally.forget(NOON + FORGOTTEN + timedelta(seconds=1))
    assert [attempt for attempt, _ in tally] == [new]


def test_a_log_is_read_on_when_it_is_moved_away_and_begun_anew(tmp_path: Path) -> None:
    log = tmp_path / "refusals.log"
    followed = Followed(log)
    assert followed.lines() == []
    log.write_bytes(b"one\ntw")
    assert followed.lines() == [b"one"]
    with log.open("ab") as file:
        file.write(b"o\nthree\n")
    log.rename(tmp_path / "refusals.log.1")
    log.write_bytes(b"four\n")
    assert followed.lines() == [b"two", b"three", b"four"]
    assert followed.lines() == []
    log.write_bytes(b"")
    assert followed.lines() == []
    log.write_bytes(b"five\n")
    assert followed.lines() == [b"five"]
    assert Followed(log).lines() == [b"one", b"two", b"three", b"five"]


def test_of_more_than_can_be_read_at_once_the_end_is_read_and_the_rest_counted(
    tmp_path: Path,
) -> None:
    log = tmp_path / "refusals.log"
    followed = Followed(log)
    content = b"".join(b"%08d\n" % number for number in range(MOST_AT_ONCE // 9 + 1000))
    log.write_bytes(content)
    lines = followed.lines()
    assert lines[-1] == content[-9:-1]
    assert all(len(one) == 8 for one in lines)
    assert followed.passed_over + 9 * len(lines) in range(len(content) - 1, len(content) + 1)
