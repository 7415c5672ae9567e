"""Tokens: what is accepted, and all that is not."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l20_trust.keys import tokens
from drystone.l20_trust.keys.api import Algorithm
from drystone.l20_trust.keys.errors import TokenRefused, TokenUnfit
from drystone.l20_trust.keys.signing import PrivateKey, is_signed, load_private, sign
from l20_trust.key_rings import NOW, ORDERS, PAYMENTS, pair, part, signed

KID = f"{ORDERS}/20260504t100000-000000-5d0ca1b2.pem"
EVIL = "dev/evil/20260504t100000-000000-00000000.pem"
HEADER = {"alg": "ES256", "kid": KID, "typ": "JWT"}
BEGUN = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {
    "iss": ORDERS,
    "sub": ORDERS,
    "aud": PAYMENTS,
    "iat": BEGUN,
    "nbf": BEGUN,
    "exp": BEGUN + 60,
    "jti": "one",
}


@cache
def loaded(private: str) -> PrivateKey:
    return load_private(private)


def published(key_id: str) -> str | None:
    """Know the keys of orders and of another service."""
    return {KID: pair().public, EVIL: pair("evil").public}.get(key_id)


def verify(token: str, *, later: timedelta = timedelta(0)) -> tokens.Claims:
    return tokens.verify(
        token, audience=PAYMENTS, key_of=published, is_signed=is_signed, now=NOW + later
    )


def a_token(**changes: Any) -> str:
    """Write a token that differs from a good one; a claim that is None is left out."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return signed(HEADER, claims, pair())


def by_shared_secret() -> str:
    """Sign with the public key as if it were a shared secret (RFC 8725 section 2.1)."""
    message = f"{part({**HEADER, 'alg': 'HS256'})}.{part(CLAIMS)}"
    mac = hmac.digest(pair().public.encode(), message.encode(), hashlib.sha256)
    return f"{message}.{part(mac)}"


REFUSED: dict[str, Callable[[], str]] = {
    "no token": lambda: "",
    "something else": lambda: "Bearer of news",
    "two parts": lambda: a_token().rpartition(".")[0],
    "four parts": lambda: a_token() + ".x",
    "ended": lambda: a_token(iat=BEGUN - 120, nbf=BEGUN - 120, exp=BEGUN - 60),
    "not begun": lambda: a_token(iat=BEGUN + 60, nbf=BEGUN + 60, exp=BEGUN + 120),
    "nbf ahead": lambda: a_token(nbf=BEGUN + 30),
    "lives two hours": lambda: a_token(exp=BEGUN + 7200),
    "in the last hour of two": lambda: a_token(iat=BEGUN - 3700, nbf=BEGUN - 3700, exp=BEGUN + 60),
    "ends before it begins": lambda: a_token(exp=BEGUN - 1),
    "another audience": lambda: a_token(aud="dev/mail"),
    "an audience that begins alike": lambda: a_token(aud=PAYMENTS + "2"),
    "no audience": lambda: a_token(aud=None),
    "nobody as audience": lambda: a_token(aud=[]),
    "key of another issuer": lambda: signed({**HEADER, "kid": EVIL}, CLAIMS, pair("evil")),
    "forged issuer, foreign key, own name": lambda: signed(HEADER, CLAIMS, pair("evil")),
    "issuer above its own": lambda: signed(HEADER, {**CLAIMS, "iss": "dev", "sub": "dev"}, pair()),
    "no issuer": lambda: a_token(iss=None),
    "empty issuer": lambda: signed({**HEADER, "kid": "/x.pem"}, {**CLAIMS, "iss": ""}, pair()),
    "subject is somebody else": lambda: a_token(sub="dev/admin"),
    "no jti": lambda: a_token(jti=None),
    "empty jti": lambda: a_token(jti=""),
    "no iat": lambda: a_token(iat=None),
    "no exp": lambda: a_token(exp=None),
    "times as text": lambda: a_token(exp=str(BEGUN + 60)),
    "infinite": lambda: signed(HEADER, {}, pair()).replace(
        part({}), part(b'{"iss":"dev/orders","aud":"dev/payments","iat":1,"exp":1e999,"jti":"x"}')
    ),
    "alg none": lambda: f"{part({**HEADER, 'alg': 'none'})}.{part(CLAIMS)}.",
    "alg none, signed": lambda: signed({**HEADER, "alg": "none"}, CLAIMS, pair()),
    "alg HS256 with the public key": by_shared_secret,
    "alg of another kind of key": lambda: signed({**HEADER, "alg": "RS256"}, CLAIMS, pair()),
    "no kid": lambda: signed({"alg": "ES256"}, CLAIMS, pair()),
    "kid is the issuer": lambda: signed({**HEADER, "kid": ORDERS}, CLAIMS, pair()),
    "kid leads out": lambda: signed({**HEADER, "kid": f"{ORDERS}/../evil/x.pem"}, CLAIMS, pair()),
    "revoked or unknown key": lambda: signed({**HEADER, "kid": f"{ORDERS}/x.pem"}, CLAIMS, pair()),
    "critical extension": lambda: signed({**HEADER, "crit": ["b64"]}, CLAIMS, pair()),
    "signature of nothing": lambda: a_token().rpartition(".")[0] + "." + part(bytes(64)),
    "signature in DER": lambda: (
        a_token().rpartition(".")[0] + "." + part(b"0\x06\x02\x01\x01\x02\x01\x01")
    ),
    "padded": lambda: a_token() + "=",
    "too long": lambda: a_token(jti="x" * 8000),
    "nested": lambda: f"{part(b'[' * 3000)}.{part(CLAIMS)}.{part(b'x')}",
}


def test_a_good_token_is_accepted() -> None:
    assert verify(a_token()).iss == ORDERS
    assert verify(a_token(aud=["dev/mail", PAYMENTS], sub=None, nbf=None)).jti == "one"


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_as_it_must_be_is_refused_in_always_the_same_words(name: str) -> None:
    token = REFUSED[name]()
    with pytest.raises(TokenRefused) as refused:
        verify(token)
    assert str(refused.value) == "The token is refused."
    assert refused.value.details == {}
    assert refused.value.reason
    assert not token or token not in repr(refused.value) + refused.value.reason
    assert refused.value.__cause__ is None


@given(st.data())
def test_a_token_that_is_changed_anywhere_is_refused(data: st.DataObject) -> None:
    token = a_token()
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != token[at]))
    with pytest.raises(TokenRefused):
        verify(token[:at] + other + token[at + 1 :])


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda b: b.decode("latin-1")))
def test_whatever_is_sent_is_refused(text: str) -> None:
    with pytest.raises(TokenRefused):
        verify(text)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
@given(
    lifetime=st.integers(1, 3600),
    audience=st.from_regex(r"[a-z][a-z0-9-]{0,39}/[a-z][a-z0-9-]{0,39}", fullmatch=True),
    unique=st.text(min_size=1, max_size=50),
)
def test_what_is_made_is_accepted_until_it_ends(
    algorithm: Algorithm, lifetime: int, audience: str, unique: str
) -> None:
    key = pair("made", algorithm)
    private = loaded(key.private)
    token = tokens.make(
        issuer=ORDERS,
        audience=audience,
        key_id=KID,
        algorithm=algorithm,
        now=NOW,
        lifetime=timedelta(seconds=lifetime),
        unique=unique,
        sign=lambda message: sign(private, message),
    )

    def accepted(after: timedelta) -> bool:
        try:
            claims = tokens.verify(
                token,
                audience=audience,
                key_of={KID: key.public}.get,
                is_signed=is_signed,
                now=NOW + after,
                tolerance=timedelta(0),
            )
        except TokenRefused:
            return False
        return claims.jti == unique

    end = timedelta(seconds=lifetime)
    assert accepted(timedelta(0))
    assert accepted(end - timedelta(milliseconds=1))
    assert not accepted(end)
    assert not accepted(timedelta(seconds=-1))


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=3601), timedelta(days=-1)])
def test_a_token_for_longer_than_an_hour_or_for_no_time_is_not_made(lifetime: timedelta) -> None:
    with pytest.raises(TokenUnfit, match="1 to 3600 seconds"):
        _make(PAYMENTS, lifetime)


@pytest.mark.parametrize("audience", ["", "a b", "a\nb", "x" * 256, "dev/päyments", "a\0b"])
def test_a_token_for_nobody_is_not_made(audience: str) -> None:
    with pytest.raises(TokenUnfit, match="names no service"):
        _make(audience, timedelta(seconds=1))


def _make(audience: str, lifetime: timedelta) -> str:
    return tokens.make(
        issuer=ORDERS,
        audience=audience,
        key_id=KID,
        algorithm="ES256",
        now=NOW,
        lifetime=lifetime,
        unique="x",
        sign=lambda message: message,
    )
