"""What is to become a backup is written in the home, and leaves it sealed; what comes back is opened in the home.

So no engine and no driver knows of seals, and nothing that can be read is ever on the disk of the backups. The library that encrypts is
loaded when the first backup is sealed or opened.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from drystone.l00_kernel.shortage import needs_room
from drystone.l25_deployer.backups.domain import Manifest
from drystone.l25_deployer.backups.keys import BackupKey, KeyRing
from drystone.l25_deployer.backups.places import VERIFIED
from drystone.l25_deployer.backups.store import require_whole
from drystone.l25_deployer.local.ending import finished

if TYPE_CHECKING:
    from drystone.l25_deployer.backups.domain import Part, Seal
    from drystone.l25_deployer.backups.sealing import BackupCipher
    from drystone.l25_deployer.local.resources.copies import Measure

STAGING = "staging"
"""Folder of the home in which files lie open while they are copied or brought back."""


class Seals:
    """Seals and opens backups with the keys of one home.

    Args:
        home: The home.
        given: A key from elsewhere, for a home that has none yet.
    """

    def __init__(self, home: Path, given: BackupKey | None = None) -> None:
        self._staging = home / STAGING
        self.ring = KeyRing(home, given)

    def clean(self) -> None:
        """Remove what an agent left open that died."""
        shutil.rmtree(self._staging, ignore_errors=True)

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """Give an empty folder of the home, closed to other users, and remove it with all that is in it then.

        Raises:
            DiskFull: There is no room for it.
        """
        with needs_room(self._staging.parent):
            self._staging.mkdir(mode=0o700, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=self._staging))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def begin(self, about: bytes, now: datetime) -> tuple[BackupCipher, Seal]:
        """Begin a backup: what seals its files, and what its manifest says of that.

        Raises:
            KeysDamaged: The keys of the home cannot be read.
            DiskFull: There is no room for the first key.
        """
        from drystone.l25_deployer.backups.sealing import BackupCipher  # noqa: PLC0415

        return BackupCipher.made(about, self.ring.newest(now))

    def cipher(self, seal: Seal, about: bytes, folder: Path) -> BackupCipher:
        """Return what opens the files of a backup.

        Raises:
            BackupSealed: Its key is not here.
            BackupDamaged: Its manifest is not what was written.
            KeysDamaged: The keys of the home cannot be read.
        """
        from drystone.l25_deployer.backups.sealing import BackupCipher  # noqa: PLC0415

        return BackupCipher.opened(seal, about, folder, self.ring)

    def seal(
        self, plain: Path, draft: Path, manifest: Manifest, holds: dict[str, Measure], now: datetime
    ) -> Manifest:
        """Seal the files of a folder into what becomes a backup, and what that holds into its manifest.

        Args:
            plain: The files; they are removed one by one.
            draft: Where to.
            manifest: What the backup is.
            holds: What is in it.
            now: The time.

        Returns:
            The manifest to write, with its parts.

        Raises:
            DiskFull: There is too little room.
            KeysDamaged: The keys of the home cannot be read.
        """
        cipher, seal = self.begin(manifest.about, now)
        parts: tuple[Part, ...] = cipher.seal_folder(plain, draft)
        seal = structs.replace(seal, holds=cipher.seal_holds(holds))
        return structs.replace(manifest, parts=parts, seal=seal)

    def holds(self, manifest: Manifest, folder: Path) -> dict[str, Measure]:
        """Return what a backup holds, as its manifest says.

        Raises:
            BackupSealed: Its key is not here.
            BackupDamaged: Its manifest is not what was written.
            KeysDamaged: The keys of the home cannot be read.
        """
        if manifest.seal is None:
            return manifest.holds
        cipher = self.cipher(manifest.seal, manifest.about, folder)
        return cipher.open_holds(manifest.seal.holds, folder)

    @asynccontextmanager
    async def opened(self, folder: Path, manifest: Manifest) -> AsyncIterator[Path]:
        """Read every byte of a backup and give a folder with its files as they were before they were sealed.

        Args:
            folder: The backup.
            manifest: What it says of itself.

        Raises:
            BackupSealed: Its key is not here.
            BackupDamaged: A file of it is not what was written; the message names it.
            DiskFull: There is no room in the home.
            KeysDamaged: The keys of the home cannot be read.
        """
        if manifest.seal is None:
            await asyncio.to_thread(require_whole, folder, manifest.parts)
            yield folder
            return
        with self.staged() as plain:
            with needs_room(plain):
                await finished(asyncio.to_thread(self._open, folder, manifest, plain))
            VERIFIED.reach()
            yield plain

    def _open(self, folder: Path, manifest: Manifest, plain: Path) -> None:
        assert manifest.seal is not None  # noqa: S101 - asked before
        cipher = self.cipher(manifest.seal, manifest.about, folder)
        cipher.open_folder(folder, manifest.parts, plain)
