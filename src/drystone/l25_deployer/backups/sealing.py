"""What a backup is made of, unreadable and unchangeable without a key.

A sealed file is 8 bytes that say so, and pieces of 1 MiB, each encrypted and authenticated for itself by AES-256-GCM with a tag of 16 bytes. The nonce
of a piece is its number and whether it is the last, so that none can be left out, added or moved (the construction STREAM: Hoang, Reyhanitabar,
Rogaway, Vizar, CRYPTO 2015). Each file has a key of its own, derived by HKDF (RFC 5869) from a key of its backup and its name: a file of another backup, or
of another name, does not open. The backup's key is random, and stands in the manifest encrypted with a key of the home, bound to what
the backup says that it is of.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from drystone.l00_kernel.shortage import DiskFull, room_at
from drystone.l10_engines.runtimes.holes import punch_head
from drystone.l25_deployer.backups.domain import Part, Seal
from drystone.l25_deployer.backups.errors import BackupDamaged
from drystone.l25_deployer.backups.keys import BackupKey, KeyRing
from drystone.l25_deployer.local.resources.copies import Measure

SUFFIX = ".sealed"
"""Of the names of files that are sealed."""

PIECE = 1 << 20
_MAGIC = b"DRYSEAL1"
_TAG = 16
_NONCE = 12
_KEY = 32
_LOOK_EVERY = 16
"""Pieces between two looks at how much room there is."""

_HOLDS = b"holds"


class BackupCipher:
    """Seals and opens the files of one backup.

    Args:
        key: The backup's own.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def made(cls, about: bytes, key: BackupKey) -> tuple[BackupCipher, Seal]:
        """Make the key of a new backup.

        Args:
            about: What the backup is of.
            key: The home's, with which it is sealed.

        Returns:
            What seals its files, and what its manifest says of it.
        """
        own, nonce = os.urandom(_KEY), os.urandom(_NONCE)
        wrapped = nonce + AESGCM(key.secret).encrypt(nonce, own, about)
        return cls(own), Seal(key.id, wrapped)

    @classmethod
    def opened(cls, seal: Seal, about: bytes, folder: Path, ring: KeyRing) -> BackupCipher:
        """Return what opens the files of a backup.

        Args:
            seal: What its manifest says.
            about: What the backup is of.
            folder: The backup, for messages.
            ring: The keys that there are.

        Raises:
            BackupSealed: The key is not here.
            BackupDamaged: The manifest is not what was written.
        """
        key, wrapped = ring.find(seal.key, str(folder)), seal.wrapped
        try:
            return cls(AESGCM(key.secret).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], about))
        except (InvalidTag, ValueError) as e:
            raise BackupDamaged(
                f"the manifest.json of {folder} is not what was written: its seal is of something else; nothing was changed,"
                " take another backup"
            ) from e

    def cipher(self, name: bytes) -> AESGCM:
        """Return what encrypts the part of this name, and nothing else."""
        info = b"drystone backup part\0" + name
        return AESGCM(HKDF(SHA256(), _KEY, None, info).derive(self._key))

    def seal_holds(self, holds: dict[str, Measure]) -> bytes:
        """Seal what a backup holds: names of tables, and sums by which a guess could be confirmed."""
        nonce = os.urandom(_NONCE)
        return nonce + self.cipher(_HOLDS).encrypt(nonce, msgspec.json.encode(holds), None)

    def open_holds(self, sealed: bytes, folder: Path) -> dict[str, Measure]:
        """Return what a backup holds.

        Raises:
            BackupDamaged: It is not what was written.
        """
        try:
            said = self.cipher(_HOLDS).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except (InvalidTag, ValueError) as e:
            raise BackupDamaged(
                f"the manifest.json of {folder} is not what was written: what it holds does not open; nothing was changed,"
                " take another backup"
            ) from e
        return msgspec.json.decode(said, type=dict[str, Measure])

    def writer(self, folder: Path, name: str) -> SealedWriter:
        """Begin a sealed file, which must not exist.

        Args:
            folder: Where it comes to lie.
            name: By which it is asked for later; :data:`SUFFIX` comes behind it.
        """
        return SealedWriter(folder, name, self.cipher(name.encode()))

    def pieces(self, folder: Path, name: str) -> Iterator[bytes]:
        """Give what is in a sealed file, piece by piece, each when it is known that it is what was written.

        Raises:
            BackupDamaged: It is not, or the file cannot be read; the message names it.
        """
        path, cipher = folder / f"{name}{SUFFIX}", self.cipher(name.encode())
        try:
            with path.open("rb") as file:
                if file.read(len(_MAGIC)) != _MAGIC:
                    raise _damaged(path, 0)
                yield from _opened(file, cipher, path)
        except OSError as e:
            raise BackupDamaged(
                f"{path} cannot be read ({e.strerror}): the backup is damaged; take another one"
            ) from e

    def seal_folder(self, plain: Path, folder: Path) -> tuple[Part, ...]:
        """Seal every file of a folder into another one; its own files give their room back meanwhile.

        Raises:
            DiskFull: There is too little room.
            OSError: Something cannot be read or written.
        """
        parts = []
        names = sorted(path.relative_to(plain) for path in plain.rglob("*") if path.is_file())
        for name in names:
            (folder / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            parts.append(self.seal_file(plain / name, folder, str(name)))
        return tuple(parts)

    def seal_file(self, plain: Path, folder: Path, name: str) -> Part:
        """Seal one file into a folder, as :meth:`seal_folder` does, and remove it."""
        with plain.open("r+b", buffering=0) as source, self.writer(folder, name) as out:
            done = 0
            while piece := source.read(PIECE):
                out.write(piece)
                done += len(piece)
                punch_head(source.fileno(), done)
        plain.unlink()
        return out.part()

    def open_folder(self, folder: Path, parts: tuple[Part, ...], plain: Path) -> None:
        """Make the files of a backup what they were before they were sealed, in another folder.

        Raises:
            BackupDamaged: One is not what was written; the message names it.
            OSError: There is no room.
        """
        for part in parts:
            name = part.name.removesuffix(SUFFIX)
            (plain / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.open_file(folder, name, plain / name)

    def open_file(self, folder: Path, name: str, plain: Path) -> None:
        """Make one file of a backup what it was before it was sealed, as :meth:`open_folder` does."""
        with plain.open("xb") as out:
            for piece in self.pieces(folder, name):
                out.write(piece)


class SealedWriter:
    """A sealed file that is being written; as much of a binary file as ``tarfile`` asks for.

    Args:
        folder: Where it comes to lie.
        name: What it is called there, without its suffix.
        cipher: Encrypts this file and nothing else.
    """

    def __init__(self, folder: Path, name: str, cipher: AESGCM) -> None:
        self._name, self._cipher = f"{name}{SUFFIX}", cipher
        self._folder = folder
        self._file = (folder / self._name).open("xb", buffering=0)
        self._digest, self._size, self._number, self._taken = hashlib.sha256(), 0, 0, 0
        self._pending = bytearray()

    def __enter__(self) -> SealedWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._file.close()

    def tell(self) -> int:
        """Return how many bytes were taken so far."""
        return self._taken

    def write(self, content: bytes) -> int:
        """Take bytes.

        Raises:
            DiskFull: There is too little room for others beside it.
            OSError: They cannot be written.
        """
        self._pending += content
        self._taken += len(content)
        # One byte at least is kept back, so that the last piece is known for the last.
        while len(self._pending) > PIECE:
            self._seal(bytes(self._pending[:PIECE]), is_last=False)
            del self._pending[:PIECE]
        return len(content)

    def close(self) -> None:
        """Write the end. Idempotent."""
        if not self._file.closed:
            self._seal(bytes(self._pending), is_last=True)
            self._file.close()

    def part(self) -> Part:
        """Say what was written."""
        return Part(self._name, self._size, self._digest.hexdigest())

    def _seal(self, plain: bytes, *, is_last: bool) -> None:
        if self._number % _LOOK_EVERY == 0 and (room := room_at(self._folder)).is_full:
            raise DiskFull(f"{room.sentence()}; the backup was given up")
        nonce = _nonce(self._number, is_last=is_last)
        if self._number == 0:
            self._put(_MAGIC)
        self._number += 1
        self._put(self._cipher.encrypt(nonce, plain, None))

    def _put(self, content: bytes) -> None:
        self._digest.update(content)
        self._size += len(content)
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]


class SealedReader:
    """What is in a sealed file, as much of a binary file as ``tarfile`` asks for to read a stream.

    Args:
        pieces: Of the file, from :meth:`BackupCipher.pieces`.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int) -> bytes:
        """Return so many bytes; fewer at the end alone."""
        parts, left = [], size
        while left:
            if not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    break
            parts.append(self._rest[:left])
            self._rest = self._rest[left:]
            left -= len(parts[-1])
        return b"".join(parts)


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(_NONCE - 1, "big") + bytes([is_last])


def _opened(file: IO[bytes], cipher: AESGCM, path: Path) -> Iterator[bytes]:
    number, piece = 0, file.read(PIECE + _TAG)
    while True:
        following = file.read(PIECE + _TAG)
        try:
            plain = cipher.decrypt(_nonce(number, is_last=not following), piece, None)
        except (InvalidTag, ValueError) as e:
            raise _damaged(path, number) from e
        yield plain
        if not following:
            return
        number, piece = number + 1, following


def _damaged(path: Path, number: int) -> BackupDamaged:
    return BackupDamaged(
        f"{path} is not what was written: its piece {number} does not open; nothing was changed, take another backup"
    )
