"""Which failed calls of two releases count."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.local import calls
from drystone.l25_deployer.local.calls import Askers, Calls, FailedCall, Side, read

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LINE: dict[str, Any] = {
    "time": "2026-01-01T12:00:00.000Z",
    "caller": "dev/desk",
    "slot": "1",
    "callee": "billing.dev",
    "request_id": "r1",
    "carried": "r1",
    "method": "GET",
    "path": "/reports",
    "status": 503,
    "grpc": "Unavailable",
    "flags": "-",
    "duration_ms": 7,
}
SIDES = st.sampled_from(["stable", "canary"])
CALLS = st.builds(
    lambda second, request, callee, is_carried: FailedCall(
        at=NOON + timedelta(seconds=second),
        slot=0,
        callee=callee,
        request=request,
        is_carried=is_carried,
        method="GET",
        path="/",
        status=500,
        grpc="",
        flags="",
        took=1,
    ),
    st.integers(0, 5),
    st.sampled_from(["", "a", "b", "c", "d"]),
    st.sampled_from(["billing.dev", "mail.dev"]),
    st.booleans(),
)


def line(**changes: Any) -> bytes:
    return json.dumps({**LINE, **changes}).encode()


def one(**changes: Any) -> FailedCall:
    found = read(line(**changes), "dev/desk")
    assert found is not None
    return found


@given(st.lists(st.tuples(SIDES, CALLS)), st.integers(0, 20))
def test_of_one_request_one_call_counts_and_of_the_tried_release_one_a_second(
    made: list[tuple[Side, FailedCall]], at: int
) -> None:
    whole = Calls()
    whole.count(made)
    parts = Calls(salt=whole.salt)
    parts.count(made[:at])
    parts = msgspec.json.decode(msgspec.json.encode(parts), type=Calls)  # the next agent goes on
    parts.count(made[at:])
    assert parts == whole

    stable = [call for side, call in made if side == "stable"]
    requests = {call.request for call in stable if call.request}
    alone = [call for call in stable if not call.request]
    assert whole.stable.failed == len(requests) + len(alone)
    canary = [call for side, call in made if side == "canary"]
    lone = [call for call in canary if not call.is_carried]
    carried = {call.request for call in canary if call.is_carried and call.request}
    nameless = sum(call.is_carried and not call.request for call in canary)
    moments = {(call.callee, call.at) for call in lone}
    assert whole.canary.failed <= len(moments) + len(carried) + nameless
    if not lone:
        assert whole.canary.failed == len(carried) + nameless
    assert (whole.canary.failed > 0) == bool(canary)


@given(st.lists(st.tuples(SIDES, CALLS.filter(lambda call: bool(call.request)))))
def test_what_is_read_again_counts_nothing(made: list[tuple[Side, FailedCall]]) -> None:
    sums = Calls()
    sums.count(made)
    before = msgspec.json.encode(sums)
    sums.count(made)
    assert msgspec.json.decode(before, type=Calls).stable == sums.stable
    assert sums.canary.failed <= msgspec.json.decode(before, type=Calls).canary.failed


def test_a_user_counts_once_where_the_first_call_failed_and_whose_it_is_may_be_known_later() -> (
    None
):
    sums, askers = Calls(), Askers()
    sums.count_users([("canary", one(request_id="r1")), ("stable", one(request_id="r2"))], askers)
    assert (sums.canary.users, sums.stable.users) == (0, 0)
    sums = msgspec.json.decode(msgspec.json.encode(sums), type=Calls)
    askers.note((sums.digest("r1"),), 7)
    askers.note((sums.digest("a" * 32), sums.digest("r3")), 7)
    sums.count_users([], askers)
    assert (sums.canary.users, sums.stable.users) == (1, 0)
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    sums.count_users([("stable", one(request_id="r9", trace=trace))], askers)
    assert (sums.canary.users, sums.stable.users) == (1, 0), "the same user again"
    askers.note((sums.digest("r2"),), 8)
    sums.count_users([("canary", one(request_id="r2"))], askers)
    assert (sums.canary.users, sums.stable.users) == (1, 1), "the first call of the request counts"
    assert sums.without_users() == Calls(salt=sums.salt)


@given(st.lists(st.tuples(SIDES, CALLS)), st.randoms())
def test_users_are_as_many_as_had_a_failed_call(
    made: list[tuple[Side, FailedCall]], random: Random
) -> None:
    sums, askers = Calls(), Askers()
    for request in "abcd":
        askers.note((sums.digest(request),), ord(request) // 2)
    at = random.randrange(len(made) + 1)
    sums.count_users(made[:at], askers)
    sums.count_users(made[at:], askers)
    users = {ord(call.request) // 2 for _, call in made if call.request and call.is_carried}
    assert sums.canary.users + sums.stable.users == len(users)


def test_what_is_remembered_is_bounded() -> None:
    sums = Calls()
    sums.count(("stable", one(request_id=f"r{n}")) for n in range(calls.MOST + 50))
    sums.count_users(
        [("stable", one(request_id=f"r{n}")) for n in range(calls.MOST + 50)], Askers()
    )
    assert len(sums.nobodys) == calls.MOST
    assert len(sums.stable.requests) == calls.MOST
    assert sums.stable.failed == calls.MOST + 50


def test_calls_of_one_trace_are_of_one_request_and_what_is_no_trace_is_not_believed() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    assert one(trace=trace, request_id="x").request == "a" * 32
    assert one(trace=f"00-{'a' * 32}", request_id="x").request == "x"
    assert one(trace="-", request_id=None).request == ""
    assert one().is_carried
    assert not one(carried="-").is_carried
    assert not one(carried=None).is_carried


def test_it_is_told_who_was_called_how_and_what_came_of_it() -> None:
    start = "12:00:00 its call to billing.dev failed: GET /reports "
    assert one().told() == f"{start}was answered 503 after 7 ms"
    assert one(status=0, flags="DC").told().startswith(f"{start}was given up before")
    assert one(status=0, flags="XX").told() == f"{start}got no answer (XX) after 7 ms"
    said = one(status=200, grpc="Internal").told()
    assert said == f"{start}was answered 200 (gRPC Internal) after 7 ms"
    assert "\n" not in one(path="/a\nb").told()


@given(st.binary(max_size=300))
def test_whatever_stands_in_the_log_is_read_or_passed_over(content: bytes) -> None:
    assert read(content, "dev/desk") is None


def test_lines_of_others_and_of_other_forms_are_passed_over() -> None:
    assert read(line(), "dev/other") is None
    for wrong in ({"slot": "-"}, {"slot": None}, {"time": "2026-01-01T12:00:00"}, {"status": "x"}):
        assert read(line(**wrong), "dev/desk") is None
