"""How to reach one database."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from typing_extensions import override


class DatabaseAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a client needs to open a connection; its ``repr`` hides the password.

    Attributes:
        host: Host name or address.
        port: TCP port.
        database: Database name.
        user: Role name.
        password: The role's password.
        parameters: Further parameters of a connection URL and their values, such as ``sslmode``.
    """

    host: str
    port: int
    database: str
    user: str
    password: str
    parameters: tuple[tuple[str, str], ...] = ()

    @override
    def __repr__(self) -> str:
        return f"DatabaseAccess({self.user}@{self.host}:{self.port}/{self.database})"

    def url(self) -> str:
        """Return a connection URL (libpq, 32.1.1.2). It holds the password."""
        who = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        query = "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in self.parameters)
        where = f"{host}:{self.port}/{quote(self.database, safe='')}"
        return f"postgresql://{who}@{where}" + (f"?{query}" if query else "")
