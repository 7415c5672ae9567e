"""The compact form of signed tokens (RFC 7515 section 7.1), whatever they say and whoever believes them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

LAST_SECOND = 253402300799
"""Of the year 9999: a later one is no time."""

_PART = re.compile(rb"[A-Za-z0-9_-]+")


class Parts(NamedTuple):
    """A token taken apart; nothing of it is believed yet.

    Attributes:
        message: What is signed: header and payload as they stand in the token.
        header: The first part, decoded.
        payload: The second.
        signature: The third.
    """

    message: bytes
    header: bytes
    payload: bytes
    signature: bytes


def make(header: Any, payload: Any, sign: Callable[[bytes], bytes]) -> str:
    """Write header and payload as JSON, sign them, and join all three.

    Args:
        header: Of the token.
        payload: What it says.
        sign: Returns the signature of a message.
    """
    message = b".".join(encode(msgspec.json.encode(part)) for part in (header, payload))
    return (message + b"." + encode(sign(message))).decode()


def take_apart(token: str, largest: int) -> Parts:
    """Return the parts of a token.

    Args:
        token: As it was received.
        largest: Bytes of a token; a longer one is not looked at.

    Raises:
        ValueError: It is too long, or no token; the message quotes nothing of it.
    """
    if len(token) > largest:
        raise ValueError("it is too long")
    try:
        parts = token.encode("ascii").split(b".")
        header, payload, signature = (decode(part) for part in parts)
    except ValueError:
        raise ValueError("it is not a token") from None
    return Parts(b".".join(parts[:2]), header, payload, signature)


def encode(content: bytes) -> bytes:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def decode(part: bytes) -> bytes:
    """Decode base64url without padding, in its one canonical form.

    Raises:
        ValueError: It is not.
    """
    if not _PART.fullmatch(part):
        raise ValueError("not base64url")
    try:
        decoded = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error as e:
        raise ValueError("not base64url") from e
    if encode(decoded) != part:
        raise ValueError("not canonical")
    return decoded
