"""What a backup says of itself, how long it is kept, and when the next one is due. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from drystone.l25_deployer.local.resources.copies import Measure

FORMAT = 2
"""Of a backup's folder; raised when an older platform could no longer read it.

1: its files are as the engines write them. 2: they are sealed.
"""

READABLE = frozenset({1, FORMAT})
"""Formats that this version reads."""

Reason: TypeAlias = Literal["asked", "scheduled", "before-restore", "final", "platform", "rewound"]

NEVER_REMOVED: frozenset[Reason] = frozenset({"final", "before-restore"})
"""Copies of what is gone: nobody can make them again, so time alone does not remove them."""

RETRY_AFTER = timedelta(minutes=15)
"""After an attempt that failed."""

_TIME = "%Y%m%dt%H%M%Sz"


class Part(msgspec.Struct, frozen=True):
    """One file of a backup.

    Attributes:
        name: Relative to the backup's folder.
        size: In bytes.
        sha256: Of its content, in hexadecimal digits.
    """

    name: str
    size: int
    sha256: str


class Seal(msgspec.Struct, frozen=True):
    """How the files of a backup are sealed.

    Attributes:
        key: Name of the home's key.
        wrapped: The backup's own key, encrypted with that.
        holds: What the backup holds, encrypted.
    """

    key: str
    wrapped: bytes
    holds: bytes = b""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is; the last file of it that is written.

    Attributes:
        format: See :data:`FORMAT`.
        id: Begins with the moment, so that names sort by age.
        type: The type of the resource, as in the descriptor.
        environment: Where the service is deployed.
        service: Its name.
        resource: The resource's name.
        release: Number of the release that served; None when none did.
        version: What that release is called.
        reason: Why it was made.
        by: Who asked.
        at: The moment of which the data is.
        seconds: How long it took.
        parts: Its files.
        holds: What is in it, by name; on the disk in the seal where there is one.
        seal: How its files are sealed; None for one that an older platform made, which are not.
    """

    format: int = FORMAT
    id: str
    type: str
    environment: str
    service: str
    resource: str
    release: int | None = None
    version: str = ""
    reason: Reason
    by: str
    at: datetime
    seconds: float = 0.0
    parts: tuple[Part, ...] = ()
    holds: dict[str, Measure] = {}
    seal: Seal | None = None

    @property
    def about(self) -> bytes:
        """What the backup says that it is of, to which its seal is bound."""
        named = (self.id, self.type, self.environment, self.service, self.resource)
        return "\0".join(named).encode()

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(part.size for part in self.parts)


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a trial to restore a backup.

    Attributes:
        backup: Its id.
        at: When.
        seconds: How long it took.
        compared: How many parts were compared: tables, buckets' objects, files.
        counted: How many rows, objects or files they have together.
        differences: In what they differ from what was backed up; empty when the backup is proven.
    """

    backup: str
    at: datetime
    seconds: float
    compared: int
    counted: int
    differences: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether the backup gave everything back."""
        return not self.differences


def new_id(now: datetime) -> str:
    """Return the id of a backup that is made now."""
    return f"{now.astimezone(UTC).strftime(_TIME)}-{secrets.token_hex(2)}"


def outlived(
    kept: Iterable[Manifest], *, keep: timedelta, now: datetime, used: frozenset[str] = frozenset()
) -> list[Manifest]:
    """Return the backups whose time is over; the latest always stays, and so does what nobody can make again.

    Args:
        kept: Those of one resource.
        keep: How long one is kept.
        now: The time.
        used: Ids of backups that somebody needs.
    """
    ordered = sorted(kept, key=lambda one: (one.at, one.id))
    return [
        one
        for one in ordered[:-1]
        if one.at < now - keep and one.reason not in NEVER_REMOVED and one.id not in used
    ]


def is_due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    """Tell whether something that happens again and again is to happen now; a clock that was set back counts as due."""
    return last is None or now - last >= every or last > now + every


def latest(kept: Sequence[Manifest]) -> Manifest | None:
    """Return the backup with the newest data."""
    return max(kept, key=lambda one: (one.at, one.id), default=None)
