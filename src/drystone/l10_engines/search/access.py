"""How to reach one search."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import msgspec
from typing_extensions import override


class SearchAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a client needs; its ``repr`` hides the password.

    Attributes:
        host: Host name or address.
        port: TCP port.
        user: Name of the one user.
        password: Its password.
        tls: Whether the connection is encrypted.
    """

    host: str
    port: int
    user: str
    password: str
    tls: bool = False

    @override
    def __repr__(self) -> str:
        return f"SearchAccess({self.user}@{self.host}:{self.port})"

    def url(self) -> str:
        """Return a URL as clients read it. It holds the password."""
        scheme = "https" if self.tls else "http"
        who = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"{scheme}://{who}@{self.host}:{self.port}"


def hashed(user: str, password: str) -> str:
    """Return what a user and a password are known by. The password is long and random, so one hash is enough.

    Args:
        user: Who.
        password: Theirs.
    """
    return hashlib.sha256(f"{user}:{password}".encode()).hexdigest()
