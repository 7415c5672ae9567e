"""Who is before the orchestrator, by what the sign-in issues."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.context import Caller
from drystone.l00_kernel.errors import Unauthenticated
from drystone.l00_kernel.home import Home
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.records import folder_of
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l50_orchestrator.running.api import AUDIENCE
from drystone.l90_assembly.people import people_first

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
SIGN_IN = "http://signin.localhost:8400"
OTHER = Caller("somebody else")


class Ground:
    """An authentication, and the sign-in whose tokens it believes."""

    def __init__(self, folder: Path) -> None:
        home = Home.create(folder)
        self._keys = SigningKeys(folder_of(home))
        self._keys.settle(NOW)

        async def others(_headers: Mapping[str, str]) -> Caller:
            return OTHER

        self._authenticate = people_first(home, SIGN_IN, ManualClock(NOW), others)

    def token(self, **changes: object) -> str:
        key = self._keys.signing(NOW)
        times = {"iat": NOW.timestamp(), "exp": (NOW + timedelta(minutes=10)).timestamp()}
        claims = {"iss": SIGN_IN, "aud": AUDIENCE, "sub": "ada", "user": "ada", **times, **changes}
        kept = {name: value for name, value in claims.items() if value is not None}
        return compact.make(kept, kid=key.kid, private=key.private)

    async def who(self, given: str | None) -> Caller:
        return await self._authenticate({} if given is None else {"authorization": given})


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path / "home")


async def test_a_person_is_who_signed_in_and_has_no_role_by_that(ground: Ground) -> None:
    assert await ground.who(f"Bearer {ground.token()}") == Caller("ada")
    assert await ground.who(f"bearer {ground.token()}") == Caller("ada")


@pytest.mark.parametrize("given", [None, "", "Bearer dry_abc", "Bearer ", "Basic YTpi"])
async def test_everybody_else_is_asked_about_elsewhere(ground: Ground, given: str | None) -> None:
    assert await ground.who(given) == OTHER


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "dev/orders"},
        {"iss": "http://signin.example.com"},
        {"exp": (NOW - timedelta(minutes=2)).timestamp()},
        {"iat": (NOW + timedelta(minutes=2)).timestamp()},
        {"user": None, "build": "ci/orders", "sub": "build:ci/orders"},
        {"user": 7},
        {"user": ["ada"]},
    ],
    ids=str,
)
async def test_a_token_for_something_else_proves_nobody(
    ground: Ground, changes: dict[str, object]
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await ground.who(f"Bearer {ground.token(**changes)}")
    assert "drystone" in str(refused.value)


@pytest.mark.parametrize("name", ["token:E4cKEC7qfaV", "dev/orders", "", "a" * 201])
async def test_nobody_is_a_token_or_a_service_by_what_a_provider_calls_them(
    ground: Ground, name: str
) -> None:
    with pytest.raises(Unauthenticated, match="a name that nobody can have"):
        await ground.who(f"Bearer {ground.token(user=name)}")


async def test_a_token_that_somebody_else_signed_proves_nobody(
    ground: Ground, tmp_path: Path
) -> None:
    stranger = Ground(tmp_path / "other")
    with pytest.raises(Unauthenticated, match="drystone login"):
        await ground.who(f"Bearer {stranger.token()}")
    head, body, signature = ground.token().split(".")
    for forged in (f"{head}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA", "..", "a.b.c"):
        with pytest.raises(Unauthenticated):
            await ground.who(f"Bearer {forged}")
