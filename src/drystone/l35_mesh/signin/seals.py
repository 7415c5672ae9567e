"""Notes to ourselves that pass through a browser: nobody else can write or change one, and each has its end.

A note is JSON beside an HMAC (RFC 2104) that covers what kind of note it is, so that a note of one kind is never taken for
another. Notes are readable by whoever carries them; what they hold is no secret from that browser.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import TypeVar

import msgspec
from typing_extensions import override

from drystone.l20_trust.keys.compact_form import decode, encode
from drystone.l35_mesh.signin.errors import TokenInvalid

LARGEST = 8 * 1024
T = TypeVar("T", bound=msgspec.Struct)


class Seal:
    """Closes notes and opens them.

    Args:
        secret: Of at least 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @override
    def __repr__(self) -> str:
        return "Seal(…)"

    def close(self, note: msgspec.Struct, *, until: datetime | None = None) -> str:
        """Return a note as text for an address or a cookie.

        Args:
            note: Its type is its kind.
            until: When it ends; never when None.
        """
        ends = "" if until is None else str(int(until.timestamp()))
        body = encode(msgspec.json.encode(note)).decode()
        return f"{body}.{ends}.{self._mac(type(note).__name__, body, ends)}"

    def open(self, text: str, kind: type[T], *, now: datetime) -> T:
        """Return a note that we closed.

        Raises:
            TokenInvalid: We did not, or it has ended.
        """
        if len(text) > LARGEST:
            raise TokenInvalid("it is too long")
        body, _, rest = text.partition(".")
        ends, _, mac = rest.partition(".")
        expected = self._mac(kind.__name__, body, ends)
        if not hmac.compare_digest(expected.encode(), mac.encode("utf-8", "replace")):
            raise TokenInvalid("it was not closed here")
        if ends and now.timestamp() >= int(ends):
            raise TokenInvalid("it has ended")
        try:
            return msgspec.json.decode(decode(body.encode()), type=kind)
        except (msgspec.MsgspecError, ValueError):
            raise TokenInvalid("another version closed it") from None

    def _mac(self, kind: str, body: str, ends: str) -> str:
        said = f"{kind}\n{ends}\n{body}".encode("utf-8", "replace")
        return encode(hmac.digest(self._secret, said, hashlib.sha256)).decode()


def fingerprint(secret: str) -> str:
    """Return what is kept of a random secret: enough to recognise it, and not to use it."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
