"""Keys in a folder, without a platform: what the tests of keys and tokens hold."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from typing_extensions import override

from drystone.l00_kernel.clock import Clock, ManualClock
from drystone.l00_kernel.contract import ANONYMOUS, Context
from drystone.l20_trust.certificates.authority import Authority
from drystone.l20_trust.keys.api import DEFAULT_LIFETIME, Algorithm, KeysApi, Token
from drystone.l20_trust.keys.repository import Repository
from drystone.l20_trust.keys.service import Keys
from drystone.l20_trust.keys.signing import KeyPair, load_private, make_pair, sign
from drystone.l20_trust.keys.store import Store

CTX = Context(ANONYMOUS)
NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
ORDERS, PAYMENTS = "dev/orders", "dev/payments"


class NoServer(Repository):
    """Nobody serves the files."""

    @override
    async def ensure(self) -> None:
        return

    @override
    def urls(self) -> tuple[str, str]:
        return "https://127.0.0.1:1/keys/", "https://127.0.0.1:2/keys/"


def store_at(folder: Path) -> Store:
    """Return the store of a folder, whose authority exists."""
    Authority(folder / "certificates").ensure()
    return bare_store(folder)


def bare_store(folder: Path) -> Store:
    """Return the store of a folder in which there is nothing yet."""
    return Store(folder / "keys", Authority(folder / "certificates").certificate)


def keys_at(folder: Path, clock: Clock | None = None, *, algorithm: Algorithm = "ES256") -> Keys:
    """Return the keys of a folder."""
    return Keys(
        store_at(folder),
        clock=clock or ManualClock(NOW),
        repository=NoServer(),
        algorithm=algorithm,
    )


async def orders_at(folder: Path, clock: Clock | None = None) -> Keys:
    """Return keys of which release 1 of orders, which calls payments, has one."""
    keys = keys_at(folder, clock)
    await keys.provide("dev", "orders", 1, [PAYMENTS])
    return keys


async def token_of(keys: KeysApi, lifetime: timedelta = DEFAULT_LIFETIME) -> Token:
    """Make a token with which orders calls payments."""
    return await keys.token(
        CTX, environment="dev", service="orders", audience=PAYMENTS, lifetime=lifetime
    )


@cache
def pair(name: str = "orders", algorithm: Algorithm = "ES256") -> KeyPair:
    """Return a key pair, the same for the same name."""
    assert name
    return make_pair(algorithm)


def part(content: Mapping[str, Any] | bytes) -> str:
    """Write one part of a token."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Mapping[str, Any], claims: Mapping[str, Any], key: KeyPair) -> str:
    """Write a token whatever it says."""
    message = f"{part(header)}.{part(claims)}"
    return f"{message}.{part(sign(load_private(key.private), message.encode()))}"
