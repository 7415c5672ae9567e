"""What a token looks like, and what is kept of it.

``dry_``, 43 characters of 256 random bits in base 62, and 6 of a checksum (CRC-32 of what stands before, in base 62). The prefix lets
scanners of repositories find one that was published; the checksum tells a mistyped one without asking the database.

What is kept is the SHA-256. A slow hash is for passwords, which can be guessed: a second a guess is too long for a list of a million
words. Of 256 random bits there is no list, so that a slow hash protects nothing, and lets anybody burn a second of processor time
with each wrong token.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "dry_"
_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECK = 43, 6
"""62^43 > 2^256, 62^6 > 2^32."""
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECK}}}")
_ID_BITS = 64


def make() -> str:
    """Return a new token."""
    body = PREFIX + _base62(secrets.randbits(256), _RANDOM)
    return body + _checksum(body)


def make_id() -> str:
    """Return a name for a token, which is no secret."""
    return _base62(secrets.randbits(_ID_BITS), 11)


def is_well_formed(token: str) -> bool:
    """Tell whether this can be a token: mistyped ones are told from unknown ones."""
    return _FORM.fullmatch(token) is not None and _checksum(token[:-_CHECK]) == token[-_CHECK:]


def digest(token: str) -> bytes:
    """Return what is kept of a token: 32 bytes."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK)


def _base62(number: int, length: int) -> str:
    digits = list[str]()
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits.append(_LETTERS[rest])
    return "".join(reversed(digits))
