"""A hostile repository, and two platforms in folders of which the one may trust the other."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.contract import ANONYMOUS, Caller, Context
from drystone.l00_kernel.ports import Audit, Field, NullLog
from drystone.l20_trust.certificates.authority import Authority
from drystone.l20_trust.keys.http import KeyRepository
from drystone.l20_trust.keys.peers.api import PeerSaid
from drystone.l20_trust.keys.peers.service import Peers
from drystone.l20_trust.keys.peers.store import PeerStore
from drystone.l20_trust.keys.service import Keys
from l20_trust.key_rings import NOW, NoServer, keys_at

CTX = Context(ANONYMOUS)


class Noted(Audit):
    """Remembers what was recorded."""

    def __init__(self) -> None:
        self.of: list[tuple[str, str, dict[str, Field]]] = []

    @override
    async def record(self, ctx: Context, action: str, subject: str, **fields: Field) -> None:
        self.of.append((action, subject, fields))


class Answers:
    """A server over TLS that answers with given bytes, whatever it is asked.

    Args:
        authority: Who signs what it shows.
        folder: For that.
    """

    def __init__(self, authority: Authority, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(authority.serve(folder).pair)
        self.said = b""
        self.pause = 0.0
        """Seconds between two bytes."""
        self.asked: list[str] = []
        self.public: Path | None = None
        """What it serves in truth, in the place of what it is told."""
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/"

    def say(self, body: bytes, *, status: str = "200 OK", **headers: str) -> None:
        """Answer so from now on."""
        said = {"content-type": "application/json", "content-length": str(len(body)), **headers}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in said.items())
        self.said = f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body

    def say_keys(self, *keys: Any) -> None:
        self.say(json.dumps({"keys": keys}).encode())

    def was_asked(self, times: int) -> bool:
        """Tell whether it was asked so often."""
        return len(self.asked) >= times

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head.split(b" ")[1].decode())
            if self.public is not None:
                said, _ = KeyRepository(self.public).answer(head.partition(b"\r\n")[0])
                self.say(said[3], status=said[0], content_type=said[1])
            step = 1 if self.pause else max(1, len(self.said))
            for at in range(0, len(self.said), step):
                writer.write(self.said[at : at + step])
                await writer.drain()
                await asyncio.sleep(self.pause)
        writer.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Answers]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self


class Platform:
    """One platform in a folder: its keys, whom it trusts, and who was told."""

    def __init__(self, folder: Path, clock: ManualClock | None = None) -> None:
        self.folder = folder
        self.clock = clock or ManualClock(NOW)
        self.keys: Keys = keys_at(folder, self.clock)
        self.authority = Authority(folder / "certificates")
        self.audit = Noted()
        self.published = 0
        self.peers = self.anew()

    def anew(self, *, every: timedelta = timedelta(milliseconds=10)) -> Peers:
        """Return what a new agent finds."""

        async def publish() -> None:
            self.published += 1

        return Peers(
            PeerStore(self.folder / "keys"),
            clock=self.clock,
            keys=self.keys,
            repository=NoServer(),
            authority=str(self.authority.certificate),
            audit=self.audit,
            log=NullLog(),
            publish=publish,
            every=every,
        )

    def said(self, url: str, *issuers: str, to: str = "dev/payments") -> PeerSaid:
        """Say that whom this platform's authority signs for may prove some issuers."""
        pem = self.authority.certificate.read_text()
        return PeerSaid((url,), pem, issuers or ("dev/orders",), (to,))


def somebody(name: str) -> Context:
    """Return what accompanies a call of somebody."""
    return Context(Caller(name))
