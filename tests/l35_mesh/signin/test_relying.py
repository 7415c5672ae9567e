"""What is believed of a provider of identities, and what is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock
from drystone.l20_trust.keys import compact_form, signing
from drystone.l20_trust.keys.signing import make_pair
from drystone.l35_mesh.signin.errors import NotStaff, ProviderRefused, SignInRefused
from drystone.l35_mesh.signin.outside import Answered, Outside
from drystone.l35_mesh.signin.relying import ProviderSettings, RelyingParty

ISSUER = "https://sso.example"


class Another(Outside):
    """A provider that answers as a test wants it to; its keys and tokens are real."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.pair, self.kid = make_pair("RS256"), "first"
        self.asked: list[str] = []
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            "jwks_uri": f"{ISSUER}/jwks",
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
        }
        self.answer: tuple[int, dict[str, Any]] = (200, {})

    def change_key(self) -> None:
        self.pair, self.kid = make_pair("ES256"), f"{self.kid}+"

    def signs(self, **changes: Any) -> None:
        """Answer a code with a token."""
        now = int(self.clock.now().timestamp())
        claims = {"iss": ISSUER, "aud": "drystone", "sub": "ada", "nonce": "n", "iat": now}
        said = {**claims, "exp": now + 60, "groups": ["staff", "a,b", 7], **changes}
        self.answer = (200, {"id_token": self._signed(said)})

    def _signed(self, claims: dict[str, Any]) -> str:
        algorithm = "RS256" if self.pair.jwk["kty"] == "RSA" else "ES256"
        parts = ({"alg": algorithm, "kid": self.kid}, claims)
        message = b".".join(compact_form.encode(json.dumps(part).encode()) for part in parts)
        signature = signing.sign(signing.load_private(self.pair.private), message)
        return (message + b"." + compact_form.encode(signature)).decode()

    @override
    async def ask(
        self, url: str, form: Mapping[str, str] | None = None, *, headers: Mapping[str, str] = {}
    ) -> Answered:
        self.asked.append(url)
        if url.endswith("/.well-known/openid-configuration"):
            return Answered(200, json.dumps(self.metadata).encode())
        if url.endswith("/jwks"):
            keys = {"keys": [{**self.pair.jwk, "kid": self.kid}, {"kty": "oct", "k": "eA"}, "x"]}
            return Answered(200, json.dumps(keys).encode())
        status, document = self.answer
        return Answered(status, json.dumps(document).encode())


@pytest.fixture
def other() -> Another:
    return Another(ManualClock())


def party(other: Another, **changes: str) -> RelyingParty:
    settings = ProviderSettings(issuer=ISSUER, **changes)
    return RelyingParty(settings, other, redirect="http://us/callback", clock=other.clock)


async def test_a_good_token_says_who_somebody_is(other: Another) -> None:
    other.signs()
    found = await party(other).redeem("code", verifier="v", nonce="n")
    assert (found.user, found.groups) == ("ada", ("staff",))


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": ["drystone", "x"], "azp": "x"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"exp": None},
        {"nbf": 9999999999},
    ],
)
async def test_a_token_for_somebody_else_is_refused(
    other: Another, changes: dict[str, Any]
) -> None:
    other.signs(**changes)
    with pytest.raises(SignInRefused):
        await party(other).redeem("code", verifier="v", nonce="n")


async def test_a_provider_changes_its_keys_and_nobody_makes_us_ask_all_the_time(
    other: Another,
) -> None:
    us = party(other)
    other.signs()
    await us.redeem("code", verifier="v", nonce="n")
    other.change_key()
    other.signs()
    for _ in range(3):
        with pytest.raises(SignInRefused):
            await us.redeem("code", verifier="v", nonce="n")
    assert other.asked.count(f"{ISSUER}/jwks") == 1
    await other.clock.advance(timedelta(seconds=31))
    other.signs()
    assert (await us.redeem("code", verifier="v", nonce="n")).user == "ada"
    assert other.asked.count(f"{ISSUER}/jwks") == 2


async def test_what_a_provider_says_of_itself_must_fit(other: Another) -> None:
    for changes, why in (
        ({"issuer": "https://evil.example"}, "describes https://evil"),
        ({"token_endpoint": "http://sso.example/token"}, "not an https address"),
        ({"jwks_uri": 7}, "does not describe"),
    ):
        before = dict(other.metadata)
        other.metadata |= changes
        with pytest.raises(ProviderRefused, match=why):
            await party(other).authorize(state="s", nonce="n", challenge="c")
        other.metadata = before


async def test_a_refusal_is_told_in_the_words_of_the_provider(other: Another) -> None:
    other.answer = (
        400,
        {"error": "invalid_grant", "error_description": "the code\x1b[2J has ended"},
    )
    with pytest.raises(SignInRefused, match="invalid_grant: the code") as refused:
        await party(other).redeem("code", verifier="v", nonce="n")
    assert "\x1b" not in str(refused.value)


async def test_who_is_in_no_group_of_staff_is_not_signed_in(other: Another) -> None:
    other.signs()
    with pytest.raises(NotStaff, match="owners"):
        await party(other, staff_group="owners").redeem("code", verifier="v", nonce="n")
    assert (await party(other, staff_group="staff").redeem("c", verifier="v", nonce="n")).user
    other.signs(sub=7)
    with pytest.raises(ProviderRefused, match=r"signin\.user_claim"):
        await party(other).redeem("code", verifier="v", nonce="n")
