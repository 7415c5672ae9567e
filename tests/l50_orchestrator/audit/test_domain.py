"""What an entry may say, and that every change of a chain is found."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drystone.l50_orchestrator.audit import domain
from drystone.l50_orchestrator.audit.api import Problem
from drystone.l50_orchestrator.audit.domain import BEGINNING, Entry, Head, Walk
from drystone.l50_orchestrator.audit.errors import EntryUnfit, SecretInEntry

AT = datetime(2026, 1, 31, 23, 59, 59, 120, tzinfo=UTC)
TEXT = st.text(max_size=12)


@st.composite
def chains(draw: st.DrawFn, least: int = 1) -> list[Entry]:
    entries = list[Entry]()
    previous = BEGINNING
    for number in range(1, draw(st.integers(least, 8)) + 1):
        entry = Entry(
            number,
            AT + timedelta(microseconds=draw(st.integers(-(10**12), 10**12))),
            draw(TEXT),
            "person",
            draw(TEXT),
            draw(st.integers(0, 9)),
            draw(TEXT),
            draw(TEXT),
            draw(TEXT),
            previous,
        )
        entry = msgspec.structs.replace(entry, hash=entry.hashed())
        previous = entry.hash
        entries.append(entry)
    return entries


def anew(entries: list[Entry]) -> list[Entry]:
    """Hash a chain anew, as somebody would who knows how."""
    made, previous = list[Entry](), BEGINNING
    for number, entry in enumerate(entries, 1):
        one = msgspec.structs.replace(entry, number=number, previous=previous)
        made.append(msgspec.structs.replace(one, hash=one.hashed()))
        previous = made[-1].hash
    return made


def judged(entries: list[Entry], *heads: Head) -> Problem | None:
    walk = Walk(domain.standing(heads))
    return walk.read(entries) or walk.end()


def head_of(entry: Entry) -> Head:
    return Head(entry.number, entry.hash, AT)


def test_the_hash_is_that_of_the_written_format() -> None:
    entry = Entry(
        7,
        AT,
        "ädä",
        "token",
        "bob",
        2,
        "release.deployed",
        "prod/orders",
        '{"release":3}',
        "a" * 64,
    )
    text = (
        "16:drystone-audit-1,1:7,27:2026-01-31T23:59:59.000120Z,5:ädä,5:token,3:bob,1:2,"
        '16:release.deployed,11:prod/orders,13:{"release":3},64:' + "a" * 64 + ","
    )
    assert entry.hashed() == hashlib.sha256(text.encode()).hexdigest()


@given(chains())
def test_a_chain_that_nobody_touched_is_whole(chain: list[Entry]) -> None:
    assert judged(chain, *map(head_of, chain)) is None


@given(chains(), st.data())
def test_a_change_of_any_column_is_found_at_its_entry(
    chain: list[Entry], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))
    columns = [c for c in Entry.__struct_fields__ if c not in {"number", "hash"}]
    column = data.draw(st.sampled_from(columns))
    old = getattr(chain[place], column)
    match old:
        case datetime():
            new: object = old + timedelta(microseconds=data.draw(st.integers(1, 10**9)))
        case int():
            new = data.draw(st.integers(0, 99))
        case _:
            new = data.draw(TEXT)
    assume(new != old)
    chain[place] = msgspec.structs.replace(chain[place], **{column: new})
    problem = judged(chain)
    assert problem is not None
    assert (problem.fault, problem.number) == ("changed", place + 1)


@given(chains(least=2), st.data())
def test_a_change_that_is_hashed_anew_is_found_at_the_next_entry(
    chain: list[Entry], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(chain) - 2))
    forged = msgspec.structs.replace(chain[place], actor=chain[place].actor + "x")
    chain[place] = msgspec.structs.replace(forged, hash=forged.hashed())
    problem = judged(chain)
    assert problem is not None
    assert (problem.fault, problem.number) == ("unlinked", place + 2)


@given(chains(least=2), st.data())
def test_an_entry_that_is_gone_from_the_middle_is_named(
    chain: list[Entry], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(chain) - 2))
    del chain[place]
    problem = judged(chain)
    assert problem is not None
    assert (problem.fault, problem.number) == ("missing", place + 1)


@given(chains(least=2), st.data())
def test_a_chain_that_is_written_anew_as_a_whole_does_not_agree_with_its_heads(
    chain: list[Entry], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))
    heads = [head_of(entry) for entry in chain]
    chain[place] = msgspec.structs.replace(chain[place], actor=chain[place].actor + "x")
    problem = judged(anew(chain), *heads)
    assert problem is not None
    assert (problem.fault, problem.number) == ("rewritten", place + 1)


@given(chains(least=2), st.data())
def test_an_end_that_is_cut_off_is_told_by_a_head_until_somebody_accepts_it(
    chain: list[Entry], data: st.DataObject
) -> None:
    left = data.draw(st.integers(0, len(chain) - 1))
    heads = [head_of(entry) for entry in chain]
    problem = judged(chain[:left], *heads)
    assert problem is not None
    assert (problem.fault, problem.number) == ("cut", left + 1)
    mark = Head(left, chain[left - 1].hash if left else BEGINNING, AT, is_restored=True)
    assert judged(chain[:left], *heads, mark) is None


@pytest.mark.parametrize(
    "name",
    ["token", "client_secret", "password", "passwd", "api_key", "private_pem", "cookie", "apikey"],
)
def test_a_field_with_the_name_of_a_secret_is_refused(name: str) -> None:
    with pytest.raises(SecretInEntry, match=name):
        domain.checked("a.b", "c", {name: "x"})


@pytest.mark.parametrize(
    "text",
    [
        "use dry_0123456789abcdefghijABCDEFGHIJ",
        "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJhIn0.c2ln",
        "-----BEGIN EC PRIVATE KEY-----",
        "postgresql://orders:hunter2@127.0.0.1/orders",
        "AKIAIOSFODNN7EXAMPLE",
        "Authorization: Bearer abcdefghijklmnopqrst",
    ],
)
@pytest.mark.parametrize("where", ["subject", "field"])
def test_what_looks_like_a_secret_is_refused_and_not_quoted(text: str, where: str) -> None:
    subject, fields = (text, {}) if where == "subject" else ("c", {"reason": text})
    with pytest.raises(SecretInEntry) as refused:
        domain.checked("a.b", subject, fields)
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("action", "subject", "fields"),
    [
        ("deployed", "a", {}),
        ("Release.Deployed", "a", {}),
        ("a.b\n", "a", {}),
        ("a.b", "", {}),
        ("a.b", "x" * 301, {}),
        ("a.b", "a\x00", {}),
        ("a.b", "a", {"reason": "x" * 4001}),
        ("a.b", "a", {"reason": "\ud800"}),
        ("a.b", "a", {"share": float("nan")}),
        ("a.b", "a", {"count": 2**63}),
        ("a.b", "a", {"Count": 1}),
        ("a.b", "a", {f"n{n}": n for n in range(33)}),
    ],
)
def test_what_no_entry_says_is_refused(
    action: str, subject: str, fields: dict[str, str | int | float]
) -> None:
    with pytest.raises(EntryUnfit):
        domain.checked(action, subject, fields)


@given(
    st.dictionaries(st.from_regex(r"n[a-z]{1,5}", fullmatch=True), st.integers(-9, 9), max_size=9)
)
def test_fields_are_written_in_one_way(fields: dict[str, int]) -> None:
    turned = dict(reversed(fields.items()))
    assert domain.checked("a.b", "c", fields) == domain.checked("a.b", "c", turned)
