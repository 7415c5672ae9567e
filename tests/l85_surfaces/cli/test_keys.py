"""``drystone token`` and ``drystone keys``."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.home import Home
from l20_trust.key_rings import ORDERS, orders_at
from l85_surfaces.cli.conftest import Drystone
from l85_surfaces.cli.small_platform import SmallPlatform

Golden = Callable[[Path, str], None]
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def keys(small: SmallPlatform, folder: Path) -> None:
    """Release 1 of orders in dev has a key."""
    asyncio.run(orders_at(Home(folder).trust, SystemClock()))


def steady(text: str) -> str:
    """Replace what differs from run to run."""
    text = re.sub(r"\d{8}t\d{6}-\d{6}-[0-9a-f]{8}", "20260504t100000-000000-5d0ca1b2", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-05-04 11:05:00", text)
    return re.sub(r"\b\d+ s\b", "2 s", text)


@pytest.mark.usefixtures("keys")
def test_keys_are_listed_replaced_and_revoked(drystone: Drystone, golden: Golden) -> None:
    said = [drystone("keys", "rotate", "orders")]
    (first, *_) = json.loads(drystone("keys", "list", "orders", "--json").out)[::-1]
    said += [drystone("keys", "revoke", "orders", first["id"]), drystone("keys", "list")]

    assert [(one.code, one.err) for one in said] == [(0, "")] * 3
    golden(GOLDEN / "keys.txt", steady("".join(one.out for one in said)))


@pytest.mark.usefixtures("keys")
def test_a_token_is_printed_alone(drystone: Drystone) -> None:
    said = drystone("token", "orders", "-a", "payments")
    made = json.loads(drystone("token", "orders", "-a", "prod/mail", "--json").out)

    assert (said.code, said.err) == (0, "")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", said.out)
    assert made.keys() == {"token", "key", "expires"}
    assert made["key"].startswith(f"{ORDERS}/")


@pytest.mark.usefixtures("small")
def test_who_has_no_keys_is_told_where_they_come_from(drystone: Drystone) -> None:
    assert drystone("keys", "list").out.startswith("no keys; they come with the deploy")
    said = drystone("token", "mail", "--audience", "payments")
    assert said.code == 1
    assert "'mail' in 'dev' has no keys: they come with a deploy" in said.err


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["keys", "revoke", "orders"], 2, "name the key that is to be revoked, or give --all"),
        (["keys", "revoke", "orders", "x", "--all"], 2, "name the key"),
        (["keys", "revoke", "orders", "x"], 1, "has no such key"),
        (["token", "orders", "-a", "payments", "--lifetime", "3601"], 1, "1 to 3600 seconds"),
        (["token", "orders", "-a", "a b"], 1, "names no service"),
        (["token", "orders"], 2, "--audience is missing"),
    ],
)
def test_what_cannot_be_is_refused(
    drystone: Drystone, words: list[str], code: int, says: str
) -> None:
    said = drystone(*words)
    assert (said.code, said.out) == (code, "")
    assert says in said.err
