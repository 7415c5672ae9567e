"""Two real servers between which keys move, and somebody who writes to the old one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from typing_extensions import override

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.resp import Refused
from drystone.l10_engines.cache.server import Valkey
from drystone.l10_engines.cache.wire import Wire, bytes_in, list_in
from drystone.l35_mesh.migration.caches import CacheMove
from drystone.l35_mesh.migration.noted_moves import Surroundings, Times
from l35_mesh.migration.writing import Writing

SHORT = Times(
    pause=timedelta(milliseconds=5),
    quiet=timedelta(milliseconds=200),
    patience=timedelta(seconds=20),
)


class Caches:
    """The old and the new server, as the services that have them use them."""

    def __init__(self, old: Valkey, new: Valkey, folder: Path) -> None:
        self.old = old
        self.new = new
        self.folder = folder
        self.told: list[str] = []
        self.to_old = Wire(old.access())
        self.to_new = Wire(new.access())

    def hold(self, is_held: bool) -> bool:
        return asyncio.run(self.old.hold(is_held=is_held))

    def move(
        self,
        *,
        to: CacheAccess | None = None,
        hold: Callable[[bool], bool] | None = None,
        times: Times = SHORT,
        is_enough: Callable[[], bool] = lambda: False,
    ) -> CacheMove:
        around = Surroundings(
            self.folder / "notes", hold or self.hold, self.told.append, is_enough, times
        )
        return CacheMove(self.old.access(), to or self.new.access(), around)

    def carry_through(self, switch: Callable[[], None] = lambda: None) -> None:
        with closing(self.move()) as move:
            move.begin()
            move.follow(lambda _: True)
            move.cut_over(switch)

    def may_write(self) -> bool:
        with closing(Wire(self.old.access())) as wire:
            try:
                wire.ask("SET", "probe", "1")
            except Refused:
                return False
            wire.ask("UNLINK", "probe")
            return True

    def close(self) -> None:
        self.to_old.close()
        self.to_new.close()


def content(wire: Wire) -> dict[bytes, object]:
    """Return what strings, counters and lists hold."""
    keys = [bytes_in(key) for key in list_in(wire.ask("KEYS", "*"))]
    kinds = wire.ask_all([("TYPE", key) for key in keys])
    asked = [
        ("LRANGE", key, 0, -1) if kind == b"list" else ("GET", key)
        for key, kind in zip(keys, kinds, strict=True)
    ]
    return dict(zip(keys, wire.ask_all(asked), strict=True))


class Writer(Writing):
    """Writes to the old server."""

    more = 50

    def __init__(self, access: CacheAccess) -> None:
        super().__init__()
        self._access = access
        self.acknowledged: dict[bytes, object] = {}

    @override
    def _write(self) -> None:
        number, wire = 0, Wire(self._access)
        while not self._stop.is_set():
            number += 1
            try:
                self._change(wire, number)
            except Refused as e:
                assert str(e).startswith("NOPERM")  # noqa: PT017 - in a thread
                self.refused += 1
                self._stop.wait(0.005)
            except Unavailable:  # the hold ends connections
                wire.close()
                wire = Wire(self._access)
            else:
                self.written += 1
            if number > 100:
                self.enough.set()
            if number % 20 == 0:
                self._stop.wait(0.002)  # leaves the mover a part of the processor
        wire.close()

    def _change(self, wire: Wire, number: int) -> None:
        """Make one change, which is acknowledged or refused as a whole: of each that is done twice, one would show."""
        key = b"key \x00\xff%d" % (number % 300)
        match number % 5:
            case 0:
                wire.ask("UNLINK", key)
                self.acknowledged.pop(key, None)
            case 1:
                wire.ask("INCR", b"counter")
                count = int(str(self.acknowledged.get(b"counter", b"0"), "ascii"))  # type: ignore[call-overload]
                self.acknowledged[b"counter"] = b"%d" % (count + 1)
            case 2:
                wire.ask("RPUSH", b"queue", number)
                queue = self.acknowledged.setdefault(b"queue", [])
                assert isinstance(queue, list)
                queue.append(b"%d" % number)
            case _:
                wire.ask("SET", key, b"%d" % number)
                self.acknowledged[key] = b"%d" % number
