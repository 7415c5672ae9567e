"""The limiter: one process that counts for every proxy of a home, and goes on when the platform's agent is gone.

It reads what to count from a file, which is replaced as a whole and looked at several times a second. A file that cannot be
used changes nothing: the limiter goes on with what it read last, and says why on its standard error.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from typing_extensions import override

from drystone.l10_engines.on_demand.private_socket import listener_at
from drystone.l35_mesh.limits.checking import Conversation, HandOver, Questions
from drystone.l35_mesh.limits.counter import Counter, microseconds
from drystone.l35_mesh.limits.policies import LARGEST, PoliciesDamaged, decode

if TYPE_CHECKING:
    from drystone.l35_mesh.limits.http import ApiProtocols

LOOK_EVERY = 0.2
"""Seconds between two looks at the file."""

MOST_CONNECTIONS = 2048
"""At once; those beyond are closed."""


class Watched:
    """The file of policies, as it was last seen.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def changed(self) -> bytes | None:
        """Return the content if the file is another one than before; None when not, or when there is none."""
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_mtime_ns)
            if seen == self._seen:
                return None
            with self._path.open("rb") as file:
                content = file.read(LARGEST + 1)
        except OSError:
            return None
        self._seen = seen
        return content


class Limiter:
    """Serves a socket.

    Args:
        counter: Knows the limits, and decides.
        policies: The file that says which.
    """

    def __init__(self, counter: Counter, policies: Path) -> None:
        self._counter = counter
        self._watched = Watched(policies)
        self._questions = Questions(counter, self.look)
        self._open: set[asyncio.Transport] = set()
        self._api = _Api(counter, self.look)

    def look(self) -> None:
        """Count by what the file says now, if it says anything new."""
        content = self._watched.changed()
        if content is None:
            return
        try:
            self._counter.load(decode(content))
        except PoliciesDamaged as e:
            sys.stderr.write(f"{e}; what was read before goes on\n")
            sys.stderr.flush()
            return
        self._questions.forget()

    async def run(self, socket: Path) -> None:
        """Serve until cancelled.

        Raises:
            SocketUnusable: Nobody can listen there.
        """
        self.look()
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(
            lambda: _Bounded(self._questions, self._hand_over, self._open, self._api),
            sock=listener_at(socket),
        )
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY)
                self.look()
        finally:
            server.close()
            for transport in (*self._open, *self._api.open):
                transport.abort()
            socket.unlink(missing_ok=True)  # noqa: ASYNC240 - it is about to end

    def _hand_over(self, transport: asyncio.Transport, begun: bytes) -> None:
        self._open.discard(transport)
        self._api.take(transport, begun)


class _Api:
    """Speaks the API on connections that it is handed; what it needs for that is loaded with the first.

    Args:
        counter: What the API is about.
        look: Has it count by what it was told since it looked last.
    """

    def __init__(self, counter: Counter, look: Callable[[], None]) -> None:
        self._counter = counter
        self._look = look
        self._since = microseconds()
        self._make: ApiProtocols | None = None

    @property
    def open(self) -> list[asyncio.Transport]:
        """The connections that it has."""
        return self._make.open if self._make else []

    def take(self, transport: asyncio.Transport, begun: bytes) -> None:
        """Go on with a connection on which something came in already."""
        if self._make is None:
            from drystone.l35_mesh.limits.http import ApiProtocols  # noqa: PLC0415

            self._make = ApiProtocols(self._counter, self._since, self._look)
        protocol = self._make.protocol()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(begun)


class _Bounded(Conversation):
    """A conversation, unless there are too many."""

    def __init__(
        self, questions: Questions, hand_over: HandOver, others: set[asyncio.Transport], api: _Api
    ) -> None:
        super().__init__(questions, hand_over)
        self._others, self._api = others, api

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        mine = cast("asyncio.Transport", transport)
        if len(self._others) + len(self._api.open) >= MOST_CONNECTIONS:
            mine.abort()
        else:
            self._others.add(mine)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._others.discard(self._transport)
        super().connection_lost(exc)
