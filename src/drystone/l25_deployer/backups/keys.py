"""The keys of a home's backups: which there are, how a person keeps one, and how it is read again.

A backup is sealed with the newest key of the home in which it is made. The keys lie in the home, and so in every backup of it, sealed with one
of themselves: whoever recovers from nothing needs that one from elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import structs

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l25_deployer.backups.errors import BackupSealed, KeysDamaged, NoSuchKey

FILE = "backup-keys.json"
"""In the home."""

_BYTES = 32
_LETTERS = 4
_MARK = "dbk1"
_WRITTEN = re.compile(rf"{_MARK}-([0-9a-f]{{8}})((?:-[a-z2-7]{{{_LETTERS}}}){{13}})")


class BackupKey(msgspec.Struct, frozen=True):
    """A key that seals backups.

    Attributes:
        id: The beginning of its SHA-256, so that a slip of the pen is seen.
        secret: 32 bytes.
        since: When it was made; None for one that a person wrote down.
    """

    id: str
    secret: bytes
    since: datetime | None = None

    def written(self) -> str:
        """Return the key as a person keeps it: letters and digits that are hard to confuse, in groups of four."""
        letters = base64.b32encode(self.secret).decode().rstrip("=").lower()
        groups = (letters[at : at + _LETTERS] for at in range(0, len(letters), _LETTERS))
        return "-".join((_MARK, self.id, *groups))


class _Keys(msgspec.Struct, frozen=True):
    """What the file holds: the oldest key first; and when the newest one was shown to somebody."""

    keys: tuple[BackupKey, ...]
    shown: datetime | None = None


def read_key(text: str) -> BackupKey:
    """Read a key that a person kept, wherever in the text it stands.

    Raises:
        NoSuchKey: There is none in it, or it was written down wrong.
    """
    found = _WRITTEN.search(re.sub(r"\s*-\s*", "-", text.lower()))
    if found is None:
        raise NoSuchKey(
            f"this is no key of backups: one begins with {_MARK}- and has a name and thirteen groups of four;"
            " `drystone backup-key` of the platform that made the backup prints it"
        )
    try:
        secret = base64.b32decode(found[2].replace("-", "").upper() + "====")
    except binascii.Error as e:
        raise NoSuchKey("this is no key of backups: it is written down wrong") from e
    if len(secret) != _BYTES or _id(secret) != found[1]:
        raise NoSuchKey(
            f"the key {found[1]} is written down wrong: its groups do not fit its name; compare it letter by letter"
        )
    return BackupKey(found[1], secret)


def _id(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()[:8]


class KeyRing:
    """The keys of one home. What others changed is seen at the next call.

    Args:
        home: The home.
        given: A key from elsewhere, for a home that has none yet.
    """

    def __init__(self, home: Path, given: BackupKey | None = None) -> None:
        self._home = home
        self._file = home / FILE
        self._given = given

    def newest(self, now: datetime) -> BackupKey:
        """Return the key that seals what is made now; the first is made when it is asked for.

        Raises:
            KeysDamaged: The file of the keys cannot be read.
            DiskFull: There is no room for it.
        """
        with self._alone():
            known = self._read()
            return known.keys[-1] if known.keys else self._add(known, now)

    def rotate(self, now: datetime) -> BackupKey:
        """Make a key that seals what is made from now on; the others still open what they sealed.

        Raises:
            KeysDamaged: The file of the keys cannot be read.
            DiskFull: There is no room for it.
        """
        with self._alone():
            return self._add(self._read(), now)

    def _add(self, known: _Keys, now: datetime) -> BackupKey:
        secret = secrets.token_bytes(_BYTES)
        made = BackupKey(_id(secret), secret, now)
        self._write(_Keys((*known.keys, made)))
        return made

    def all(self) -> tuple[BackupKey, ...]:
        """Return every key, the newest last.

        Raises:
            KeysDamaged: The file of the keys cannot be read.
        """
        return self._read().keys

    def is_kept(self) -> bool:
        """Tell whether the newest key was shown to somebody."""
        return self._read().shown is not None

    def note_shown(self, now: datetime) -> None:
        """Note that somebody has seen the newest key."""
        with self._alone():
            self._write(structs.replace(self._read(), shown=now))

    def find(self, id_: str, what: str) -> BackupKey:
        """Return a key by its name.

        Args:
            id_: Its name.
            what: What it is to open, for the message.

        Raises:
            BackupSealed: It is not here.
            KeysDamaged: The file of the keys cannot be read.
        """
        known = [*self._read().keys]
        if self._given is not None:
            known.append(self._given)
        for key in known:
            if key.id == id_:
                return key
        here = f"here are {', '.join(key.id for key in known)}" if known else "here is none"
        raise BackupSealed(
            f"{what} is sealed with the key {id_}, and {here}: give it with --key FILE to `drystone recover`;"
            " nothing was changed"
        )

    def _read(self) -> _Keys:
        found = read_if_exists(self._file)
        if found is None:
            return _Keys(())
        try:
            return msgspec.json.decode(found, type=_Keys)
        except msgspec.MsgspecError as e:
            raise KeysDamaged(
                f"{self._file} cannot be read: {e}; bring it back from a copy of the home, or remove it: what was sealed with"
                " its keys then opens with the keys that were kept elsewhere alone"
            ) from e

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other process change the keys meanwhile: one that is lost would have sealed something."""
        descriptor = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, keys: _Keys) -> None:
        write_atomically(self._file, msgspec.json.encode(keys))
