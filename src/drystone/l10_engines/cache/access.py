"""How to reach one cache."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from typing_extensions import override


class CacheAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a client needs to use a cache; its ``repr`` hides the password.

    Attributes:
        host: Host name or address.
        port: TCP port.
        user: Name of the access-control user; empty for a server that knows only a password.
        password: Its password.
        database: Number of the logical database.
        tls: Whether the connection is encrypted.
    """

    host: str
    port: int
    user: str
    password: str
    database: int = 0
    tls: bool = False

    @override
    def __repr__(self) -> str:
        return f"CacheAccess({self.user}@{self.host}:{self.port}/{self.database})"

    def url(self) -> str:
        """Return a URL as Redis clients read it. It holds the password."""
        scheme = "rediss" if self.tls else "redis"
        host = f"[{self.host}]" if ":" in self.host else self.host
        who = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"{scheme}://{who}@{host}:{self.port}/{self.database}"
