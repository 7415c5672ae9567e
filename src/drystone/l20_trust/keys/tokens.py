"""Tokens by which a service proves who it is: made and verified as ASAP says, on top of RFC 7519 and RFC 7515.

What a verifier demands, beyond a signature: the key is owned by the issuer (its id is the issuer, a slash and one name);
``sub``, where given, is the issuer; ``iss``, ``aud``, ``iat``, ``exp`` and ``jti`` are there; a token lives for an hour at
most; and the algorithm is one of two, that of the key itself. The checks need the key and the time and touch nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import msgspec

from drystone.l20_trust.keys import compact_form
from drystone.l20_trust.keys.api import LONGEST_LIFETIME
from drystone.l20_trust.keys.compact_form import LAST_SECOND
from drystone.l20_trust.keys.errors import TokenRefused, TokenUnfit

LARGEST = 8192
"""Bytes of a token; a longer one is refused unread."""

RENEWED_AFTER = LONGEST_LIFETIME / 2
"""Age at which a token that lies in a file is made anew: so long nobody may be there to do it."""

TOLERANCE = timedelta(seconds=5)
"""How far the clocks of who made and who verifies a token may lie apart."""

ALGORITHMS = ("ES256", "RS256")
_KEY_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_AUDIENCE = re.compile(r"[\w.+:/-]{1,255}", re.ASCII)

KeySource: TypeAlias = Callable[[str], "str | None"]
"""Returns the public key of an id as PEM; None where nobody published it, or no more."""

Sign: TypeAlias = Callable[[bytes], bytes]
IsSigned: TypeAlias = Callable[[str, str, bytes, bytes], bool]


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says.

    Attributes:
        iss: Who made it.
        aud: For whom: one or several.
        iat: When, in seconds since 1970.
        exp: When it ends.
        jti: Its own name, which no other has.
        nbf: Before when it must not be used.
        sub: Whom it is about; the issuer.
    """

    iss: str
    aud: str | list[str]
    iat: int | float
    exp: int | float
    jti: str
    nbf: int | float | None = None
    sub: str | None = None


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str
    crit: Any = None


def make(
    *,
    issuer: str,
    audience: str,
    key_id: str,
    algorithm: str,
    now: datetime,
    lifetime: timedelta,
    unique: str,
    sign: Sign,
) -> str:
    """Make a token.

    Args:
        issuer: Who calls.
        audience: Whom.
        key_id: Id of the key that signs.
        algorithm: What it signs with.
        now: The time.
        lifetime: From now on; whole seconds count.
        unique: A name that no other token has.
        sign: Signs with the key.

    Raises:
        TokenUnfit: The audience or the lifetime cannot be.
    """
    seconds = int(lifetime.total_seconds())
    if not 1 <= seconds <= LONGEST_LIFETIME.total_seconds():
        raise TokenUnfit(
            f"a token lives for 1 to {LONGEST_LIFETIME.total_seconds():g} seconds, not {lifetime.total_seconds():g}"
        )
    if not _AUDIENCE.fullmatch(audience):
        raise TokenUnfit(
            f"{audience[:100]!r} names no service: an audience is <environment>/<service>, or what the callee"
            " calls itself, without blanks"
        )
    begun = int(now.timestamp())
    claims = Claims(issuer, audience, begun, begun + seconds, unique, begun, issuer)
    header = {"alg": algorithm, "kid": key_id, "typ": "JWT"}
    return compact_form.make(header, claims, sign)


def verify(
    token: str,
    *,
    audience: str,
    key_of: KeySource,
    is_signed: IsSigned,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> Claims:
    """Return what a token says, if all of it is as it must be.

    Args:
        token: As it was received.
        audience: Who verifies.
        key_of: Knows the public keys.
        is_signed: Checks a signature: :func:`~drystone.l20_trust.keys.signing.is_signed`.
        now: The time.
        tolerance: How far clocks may lie apart.

    Raises:
        TokenRefused: It is not; the message is always the same, ``reason`` is for the verifier alone.
    """
    message, header, claims, signature = _read(token)
    if header.crit is not None:
        raise TokenRefused("it has a critical extension (RFC 7515 section 4.1.11)")
    if header.alg not in ALGORITHMS:
        raise TokenRefused("its algorithm is none that is accepted")
    owner, _, name = header.kid.rpartition("/")
    if owner != claims.iss or not owner or not _KEY_NAME.fullmatch(name):
        raise TokenRefused("its issuer does not own the key that it names")
    _check_claims(claims, audience, now.timestamp(), tolerance.total_seconds())
    public = key_of(header.kid)
    if public is None:
        raise TokenRefused("its key is not published")
    if not is_signed(public, header.alg, message, signature):
        raise TokenRefused("its signature is not that of its key")
    return claims


def is_fresh(token: str, *, key_id: str, now: datetime) -> bool:
    """Tell whether a token that was kept is still to be used; its signature is not looked at.

    Args:
        token: What was kept.
        key_id: Id of the key that signs now.
        now: The time.
    """
    try:
        _, header, claims, _ = _read(token)
    except TokenRefused:
        return False
    age = now.timestamp() - claims.iat
    is_of_today = -TOLERANCE.total_seconds() <= age < RENEWED_AFTER.total_seconds()
    return header.kid == key_id and is_of_today and now.timestamp() < claims.exp


def _check_claims(claims: Claims, audience: str, now: float, tolerance: float) -> None:
    audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    begins = claims.iat if claims.nbf is None else max(claims.iat, claims.nbf)
    if audience not in audiences:
        raise TokenRefused("it is for somebody else")
    if claims.sub is not None and claims.sub != claims.iss:
        raise TokenRefused("it is about somebody else than its issuer")
    if not claims.jti:
        raise TokenRefused("it has no name of its own")
    if not all(0 <= moment <= LAST_SECOND for moment in (claims.iat, claims.exp, begins)):
        raise TokenRefused("its times are none")
    if not 0 < claims.exp - claims.iat <= LONGEST_LIFETIME.total_seconds():
        raise TokenRefused("it lives longer than an hour, or ends before it begins")
    if now >= claims.exp + tolerance:
        raise TokenRefused("it has ended")
    if now < begins - tolerance:
        raise TokenRefused("it has not begun")


def _read(token: str) -> tuple[bytes, _Header, Claims, bytes]:
    """Take a token apart.

    Returns:
        What is signed, its two parts, and the signature.
    """
    try:
        parts = compact_form.take_apart(token, LARGEST)
    except ValueError as e:
        raise TokenRefused(str(e)) from None
    try:
        header = msgspec.json.decode(parts.header, type=_Header)
        claims = msgspec.json.decode(parts.payload, type=Claims)
    except (ValueError, RecursionError):  # without the cause, which may quote the token
        raise TokenRefused("it is not a token") from None
    return parts.message, header, claims, parts.signature
