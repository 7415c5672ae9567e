"""The limiter as an engine: a process that the platform starts, watches, and that goes on without it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from msgspec import structs
from typing_extensions import override

import drystone
from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l10_engines.supervision.launch import Launch, Patience
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.l10_engines.supervision.port import EngineStatus
from drystone.l35_mesh.limits import policies
from drystone.l35_mesh.limits.checking import path_of

NAME = "limiter"
MEMORY = 384 * 1024**2
"""Bytes of data that it may have; as many names as are ever kept take some 200 MiB."""

POLICIES = "policies.json"
STORE = "store-url"


class LimiterEngine(LocalEngine):
    """The limiter of a home.

    Args:
        directory: Its own.
        socket: Where proxies and applications ask.
        store: URL of a Redis or Valkey to count in; this process's memory when None.
        serves_others: Whether it speaks Envoy's rate limit service, on its loopback port.
        patience: How long it is waited for.
    """

    program: ClassVar[str] = Path(sys.executable).resolve().name
    reserve: ClassVar[tuple[int, int]] = (1, 64 * 1024)

    def __init__(
        self,
        directory: Path,
        *,
        socket: Path,
        store: str | None = None,
        serves_others: bool = False,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(NAME, directory, memory=MEMORY, patience=patience)
        self.socket = socket
        self._store = store
        self._serves_others = serves_others
        self._policies = directory / POLICIES

    def tell(self, wanted: policies.Policies) -> None:
        """Have it count by these limits, now if it runs, else from its start on.

        Raises:
            DiskFull: There is no room for them; it goes on with those before.
        """
        content = policies.encode(wanted)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if read_if_exists(self._policies) != content:
            write_atomically(self._policies, content)

    @override
    async def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)

    @override
    def launch(self, ports: dict[str, int]) -> Launch:
        options: dict[str, object] = {
            "socket": self.socket,
            "policies": self._policies,
            "memory": self.memory,
        }
        if self._store is not None:
            file = self.directory / STORE
            write_atomically(file, self._store.encode())
            options["store"] = file
        if self._serves_others:
            options["rls"] = ports["clients"]
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return Launch(
            command=(sys.executable, "-P", "-m", "drystone.l35_mesh.limits", *words),
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )

    @override
    async def probe(self) -> bool:
        question = f"GET {path_of('limiter/probe', closed=False)}/ HTTP/1.1\r\n\r\n"
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_unix_connection(self.socket)
                try:
                    writer.write(question.encode())
                    return (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
                finally:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False

    @override
    async def ask_version(self) -> str:
        return drystone.__version__

    @override
    def status(self) -> EngineStatus:
        return structs.replace(super().status(), endpoint=f"unix:{self.socket}")
