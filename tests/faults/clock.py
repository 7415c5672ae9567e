"""A platform whose wall clock a test may set.

The machine's clock belongs to everybody, a time namespace (time_namespaces(7)) covers the monotonic clocks alone, and a
product that can be told a wrong time by a variable has a switch too many. So a small library is compiled and preloaded
into the commands, the keeper and the agent. What they start has an environment of its own and so the true time.
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drystone.l00_kernel.atomic import write_atomically
from journeys.place import Place, place

SOURCE = Path(__file__).parent / "app/shifted_clock.c"


class WallClock:
    """The clock of a platform.

    Args:
        folder: Where the library is made.
    """

    def __init__(self, folder: Path) -> None:
        self._library = folder / "shifted_clock.so"
        self._shift = folder / "shift"
        self.step(timedelta())
        command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(self._library)]
        subprocess.run([*command, str(SOURCE)], check=True)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a process gets this clock."""
        return {"LD_PRELOAD": str(self._library), "SHIFTED_CLOCK": str(self._shift)}

    def step(self, by: timedelta) -> None:
        """Set the clock to this distance from the true time."""
        write_atomically(self._shift, str(int(by.total_seconds())).encode())

    def set(self, moment: datetime) -> None:
        """Set the clock to a moment."""
        self.step(moment - datetime.now(UTC))


@asynccontextmanager
async def clocked(folder: Path, zone: str = "UTC") -> AsyncIterator[tuple[Place, WallClock]]:
    """Start a platform with a clock of its own, in a time zone."""
    clock = WallClock(folder)
    async with place({**clock.environment, "TZ": zone}) as where:
        yield where, clock
