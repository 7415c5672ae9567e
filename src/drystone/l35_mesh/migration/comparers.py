"""The programs that compare both sides of services, each started by the first copy of a request that comes to its socket."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from drystone.l00_kernel.ports import Log
from drystone.l10_engines.on_demand.service import OnDemand
from drystone.l10_engines.proxy.edge_moves import Mirror
from drystone.l35_mesh.migration import tally
from drystone.l35_mesh.migration.api import Compared
from drystone.l35_mesh.migration.domain import Migration

PROGRAM = "drystone.l35_mesh.migration.comparer"
REPORT = "compared.json"
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ")


class Asking(msgspec.Struct, frozen=True):
    """What one of them is told.

    Attributes:
        sides: The socket at which it asks both sides.
        report: The file in which it counts.
        ignored: What may differ.
    """

    sides: str
    report: str
    ignored: tuple[str, ...]


class Comparers:
    """All of a home.

    Args:
        root: The folder of all services.
        outputs: A folder for what they say.
        socket: Returns the path of a socket by a name of at most 24 bytes.
        environ: The agent's environment.
        log: Where it is reported that one starts or ends.
    """

    def __init__(
        self,
        root: Path,
        *,
        outputs: Path,
        socket: Callable[[str], Path],
        environ: Mapping[str, str],
        log: Log,
    ) -> None:
        self._root = root
        self._outputs = outputs
        self._socket = socket
        self._env = {name: environ[name] for name in _KEPT if name in environ}
        self._log = log
        self._running: dict[tuple[str, str], tuple[Asking, OnDemand]] = {}

    def mirror_of(self, one: Migration) -> Mirror | None:
        """Return what the proxy is told of comparing a service; nothing when it is not compared."""
        if not one.mirror:
            return None
        return Mirror(one.mirror, *self._sockets(one.key))

    async def keep(self, one: Migration) -> None:
        """Let somebody compare a service, if it is compared, and nobody if not. Idempotent.

        Raises:
            PlatformError: Nobody can listen.
        """
        mirror = self.mirror_of(one)
        if mirror is None:
            await self.end(one.key)
            self._sockets(one.key)[1].unlink(missing_ok=True)  # the proxy leaves it behind
            return
        asking = Asking(str(mirror.sides), str(self._report(*one.key)), one.ignored)
        known = self._running.get(one.key)
        if known is not None and known[0] == asking:
            return
        await self.end(one.key)
        name = f"comparer of {one.service}.{one.environment}"
        program = OnDemand(
            name,
            place=mirror.copies,
            command=[
                *(sys.executable, "-P", "-m", PROGRAM),
                *("--asking", msgspec.json.encode(asking).decode()),
            ],
            output=self._outputs / f"{mirror.copies.stem}.log",
            env={"PATH": os.defpath, **self._env},
            report=lambda said: self._log.info("on demand", service=name, detail=said),
        )
        program.start()
        self._running[one.key] = (asking, program)

    async def end(self, key: tuple[str, str]) -> None:
        """Let nobody compare a service any more; what was counted stays. Idempotent."""
        known = self._running.pop(key, None)
        if known is not None:
            await known[1].stop()

    async def leave(self) -> None:
        """End all of them; the next agent goes on counting."""
        for key in list(self._running):
            await self.end(key)

    def sweep(self, keys: Iterable[tuple[str, str]]) -> None:
        """Remove the sockets that a proxy leaves behind which ends, too. Idempotent."""
        for key in keys:
            self._sockets(key)[1].unlink(missing_ok=True)

    def begin_counting(self, key: tuple[str, str], now: datetime) -> None:
        """Count anew.

        Raises:
            DiskFull: There is no room.
        """
        tally.write(self._report(*key), Compared(since=now, last=None))

    async def counted(self, key: tuple[str, str]) -> Compared | None:
        """Return what was counted of a service; nothing when nobody has."""
        return await asyncio.to_thread(tally.read, self._report(*key))

    async def forget(self, key: tuple[str, str]) -> None:
        """Let nobody compare a service any more, and keep nothing of it. Idempotent."""
        await self.end(key)
        self._sockets(key)[1].unlink(missing_ok=True)
        self._report(*key).unlink(missing_ok=True)

    def _sockets(self, key: tuple[str, str]) -> tuple[Path, Path]:
        """Return where copies come in, and where both sides are asked."""
        name = hashlib.sha256("/".join(key).encode()).hexdigest()[:8]
        return self._socket(f"copies-{name}.sock"), self._socket(f"sides-{name}.sock")

    def _report(self, environment: str, service: str) -> Path:
        return self._root / environment / service / REPORT
