"""Who signed a request: Signature Version 4.

After `Create a signed AWS API request <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>`_.
What is accepted is narrower than there: the body is always signed, and a signature stands in a header, never in a URL.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

import msgspec

SKEW = timedelta(minutes=15)
"""How far the time of a request may be from ours, as at AWS."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]{16,128})/(\d{8})/([a-z0-9-]{1,63})/([a-z0-9-]{1,63})/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]{1,2000}), ?Signature=([0-9a-f]{64})"
)


class Refused(Exception):
    """A request is not signed by somebody known.

    Attributes:
        code: What the protocols call it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Signer(msgspec.Struct, frozen=True):
    """Who signed, and for what.

    Attributes:
        access_key: The public half of the key.
        region: Where the request is meant for.
        service: Whom it is meant for, as signatures call it.
    """

    access_key: str
    region: str
    service: str


def claimed_key(headers: Mapping[str, str]) -> str | None:
    """Return the key that a request says it is signed with, before anything is proven; None when it says none."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", "").strip())
    return found[1] if found else None


def claimed_service(headers: Mapping[str, str]) -> str | None:
    """Return whom a request says it is meant for, before anything is proven; None when it says nothing."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", "").strip())
    return found[4] if found else None


def verify(
    *,
    method: str,
    path: bytes,
    query: bytes,
    headers: Mapping[str, str],
    body: bytes,
    secret_of: Callable[[str], str | None],
    now: datetime,
) -> Signer:
    """Return who signed a request.

    Args:
        method: Of the request.
        path: As it was sent, escapes included.
        query: As it was sent.
        headers: By their names in small letters; several of one name joined by commas.
        body: All of it.
        secret_of: Returns the secret half of a key, None for one that nobody has.
        now: The time.

    Raises:
        Refused: Nobody did whom we know, or not lately, or not all of it.
    """
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", "").strip())
    if found is None:
        raise Refused(
            "MissingAuthenticationToken",
            "the request is not signed with Signature Version 4; give the client AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY of the service",
        )
    access_key, day, region, service, signed, given = found.groups()
    names = signed.split(";")
    if "host" not in names or any(name not in headers for name in names):
        raise Refused(
            "IncompleteSignature",
            "headers that are signed are not there, or the host is not signed",
        )
    at = headers.get("x-amz-date", "")
    _check_time(at, day, now)
    digest = hashlib.sha256(body).hexdigest()
    if not hmac.compare_digest(
        headers.get("x-amz-content-sha256", digest).encode(), digest.encode()
    ):
        raise Refused("InvalidSignatureException", "the body is not the one that was signed")
    secret = secret_of(access_key)
    canonical = "\n".join(
        (
            method,
            quote(path.decode("latin-1"), safe="/-_.~"),
            _canonical_query(query),
            *(f"{name}:{' '.join(headers[name].split())}" for name in names),
            "",
            signed,
            digest,
        )
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(
        ("AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest())
    )
    key = f"AWS4{secret or ''}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    if secret is None or not hmac.compare_digest(expected, given):
        raise Refused(
            "UnrecognizedClientException" if secret is None else "InvalidSignatureException",
            "nobody here has this key; a service finds its own in AWS_ACCESS_KEY_ID"
            if secret is None
            else "the signature does not fit the request; the secret half of the key is another one",
        )
    return Signer(access_key, region, service)


def _check_time(at: str, day: str, now: datetime) -> None:
    try:
        moment = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as e:
        raise Refused("IncompleteSignature", "x-amz-date is not a time") from e
    if at[:8] != day or abs(now - moment) > SKEW:
        raise Refused(
            "RequestExpired", "the request was signed too long ago, or the client's clock is wrong"
        )


def _canonical_query(query: bytes) -> str:
    pairs = []
    for part in query.decode("latin-1").split("&") if query else ():
        name, _, value = part.partition("=")
        pairs.append(tuple(quote(unquote_to_bytes(text), safe="-_.~") for text in (name, value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
