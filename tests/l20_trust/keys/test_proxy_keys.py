"""What proxies are given: the keys of who may call, tokens for who calls, and word of every change."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l00_kernel.clock import ManualClock
from drystone.l20_trust.keys import tokens
from drystone.l20_trust.keys.api import ProxyKeys
from drystone.l20_trust.keys.domain import PUBLISHED_AFTER
from drystone.l20_trust.keys.errors import NoKeys, TokenUnfit
from drystone.l20_trust.keys.signing import is_signed
from l20_trust.key_rings import CTX, NOW, ORDERS, PAYMENTS, keys_at, orders_at

ORDERS_IN = {"environment": "dev", "service": "orders"}


def ids(keys: ProxyKeys, *issuers: str) -> list[str]:
    return [key["kid"] for key in keys.key_set(issuers)["keys"]]


async def test_a_callee_verifies_by_the_published_keys_of_its_callers_and_no_others(
    tmp_path: Path,
) -> None:
    clock = ManualClock(NOW)
    keys = await orders_at(tmp_path, clock)
    await keys.provide("dev", "mail", 1, [])
    (first,) = ids(keys, ORDERS)
    (second,) = [key.id for key in await keys.rotate(CTX, **ORDERS_IN)]

    assert ids(keys, ORDERS, "dev/nobody", ORDERS) == [first, second]
    assert len(ids(keys, "dev/mail", ORDERS)) == 3
    assert ids(keys) == []
    assert {key["alg"] for key in keys.key_set([ORDERS])["keys"]} == {"ES256"}
    await keys.revoke(CTX, **ORDERS_IN, key=second)
    assert second not in ids(keys, ORDERS)
    keys.forget("dev", "mail")
    assert ids(keys, "dev/mail") == []
    keys.retire("dev", "orders", 1)
    await clock.advance(PUBLISHED_AFTER)
    assert ids(keys, ORDERS) == [], "a key is trusted no longer than it is published"


async def test_every_change_is_told_and_by_then_the_set_has_it(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    keys = await orders_at(tmp_path, clock)
    told: list[tuple[str, list[str]]] = []
    end = keys.watch(lambda issuer: told.append((issuer, ids(keys, issuer))))

    def news() -> list[tuple[str, list[str]]]:
        found = told[:]
        told.clear()
        return found

    (first,) = ids(keys, ORDERS)
    (new,) = await keys.rotate(CTX, **ORDERS_IN)
    assert news() == [(ORDERS, [first, new.id])] * 2, "known, and then signed with"
    await keys.revoke(CTX, **ORDERS_IN, key=first)
    assert news() == [(ORDERS, [new.id])]
    await keys.provide("dev", "mail", 1, [])
    assert news() == [("dev/mail", ids(keys, "dev/mail"))]
    before = keys.generation
    await keys.provide("dev", "mail", 1, [])
    keys.settle()
    assert (keys.generation, news()) == (before, [])
    keys.retire("dev", "orders", 1)
    await clock.advance(PUBLISHED_AFTER)
    news()
    keys.settle()
    assert news() == [(ORDERS, [])]
    assert keys.generation > before
    end()
    keys.forget("dev", "mail")
    assert news() == []


async def test_nobody_signs_with_a_key_before_proxies_heard_of_it_and_it_is_published(
    tmp_path: Path,
) -> None:
    keys = await orders_at(tmp_path)
    (first,) = ids(keys, ORDERS)
    signed: list[str] = []
    keys.watch(lambda issuer: signed.append(keys.mint(issuer, PAYMENTS).key))
    (new,) = await keys.rotate(CTX, **ORDERS_IN)

    assert signed == [first, new.id]
    signed.clear()
    (gone,) = await keys.revoke(CTX, **ORDERS_IN, key=new.id)
    assert gone.id not in signed


async def test_a_token_is_minted_from_any_thread_while_keys_are_being_written(
    tmp_path: Path,
) -> None:
    clock = ManualClock(NOW)
    keys = await orders_at(tmp_path, clock)
    made: list[str] = []

    def from_another_thread(issuer: str) -> None:
        def mint() -> None:
            made.append(keys.mint(issuer, PAYMENTS, timedelta(hours=1)).token)

        other = threading.Thread(target=mint)
        other.start()
        other.join(10)
        assert not other.is_alive()

    keys.watch(from_another_thread)  # the one who writes waits for it
    await keys.rotate(CTX, **ORDERS_IN)
    for token in made:
        claims = tokens.verify(
            token,
            audience=PAYMENTS,
            key_of=keys.public_key,
            is_signed=is_signed,
            now=clock.now() + timedelta(minutes=59),
        )
        assert claims.iss == ORDERS
    assert len(made) == 2


async def test_who_has_no_key_gets_no_token(tmp_path: Path) -> None:
    keys = await orders_at(tmp_path)
    for issuer in ("dev/mail", "orders", "", "dev/orders/x", "../rings"):
        with pytest.raises(NoKeys):
            keys.mint(issuer, PAYMENTS)
    with pytest.raises(TokenUnfit):
        keys.mint(ORDERS, PAYMENTS, timedelta(hours=1, seconds=1))
    keys.retire("dev", "orders", 1)
    with pytest.raises(NoKeys, match="deploy it again"):
        keys_at(tmp_path).mint(ORDERS, PAYMENTS)
