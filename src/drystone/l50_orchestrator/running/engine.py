"""The orchestrator as an engine: a process that the platform starts and watches, and that goes on without the agent."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

import msgspec
from msgspec import structs
from typing_extensions import override

import drystone
from drystone.l00_kernel.atomic import write_atomically
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.supervision.launch import Launch, Patience
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.l10_engines.supervision.port import EngineStatus
from drystone.l50_orchestrator.running.asking import answers

NAME = "orchestrator"
MEMORY = 512 * 1024**2
"""Bytes of data that it may have."""

ACCESS = "database.json"


class OrchestratorEngine(LocalEngine):
    """The orchestrator of a home.

    Args:
        directory: Its own.
        socket: Where it is to answer.
        remote: Where it is to answer the edge, for those who come over a network.
        module: What Python runs; it takes ``--home``, ``--socket``, ``--remote``, ``--database``, ``--sign-in`` and
            ``--memory``.
        home: Whose.
        sign_in: Address of its sign-in.
        database: Returns the way to its tables, when they can be reached.
        patience: How long it is waited for.
    """

    program: ClassVar[str] = Path(sys.executable).resolve().name
    reserve: ClassVar[tuple[int, int]] = (1, 64 * 1024)

    def __init__(
        self,
        directory: Path,
        *,
        socket: Path,
        remote: Path,
        module: str,
        home: Path,
        sign_in: str,
        database: Callable[[], Awaitable[DatabaseAccess]],
        patience: Patience | None = None,
    ) -> None:
        super().__init__(NAME, directory, memory=MEMORY, patience=patience)
        self.socket = socket
        self._remote = remote
        self._module = module
        self._home = home
        self._sign_in = sign_in
        self._database = database

    @override
    async def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        access = await self._database()
        write_atomically(self.directory / ACCESS, msgspec.json.encode(access))

    @override
    def launch(self, ports: dict[str, int]) -> Launch:
        options = {
            "home": self._home,
            "socket": self.socket,
            "remote": self._remote,
            "database": self.directory / ACCESS,
            "sign-in": self._sign_in,
            "memory": self.memory,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return Launch(
            command=(sys.executable, "-P", "-m", self._module, *words),
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )

    @override
    async def probe(self) -> bool:
        return await answers(self.socket)

    @override
    async def ask_version(self) -> str:
        return drystone.__version__

    @override
    def status(self) -> EngineStatus:
        return structs.replace(super().status(), endpoint=f"unix:{self.socket}")
