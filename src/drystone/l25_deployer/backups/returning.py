"""Which backups come back before their services start: a document each, written before the first thing changes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from drystone.l25_deployer.local.resources.port import Owner


class Return(msgspec.Struct, frozen=True):
    """A backup that is to come back before its service starts.

    Attributes:
        backup: Its folder; relative to the home where it lies there.
        since: When it was decided.
        by: Who asked.
    """

    backup: str
    since: datetime
    by: str


def pending_file(home: Path, owner: Owner) -> Path:
    """Return the file that says which backup of a resource comes back."""
    return home / "returning" / f"{owner.path}.json"


def pending(home: Path, folder: Path, now: datetime, by: str) -> Return:
    """Say which backup comes back, so that the home may be moved."""
    inside = folder.relative_to(home) if folder.is_relative_to(home) else folder
    return Return(str(inside), now, by)
