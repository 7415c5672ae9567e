"""The service: its API in every reach, what it publishes and hands out, and what it never shows."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.contract import Context
from drystone.l00_kernel.ports import Audit, Field
from drystone.l20_trust.keys import tokens
from drystone.l20_trust.keys.api import KeysApi
from drystone.l20_trust.keys.domain import PUBLISHED_AFTER, REMEMBERED
from drystone.l20_trust.keys.errors import (
    KeyNotFound,
    KeysUnreadable,
    NoKeys,
    TokenRefused,
    TokenUnfit,
)
from drystone.l20_trust.keys.service import Keys
from drystone.l20_trust.keys.signing import is_signed
from drystone.testing.reaches import REACHES, Reach, reach
from l20_trust.key_rings import (
    CTX,
    NOW,
    ORDERS,
    PAYMENTS,
    NoServer,
    keys_at,
    orders_at,
    store_at,
    token_of,
)

ORDERS_IN = {"environment": "dev", "service": "orders"}


def served(folder: str) -> KeysApi:
    """Return keys of a folder that has some, for any reach."""
    return keys_at(Path(folder))


@pytest.mark.parametrize("how", REACHES)
async def test_in_every_reach_keys_are_listed_replaced_and_revoked(
    how: Reach, tmp_path: Path
) -> None:
    await orders_at(tmp_path)
    async with reach(how, KeysApi, served, str(tmp_path)) as api:
        (first,) = await api.keys(CTX)
        made = await token_of(api, lifetime=timedelta(minutes=5))
        (second,) = await api.rotate(CTX, **ORDERS_IN)
        states = {key.id: key.state for key in await api.keys(CTX, service="orders")}
        (gone,) = await api.revoke(CTX, **ORDERS_IN, key=first.id)

        assert (made.key, made.expires) == (first.id, NOW + timedelta(minutes=5))
        assert states == {first.id: "retired", second.id: "active"}
        assert (gone.id, gone.state) == (first.id, "revoked")
        with pytest.raises(KeyNotFound, match="drystone keys list orders"):
            await api.revoke(CTX, **ORDERS_IN, key=first.id)
        with pytest.raises(NoKeys, match="'mail' in 'dev' has no keys"):
            await api.rotate(CTX, environment="dev", service="mail")
        with pytest.raises(TokenUnfit):
            await token_of(api, lifetime=timedelta(hours=2))
        assert await api.keys(CTX, environment="prod") == []


def published(folder: Path) -> dict[str, list[str]]:
    """Return the ids of what each repository serves."""
    roots = {root: folder / "keys" / root / "keys" for root in ("public", "copy")}
    return {
        name: sorted(str(path.relative_to(root)) for path in root.rglob("*.pem"))
        for name, root in roots.items()
    }


def verifier(keys: Keys, clock: ManualClock) -> Callable[[str], tokens.Claims]:
    def verify(token: str) -> tokens.Claims:
        return tokens.verify(
            token,
            audience=PAYMENTS,
            key_of=keys.public_key,
            is_signed=is_signed,
            now=clock.now(),
        )

    return verify


async def test_a_key_is_published_until_every_token_made_with_it_has_ended(
    tmp_path: Path,
) -> None:
    clock = ManualClock(NOW)
    keys = await orders_at(tmp_path, clock)
    verify = verifier(keys, clock)
    made = await token_of(keys, lifetime=timedelta(hours=1))
    await keys.rotate(CTX, **ORDERS_IN)
    keys.retire("dev", "orders", 1)

    await clock.advance(timedelta(hours=1))
    assert verify(made.token).iss == ORDERS
    assert published(tmp_path)["public"] == published(tmp_path)["copy"]
    assert made.key in published(tmp_path)["copy"]
    await clock.advance(PUBLISHED_AFTER)
    keys.settle()
    assert published(tmp_path) == {"public": [], "copy": []}
    assert await keys.keys(CTX) == []
    assert not list((tmp_path / "keys").rglob("*.json"))


async def test_a_revoked_key_is_refused_at_once_and_seen_for_a_day(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    keys = await orders_at(tmp_path, clock)
    verify = verifier(keys, clock)
    made = await token_of(keys)
    assert verify(made.token).sub == ORDERS
    await keys.revoke(CTX, **ORDERS_IN)

    with pytest.raises(TokenRefused):
        verify(made.token)
    new = await token_of(keys)
    assert verify(new.token).iss == ORDERS
    assert published(tmp_path) == {"public": [new.key], "copy": [new.key]}
    assert [key.state for key in await keys.keys(CTX)] == ["active", "revoked"]
    await clock.advance(REMEMBERED)
    assert [key.state for key in await keys.keys(CTX)] == ["active"]


async def test_an_audience_is_shown_the_keys_of_those_who_declare_to_call_it(
    tmp_path: Path,
) -> None:
    keys = await orders_at(tmp_path)
    await keys.provide("dev", "mail", 4, ["dev/orders", PAYMENTS, "ari:cloud:x", "../../x/y"])
    folder = tmp_path / "keys/public/jwks"

    def callers(audience: str) -> set[str]:
        found = json.loads((folder / f"{audience}.json").read_bytes())["keys"]
        return {key["kid"].rpartition("/")[0] for key in found}

    assert callers(PAYMENTS) == {ORDERS, "dev/mail"}
    assert callers(ORDERS) == {"dev/mail"}
    assert {p.name for p in folder.rglob("*.json")} == {"payments.json", "orders.json"}
    await keys.provide("dev", "mail", 4, [])
    assert callers(PAYMENTS) == {ORDERS}
    assert not (folder / "dev/orders.json").exists()
    keys.forget("dev", "orders")
    assert not (folder / "dev/payments.json").exists()


async def test_a_release_is_given_what_clients_of_asap_look_for(tmp_path: Path) -> None:
    keys = await orders_at(tmp_path)
    (key,) = await keys.keys(CTX)
    given = keys.given("dev", "orders", 1)

    assert given is not None
    variables = given.environment
    assert (variables["ASAP_ISSUER"], variables["ASAP_KEY_ID"]) == (ORDERS, key.id)
    assert unquote(variables["ASAP_PRIVATE_KEY"].split(";")[1]) == f"kid={key.id}"
    assert (given.folder / key.id).read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert Path(variables["DRYSTONE_CA_FILE"]).read_text().startswith("-----BEGIN CERTIFICATE")
    assert variables["ASAP_PRIVATE_KEY"] not in repr(given)
    assert keys.given("dev", "orders", 2) is None
    (new,) = await keys.rotate(CTX, **ORDERS_IN)
    assert [path.name for path in (given.folder / ORDERS).iterdir()] == [Path(new.id).name]
    keys.retire("dev", "orders", 1)
    assert keys.given("dev", "orders", 1) is None
    assert not given.folder.exists()


class Remembered(Audit):
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str, dict[str, Field]]] = []

    @override
    async def record(self, ctx: Context, action: str, subject: str, **fields: Field) -> None:
        self.lines.append((ctx.caller.name, action, subject, fields))


async def test_it_is_on_record_who_made_a_token_and_who_replaced_or_revoked_a_key(
    tmp_path: Path,
) -> None:
    await orders_at(tmp_path)
    audit = Remembered()
    clock = ManualClock(NOW)
    keys = Keys(store_at(tmp_path), clock=clock, repository=NoServer(), audit=audit)
    (first,) = await keys.keys(CTX)
    made = await token_of(keys, lifetime=timedelta(minutes=5))
    (second,) = await keys.rotate(CTX, **ORDERS_IN)
    await keys.revoke(CTX, **ORDERS_IN, key=first.id)
    with pytest.raises(TokenUnfit):
        await token_of(keys, lifetime=timedelta(hours=2))

    assert audit.lines == [
        ("anonymous", "keys.token", ORDERS, {"audience": PAYMENTS, "seconds": 300}),
        ("anonymous", "keys.rotate", ORDERS, {"keys": second.id}),
        ("anonymous", "keys.revoke", ORDERS, {"keys": first.id}),
    ]
    assert made.token not in repr(audit.lines)


async def test_what_belongs_to_no_release_ends_with_the_next_start(tmp_path: Path) -> None:
    keys = await orders_at(tmp_path)
    await keys.provide("dev", "orders", 2, [])
    await keys.provide("dev", "mail", 1, [])
    keys = keys_at(tmp_path)
    keys.keep_only({("dev", "orders"): {2}})

    states = {(key.issuer, key.release): key.state for key in await keys.keys(CTX)}
    assert states == {(ORDERS, 1): "retired", (ORDERS, 2): "active", ("dev/mail", 1): "revoked"}


async def test_nothing_shows_a_private_key_or_a_token(tmp_path: Path) -> None:
    keys = await orders_at(tmp_path)
    private = {
        line
        for path in tmp_path.rglob("*.pem")
        if "PRIVATE" in path.read_text()
        for line in path.read_text().splitlines()
        if "-----" not in line
    }
    holding = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and any(line in path.read_text() for line in private)
    ]

    assert len(holding) == 3, "the ring, the release's file and the authority's key"
    for path in holding:
        modes = [stat.S_IMODE(folder.stat().st_mode) for folder in path.parents]
        assert 0o700 in modes[: len(path.relative_to(tmp_path).parts)], "others stay outside"
    token = await token_of(keys)
    shown = repr(token) + repr(list(store_at(tmp_path).rings())) + repr(await keys.keys(CTX))
    assert not any(line in shown for line in {*private, token.token})


async def test_a_damaged_ring_takes_only_its_own_service_along(tmp_path: Path) -> None:
    keys = await orders_at(tmp_path)
    await keys.provide("dev", "mail", 1, [])
    ring = tmp_path / "keys/rings/dev/mail.json"
    secret = ring.read_text()[-300:]
    for damage in (b"{", os.urandom(50), b"[]", secret.encode()):
        ring.write_bytes(damage)
        keys = keys_at(tmp_path)
        keys.settle()
        keys.keep_only({("dev", "orders"): {1}, ("dev", "mail"): {1}})
        assert keys.given("dev", "mail", 1) is None
        with pytest.raises(KeysUnreadable, match=r"mail\.json cannot be read; restore") as caught:
            await keys.provide("dev", "mail", 1, [])
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert keys.given("dev", "orders", 1) is not None
    assert ring.read_bytes() == secret.encode(), "what cannot be read is left alone"


@pytest.mark.parametrize("rotations", [15, pytest.param(100, marks=pytest.mark.slow)])
async def test_keys_are_replaced_while_tokens_are_made_and_verified_and_none_is_refused(
    rotations: int, tmp_path: Path
) -> None:
    clock = ManualClock(NOW)
    keys = await orders_at(tmp_path, clock)
    verify = verifier(keys, clock)
    used: set[str] = set()
    is_over = asyncio.Event()

    async def call() -> None:
        earlier = ""
        while not is_over.is_set():
            made = await token_of(keys)
            for token in filter(None, (made.token, earlier)):
                verify(token)
            assert (tmp_path / "keys/public/keys" / made.key).exists()
            used.add(made.key)
            earlier = earlier or made.token

    calling = [asyncio.create_task(call()) for _ in range(3)]
    for _ in range(rotations):
        await keys.rotate(CTX, **ORDERS_IN)
        await clock.advance(timedelta(milliseconds=500))
    is_over.set()
    await asyncio.gather(*calling)
    assert len(used) > rotations // 5
    assert len(published(tmp_path)["public"]) == rotations + 1
