"""The key repository as an engine: a process that the platform starts, watches, and that goes on without it."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

import drystone
from drystone.l10_engines.supervision.launch import Launch, Patience
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.l20_trust.keys import http
from drystone.l20_trust.keys.repository import Repository

if TYPE_CHECKING:
    from drystone.l10_engines.supervision.supervisor import Supervisor

MEMORY = 64 * 1024**2
"""Bytes of data that a repository may have; it uses some six megabytes, and a quarter of one for each connection."""

FIRST, SECOND = "keys", "keys-copy"
"""Names of the two repositories among the engines of a home."""


class Shown:
    """What a server shows, and how it gets a new one.

    Args:
        make: Makes it in a folder, and returns the file of key and certificate and the one that says when it is due.
        renew: The command that does the same, for this folder.
        authority: What clients trust.
    """

    def __init__(
        self,
        make: Callable[[Path], tuple[Path, Path]],
        renew: Callable[[Path], Sequence[str]],
        authority: Path,
    ) -> None:
        self.make = make
        self.renew = renew
        self.authority = authority


class KeyServer(LocalEngine):
    """One key repository on a loopback port.

    Args:
        name: The engine's name among all engines of one home.
        directory: The engine's own directory.
        public: The folder of what it serves.
        shown: Its certificate.
        patience: How long it is waited for.
    """

    program: ClassVar[str] = Path(sys.executable).resolve().name
    reserve: ClassVar[tuple[int, int]] = (1, 16 * 1024)

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        public: Path,
        shown: Shown,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(name, directory, memory=MEMORY, patience=patience)
        self._public = public
        self._shown = shown

    @property
    def url(self) -> str:
        """Where keys are looked up: a key's id comes behind it.

        Raises:
            EngineFailed: The engine was never started.
        """
        return f"https://127.0.0.1:{self.port}/keys/"

    @override
    async def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)

    @override
    def launch(self, ports: dict[str, int]) -> Launch:
        pair, due = self._shown.make(self.data)
        command = (sys.executable, "-I", "-S", str(Path(http.__file__)))
        options = {
            "public": self._public,
            "pair": pair,
            "due": due,
            "port": ports["clients"],
            "memory": self.memory,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return Launch(
            command=(*command, *words, "--", *self._shown.renew(self.data)),
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )

    @override
    async def probe(self) -> bool:
        try:
            context = ssl.create_default_context(cafile=self._shown.authority)
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
                try:
                    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                    return (await reader.read()).startswith(b"HTTP/1.1 200 ")
                finally:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError
            return False

    @override
    async def ask_version(self) -> str:
        return drystone.__version__


class Repositories(Repository):
    """The repository and its copy, kept by the supervisor of a home.

    Args:
        supervisor: Knows both.
        servers: The first and the second.
    """

    def __init__(self, supervisor: Supervisor, servers: tuple[KeyServer, KeyServer]) -> None:
        self._supervisor = supervisor
        self._servers = servers

    @override
    async def ensure(self) -> None:
        await asyncio.gather(*(self._supervisor.ensure(one.name) for one in self._servers))

    @override
    def urls(self) -> tuple[str, str]:
        first, second = self._servers
        return first.url, second.url
