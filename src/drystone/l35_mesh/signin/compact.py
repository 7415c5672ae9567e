"""JSON Web Tokens in the compact form (RFC 7519, RFC 7515): what the sign-in issues, and what providers issue.

Two algorithms are accepted, ES256 and RS256, each with keys of its own kind alone; ``none`` and keyed hashes are not among
them, so no public key can be taken for a secret. A key is found by the id that the token names, and nothing a token says
of keys beyond that (``jku``, ``jwk``, ``x5u``) is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from drystone.l20_trust.keys import compact_form
from drystone.l20_trust.keys.compact_form import LAST_SECOND
from drystone.l35_mesh.signin.errors import TokenInvalid

LARGEST = 16 * 1024
"""Bytes of a token; a longer one is refused unread."""

TOLERANCE = timedelta(seconds=30)
"""How far the clock of a provider may lie from ours."""


class VerifyingKey(msgspec.Struct, frozen=True):
    """A public key.

    Attributes:
        kid: Its id; empty where the provider has but one and gives it none.
        algorithm: ``ES256`` or ``RS256``.
        pem: SubjectPublicKeyInfo.
    """

    kid: str
    algorithm: str
    pem: str


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str = ""
    crit: Any = None


def make(claims: Mapping[str, Any], *, kid: str, private: str) -> str:
    """Sign claims with a key on P-256.

    Args:
        claims: What the token says.
        kid: Id of the key.
        private: The key, PKCS #8 in PEM.
    """
    from drystone.l20_trust.keys import signing  # noqa: PLC0415 - loads cryptography

    header = {"alg": "ES256", "kid": kid, "typ": "JWT"}
    key = signing.load_private(private)
    return compact_form.make(header, claims, lambda message: signing.sign(key, message))


def verify(
    token: str,
    keys: Sequence[VerifyingKey],
    *,
    issuer: str,
    audience: str,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> dict[str, Any]:
    """Return what a token says, if it is signed, meant for us and lives.

    Args:
        token: As it was received.
        keys: Those of its issuer.
        issuer: Who must have made it.
        audience: Who verifies.
        now: The time.
        tolerance: How far clocks may lie apart.

    Raises:
        TokenInvalid: It is not accepted.
    """
    message, header, claims, signature = _read(token)
    if header.crit is not None:
        raise TokenInvalid("it has a critical extension")
    if not any(_signed(key, header, message, signature) for key in keys):
        raise TokenInvalid("no key of its issuer has signed it")
    _check(claims, issuer, audience, now.timestamp(), tolerance.total_seconds())
    return claims


def kid_of(token: str) -> str:
    """Return which key a token names, before anything of it is believed.

    Raises:
        TokenInvalid: It is no token.
    """
    return _read(token)[1].kid


def issuer_of(token: str) -> str:
    """Return who a token says made it, before anything of it is believed.

    Raises:
        TokenInvalid: It is no token.
    """
    issuer = _read(token)[2].get("iss")
    return issuer if isinstance(issuer, str) else ""


def _signed(key: VerifyingKey, header: _Header, message: bytes, signature: bytes) -> bool:
    from drystone.l20_trust.keys import signing  # noqa: PLC0415 - loads cryptography

    if header.alg != key.algorithm or (header.kid and key.kid and header.kid != key.kid):
        return False
    return signing.is_signed(key.pem, key.algorithm, message, signature)


def _check(
    claims: Mapping[str, Any], issuer: str, audience: str, now: float, tolerance: float
) -> None:
    if claims.get("iss") != issuer:
        raise TokenInvalid("it was made by somebody else")
    said = claims.get("aud")
    audiences = said if isinstance(said, list) else [said]
    if audience not in audiences:
        raise TokenInvalid("it is for somebody else")
    if len(audiences) > 1 and claims.get("azp", audience) != audience:
        raise TokenInvalid("it was issued to somebody else")
    times = [claims.get("exp"), claims.get("iat", 0), claims.get("nbf", 0)]
    if not all(
        isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one <= LAST_SECOND
        for one in times
    ):
        raise TokenInvalid("its times are none")
    expires, *begins = times
    if now >= expires + tolerance:
        raise TokenInvalid("it has ended")
    if now < max(begins) - tolerance:
        raise TokenInvalid("it has not begun")


def _read(token: str) -> tuple[bytes, _Header, dict[str, Any], bytes]:
    try:
        parts = compact_form.take_apart(token, LARGEST)
    except ValueError as e:
        raise TokenInvalid(str(e)) from None
    try:
        header = msgspec.json.decode(parts.header, type=_Header)
        claims = msgspec.json.decode(parts.payload, type=dict[str, Any])
    except (ValueError, RecursionError):  # without the cause, which may quote the token
        raise TokenInvalid("it is not a token") from None
    return parts.message, header, claims, parts.signature


def verifying_keys(jwks: Any) -> tuple[VerifyingKey, ...]:
    """Return the usable keys of a JSON Web Key Set (RFC 7517); those of other kinds or uses are left out.

    Args:
        jwks: The document as it came.
    """
    from drystone.l20_trust.keys import signing  # noqa: PLC0415 - loads cryptography

    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    found = []
    for jwk in (listed if isinstance(listed, list) else [])[:64]:
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
            continue
        pem = signing.public_pem(jwk)
        algorithm = {"EC": "ES256", "RSA": "RS256"}.get(str(jwk.get("kty")), "")
        if pem is not None and jwk.get("alg", algorithm) == algorithm:
            kid = jwk.get("kid", "")
            found.append(VerifyingKey(kid if isinstance(kid, str) else "", algorithm, pem))
    return tuple(found)
