"""Since when nobody looked after a home, and what happened meanwhile.

An agent that looks after its home says so every second in ``run/presence.json``. The next one reads there when the
last one was seen. What ran went on in between; that it did, and what ended, is part of the history of a platform.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l25_deployer.api import AbsenceView

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock

NOTE_EVERY = timedelta(seconds=1)
NOTABLE = timedelta(seconds=10)
"""An absence of this length stands in the history of every service, a shorter one where something happened."""

_ARRIVED = b'"listener":"inbound"'


class _Mark(msgspec.Struct, frozen=True):
    """What an agent left when it was last seen.

    Attributes:
        seen: When that was.
        stopped: The platform was stopped on purpose, so that nothing ran without an agent.
        log: The access log then: its inode and its size.
    """

    seen: datetime
    stopped: bool
    log: tuple[int, int] | None


class Presence:
    """Keeps the mark of a home, and compares it with what a new agent finds.

    Args:
        file: The mark.
        access_log: Where the edge writes a line for each request.
        clock: Tells when.
        proxy_restarts: Returns how often the proxy started again by itself after a moment.
    """

    def __init__(
        self,
        file: Path,
        *,
        access_log: Path,
        clock: Clock,
        proxy_restarts: Callable[[datetime], int],
    ) -> None:
        self.absence: AbsenceView | None = None
        self._file = file
        self._access_log = access_log
        self._clock = clock
        self._proxy_restarts = proxy_restarts

    def arrive(self) -> None:
        """Find out for how long nobody was here; to be called before anything is changed."""
        mark = self._read()
        if mark is None or mark.stopped:
            return
        self.absence = AbsenceView(
            since=mark.seen,
            until=self._clock.now(),
            proxy_restarts=self._proxy_restarts(mark.seen),
            requests=self._requests_since(mark.log),
            found=[],
        )

    def found(self, what: str) -> None:
        """Add something to what happened while nobody was here, if nobody was."""
        if self.absence is not None:
            seen = [*self.absence.found, what]
            self.absence = msgspec.structs.replace(self.absence, found=seen)

    def note(self, *, stopped: bool = False) -> None:
        """Leave a mark.

        Raises:
            OSError: It cannot be written; the one before stays.
        """
        content = msgspec.json.encode(_Mark(self._clock.now(), stopped, self._log()))
        # Not forced to the disk: after a crash of the machine an older mark says enough.
        partial = self._file.with_suffix(".partial")
        partial.write_bytes(content)
        partial.chmod(0o600)
        partial.replace(self._file)

    def _read(self) -> _Mark | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Mark)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _log(self) -> tuple[int, int] | None:
        try:
            about = self._access_log.stat()
        except FileNotFoundError:
            return None
        return about.st_ino, about.st_size

    def _requests_since(self, log: tuple[int, int] | None) -> int | None:
        """Count the requests that the access log got; None when it is not the same file any more.

        Those that went on to the proxy of a service have a second line, which does not count.
        """
        now = self._log()
        if now is None or (log is not None and (log[0] != now[0] or log[1] > now[1])):
            return None
        lines = 0
        with self._access_log.open("rb") as file:
            file.seek(log[1] if log else 0)
            for line in file:
                lines += line.endswith(b"\n") and _ARRIVED not in line
        return lines


def sentence(absence: AbsenceView) -> str:
    """Say how long nobody looked after the platform, without what happened to single services."""
    span = (absence.until - absence.since).total_seconds()
    began, ended = (t.strftime("%Y-%m-%d %H:%M:%S") for t in (absence.since, absence.until))
    text = f"no agent from {began} to {ended} UTC ({span:.1f} s)"
    if absence.requests is not None:
        text += f"; {absence.requests} requests were served meanwhile"
    if absence.proxy_restarts:
        text += f"; the proxy started again {absence.proxy_restarts} times"
    return text
