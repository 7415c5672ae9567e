"""Keys and tokens as sidecars hold them, and how changes of keys are taken up."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.ports import NullLog
from drystone.l35_mesh.sidecar import following as following_keys
from drystone.l35_mesh.sidecar.following import Following
from drystone.l35_mesh.sidecar.key_book import KeyBook
from drystone.l35_mesh.sidecar.token_book import LIFETIME, TokenBook
from l35_mesh.sidecar.few_keys import FewKeys, Hands

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def ids(written: str) -> set[str]:
    return {key["kid"] for key in json.loads(written)["keys"]}


@given(st.lists(st.lists(st.integers(0, 5), max_size=4, unique=True), min_size=1, max_size=6))
def test_while_keys_change_those_of_before_and_those_of_after_are_good(
    states: list[list[int]],
) -> None:
    keys = FewKeys(Hands())
    book = KeyBook(keys)
    keys.of = {"dev/a": states[0], "dev/b": [9]}
    before = ids(book.written({"dev/a", "dev/b"}))
    for state in states:
        keys.of["dev/a"] = state
        after = {f"dev/a/{key}" for key in state} | {"dev/b/9"}
        unsettled = book.widen("dev/a")
        assert ids(book.written({"dev/a", "dev/b"})) == before | after
        assert unsettled == bool(before - after)
        book.settle("dev/a")
        before = ids(book.written({"dev/a", "dev/b"}))
        assert before == after


def test_a_token_is_renewed_at_half_of_its_life_and_forgotten_when_nobody_calls() -> None:
    clock = Hands()
    keys = FewKeys(clock)
    keys.of = {"dev/a": [1]}
    tokens = TokenBook(keys, clock)  # type: ignore[arg-type]
    pair = ("dev/a", "dev/b")
    tokens.want({pair})
    first = tokens.tokens[pair]
    tokens.want({pair})
    assert not tokens.renew()
    assert tokens.tokens[pair] == first
    assert tokens.until_due() <= timedelta(minutes=1)  # a clock that was set is noticed soon
    clock.at += LIFETIME / 2
    assert tokens.until_due() <= timedelta(seconds=1)
    assert tokens.renew()
    assert tokens.tokens[pair] != first
    tokens.want(set())
    assert tokens.tokens == {}


def test_who_has_no_keys_is_named_and_has_a_token_as_soon_as_there_are_some() -> None:
    clock = Hands()
    keys = FewKeys(clock)
    tokens = TokenBook(keys, clock)  # type: ignore[arg-type]
    pair = ("dev/a", "dev/b")
    tokens.want({pair})
    assert tokens.tokens == {}
    assert tokens.missing == {pair: "dev/a has no key"}
    assert not tokens.renew()
    keys.of["dev/a"] = [1]
    assert tokens.renew()
    assert tokens.missing == {}
    assert pair in tokens.tokens


async def test_new_keys_are_known_before_they_sign_and_old_ones_until_they_sign_no_more() -> None:
    clock = Hands()
    keys = FewKeys(clock)
    keys.of = {"dev/a": [1]}
    book, tokens = KeyBook(keys), TokenBook(keys, clock)  # type: ignore[arg-type]
    pair = ("dev/a", "dev/b")
    tokens.want({pair})
    book.written({"dev/a"})
    published: list[tuple[str, set[str]]] = []
    thrice = asyncio.Event()

    async def publish() -> None:
        published.append((tokens.tokens[pair].split()[0], ids(book.written({"dev/a"}))))
        if len(published) == 3:
            thrice.set()

    following = Following(keys=keys, book=book, tokens=tokens, publish=publish, log=NullLog())
    following.start()
    try:
        await asyncio.to_thread(keys.change, "dev/a", 2)
        async with asyncio.timeout(20):
            await thrice.wait()
    finally:
        await following.stop()
    assert published == [
        ("dev/a/1", {"dev/a/1", "dev/a/2"}),
        ("dev/a/2", {"dev/a/1", "dev/a/2"}),
        ("dev/a/2", {"dev/a/2"}),
    ]
    keys.change("dev/a", 3)
    assert len(published) == 3


async def test_keys_that_no_callee_asked_for_are_brought_to_no_proxy() -> None:
    clock = Hands()
    keys = FewKeys(clock)
    keys.of = {"dev/a": [1], "dev/stranger": [1]}
    book, tokens = KeyBook(keys), TokenBook(keys, clock)  # type: ignore[arg-type]
    book.written({"dev/a"})
    published: list[set[str]] = []
    is_there = asyncio.Event()

    async def publish() -> None:
        published.append(ids(book.written({"dev/a"})))
        if published[-1] == {"dev/a/2"}:
            is_there.set()

    following = Following(keys=keys, book=book, tokens=tokens, publish=publish, log=NullLog())
    following.start()
    try:
        keys.change("dev/stranger", 2)
        keys.change("dev/stranger", 3)
        for _ in range(3):  # it has had its turn
            await asyncio.sleep(0)
        assert published == []
        keys.change("dev/a", 2)
        async with asyncio.timeout(20):
            await is_there.wait()
    finally:
        await following.stop()
    assert published == [{"dev/a/1", "dev/a/2"}, {"dev/a/2"}]
    assert ids(book.written({"dev/stranger"})) == {"dev/stranger/3"}


@pytest.mark.parametrize("failing", [1, 2, 3])
async def test_a_revoked_key_is_taken_away_although_a_proxy_did_not_answer_at_first(
    failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_keys, "RETRY_AFTER", timedelta(milliseconds=1))
    clock = Hands()
    keys = FewKeys(clock)
    keys.of = {"dev/a": [1]}
    book, tokens = KeyBook(keys), TokenBook(keys, clock)  # type: ignore[arg-type]
    pair = ("dev/a", "dev/b")
    tokens.want({pair})
    book.written({"dev/a"})
    times = 0
    is_there = asyncio.Event()

    async def publish() -> None:
        nonlocal times
        times += 1
        if times == failing:
            raise Unavailable("the proxy does not answer")
        if ids(book.written({"dev/a"})) == {"dev/a/2"} and tokens.tokens[pair].startswith(
            "dev/a/2"
        ):
            is_there.set()

    following = Following(keys=keys, book=book, tokens=tokens, publish=publish, log=NullLog())
    following.start()
    try:
        keys.change("dev/a", 2)
        async with asyncio.timeout(20):
            await is_there.wait()
    finally:
        await following.stop()


async def test_tokens_that_a_proxy_did_not_take_are_brought_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following_keys, "RETRY_AFTER", timedelta(milliseconds=1))
    clock = Hands()
    keys = FewKeys(clock)
    keys.of = {"dev/a": [1]}
    tokens = TokenBook(keys, clock)  # type: ignore[arg-type]
    tokens.want({("dev/a", "dev/b")})
    first = dict(tokens.tokens)
    clock.at += LIFETIME / 2
    taken = asyncio.Event()
    times = 0

    async def publish() -> None:
        nonlocal times
        times += 1
        if times == 1:
            raise OSError("no descriptors are left")
        if tokens.tokens != first:
            taken.set()

    following = Following(
        keys=keys, book=KeyBook(keys), tokens=tokens, publish=publish, log=NullLog()
    )
    following.start()
    try:
        async with asyncio.timeout(20):
            await taken.wait()
    finally:
        await following.stop()
