"""A cache that somebody else runs."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.resp import Refused, connected
from drystone.l10_engines.cache.server import CacheEngine, version_in
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.external import ExternalEngine

OLDEST_MAJOR = 6


def parse_url(url: str) -> CacheAccess:
    """Read ``redis://USER:PASSWORD@HOST:PORT/DATABASE``, or ``rediss://`` for an encrypted connection.

    Raises:
        Invalid: It cannot be read.
    """
    wanted = "write it as redis://USER:PASSWORD@HOST:PORT/DATABASE"
    try:
        parts = urlsplit(url)
        port, database = parts.port or 6379, int(parts.path.strip("/") or "0")
    except ValueError:
        # The cause quotes the URL, password included.
        raise Invalid(f"the URL of the cache cannot be read; {wanted}") from None
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        raise Invalid(f"the URL of the cache lacks a part; {wanted}")
    return CacheAccess(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=database,
        tls=parts.scheme == "rediss",
    )


class ExternalCache(ExternalEngine, CacheEngine):
    """Redis or Valkey at a URL. What it holds is shared by all who are given this cache.

    Args:
        name: The engine's name among all engines of one home.
        url: See :func:`parse_url`.
    """

    def __init__(self, name: str, url: str) -> None:
        self._access = parse_url(url)
        super().__init__(name, f"{self._access.host}:{self._access.port}")

    @override
    def access(self) -> CacheAccess:
        return self._access

    @override
    async def also_accept(self, password: str | None) -> bool:
        return False

    @override
    async def hold(self, *, is_held: bool) -> bool:
        return False

    @override
    async def check(self) -> str:
        try:
            async with connected(self._access) as connection:
                version = version_in(str(await connection.call("INFO", "server")))
        except (OSError, asyncio.IncompleteReadError, Refused) as e:
            raise EngineFailed(
                f"{self.name}: no cache can be used at {self.endpoint}: {e}; "
                "check the address, the user and the password",
                engine=self.name,
            ) from e
        major = version.partition(".")[0]
        if not major.isdigit() or int(major) < OLDEST_MAJOR:
            raise EngineFailed(
                f"{self.name}: the cache at {self.endpoint} is of version {version or 'unknown'}; "
                f"{OLDEST_MAJOR} is the oldest that works",
                engine=self.name,
            )
        return version
