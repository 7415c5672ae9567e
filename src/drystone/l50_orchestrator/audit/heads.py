"""Heads of the log in a file of the home: what the database cannot take back.

A line for each head, in the order of time: ``<number> <hash> <moment>``, and the word ``restored`` behind one up to which an
older copy of the database was accepted. Whoever can write the database cannot write this file, and the other way round, unless it
is the home's owner; copies of it elsewhere (a backup, a mail, a printed page) hold against that one, too.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from drystone.l00_kernel.atomic import append_lines
from drystone.l00_kernel.ownership import require_safe_file
from drystone.l50_orchestrator.audit.domain import Head
from drystone.l50_orchestrator.audit.errors import HeadsUnreadable

_LINE = re.compile(
    r"(\d{1,18}) ([0-9a-f]{64}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)( restored)?"
)
_MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"
_WORD = " restored"


class Heads:
    """The file.

    Args:
        path: Where it is; it need not exist, its folder does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Head]:
        """Return all heads in the order in which they were written.

        Raises:
            HeadsUnreadable: A line is none of its kind. A last line that was not written to its end is no line.
            OthersCanWrite: Another user could have written it.
        """
        require_safe_file(self._path)
        try:
            text = self._path.read_text("ascii", errors="replace")
        except FileNotFoundError:
            return []
        whole, _, _ = text.rpartition("\n")
        return [self._head(n, line) for n, line in enumerate(whole.split("\n"), 1) if line]

    def _head(self, number: int, line: str) -> Head:
        found = _LINE.fullmatch(line)
        at = _moment(found[3]) if found else None
        if found is None or at is None:
            raise HeadsUnreadable(
                f"line {number} of {self._path} is no head of the audit log: somebody else wrote it, or the disk did; compare the"
                " file with a copy of it"
            )
        return Head(int(found[1]), found[2], at, found[4] is not None)

    def sign(self) -> tuple[int, int, int]:
        """Return what differs when the file does: its number, size and moment of change; zeros where there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return (0, 0, 0)
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def append(self, head: Head) -> None:
        """Write one more, and force it to the disk.

        Raises:
            DiskFull: There is no room.
        """
        moment = head.at.astimezone(UTC).strftime(_MOMENT)
        line = f"{head.number} {head.hash} {moment}{_WORD if head.is_restored else ''}\n"
        append_lines(self._path, line.encode())


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None
