"""What is kept of whoever calls, and how little that is allowed to be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drystone.l35_mesh.limits.memory import Memory, decide
from drystone.l35_mesh.limits.names import MOST_NAMES, name_of
from drystone.l35_mesh.limits.policies import Policy

SECOND = 1_000_000
NOW = 10**12


def memory(room: int = 100, **limits: Policy) -> Memory:
    made = Memory(room)
    made.load({"dev/orders": limits}, NOW)
    return made


def passes(of: Memory, name: str, now: int = NOW) -> bool:
    limits = list((of.limits("dev/orders") or {}).values())
    return decide(limits, [name] * len(limits), 1, now)[0]


def test_a_flood_of_invented_names_is_one_caller_and_takes_nothing_from_the_known() -> None:
    counted = memory(all=Policy(3, SECOND, "token-bucket"))
    assert passes(counted, "known")
    let_through = [passes(counted, f"invented-{n}") for n in range(10_000)]
    (limit,) = counted.all()
    assert sum(let_through) == 99 + 3
    assert len(limit.names) <= 100 + 1
    assert [passes(counted, "known") for _ in range(3)] == [True, True, False]


def test_room_comes_back_when_names_have_used_nothing_for_long_enough() -> None:
    counted = memory(all=Policy(3, SECOND, "token-bucket"))
    for n in range(200):
        passes(counted, f"early-{n}")
    assert all(passes(counted, f"late-{n}", NOW + 2 * SECOND) for n in range(100))
    (limit,) = counted.all()
    assert len(limit.names) <= 101


def test_ten_thousand_callers_have_a_bucket_each() -> None:
    counted = memory(MOST_NAMES, all=Policy(2, SECOND, "sliding-window"))
    names = [f"dev/caller-{n}" for n in range(10_000)]
    for expected in (True, True, False):
        assert {passes(counted, name) for name in names} == {expected}


def test_what_is_gone_gives_its_room_back() -> None:
    counted = memory(10, all=Policy(3, SECOND, "token-bucket"))
    for n in range(10):
        passes(counted, str(n))
    counted.load({}, NOW)
    counted.load({"dev/orders": {"all": Policy(3, SECOND, "token-bucket")}}, NOW)
    assert all(passes(counted, f"new-{n}") for n in range(10))
    assert [passes(counted, "further") for _ in range(4)] == [True, True, True, False]


def test_a_limit_that_counts_others_from_now_on_begins_anew() -> None:
    counted = memory(all=Policy(1, SECOND, "token-bucket", header="x-a"))
    assert passes(counted, "same")
    counted.load({"dev/orders": {"all": Policy(1, SECOND, "token-bucket", header="x-b")}}, NOW)
    assert passes(counted, "same")


def test_a_shadow_counts_and_refuses_nobody() -> None:
    counted = memory(
        shadow=Policy(2, SECOND, "token-bucket", shadow=True), real=Policy(4, SECOND, "gcra")
    )
    assert [passes(counted, "a") for _ in range(5)] == [True] * 4 + [False]
    shadow, real = counted.all()
    assert (shadow.admitted, shadow.over) == (2, 3)
    assert (real.admitted, real.over) == (4, 1)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, SECOND)), max_size=40),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_of_several_limits_a_call_uses_each_or_none(
    calls: list[tuple[str, int]], each: int, together: int
) -> None:
    counted = memory(
        a=Policy(each, SECOND, "fixed-window"), b=Policy(together, SECOND, "fixed-window")
    )
    limits = list((counted.limits("dev/orders") or {}).values())
    now, seen = NOW, dict[tuple[str, int], int]()
    for name, pause in calls:
        now += pause
        mine, everybodys = (name, now // SECOND), ("", now // SECOND)
        fits = seen.get(mine, 0) < each and seen.get(everybodys, 0) < together
        assert decide(limits, [name, ""], 1, now)[0] == fits
        for one in (mine, everybodys):
            seen[one] = seen.get(one, 0) + fits


def test_a_long_name_is_kept_as_its_digest() -> None:
    assert name_of("x" * 200) == "x" * 200
    assert len(name_of("x" * 201)) == 32
    assert name_of("x" * 201) != name_of("x" * 202)
