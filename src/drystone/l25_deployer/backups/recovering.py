"""The beginning of a recovery from nothing: a backup becomes a home, before any platform runs.

What is done here can be repeated after any death. The new home gets ``home.json`` last, without which no platform starts in it, and
``returning/`` tells the agent which data comes back before which service.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, cast

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, sync_file_system, write_atomically
from drystone.l00_kernel.errors import Conflict
from drystone.l00_kernel.home import FORMAT_FILE
from drystone.l25_deployer.backups.errors import BackupDamaged, NoSuchBackup
from drystone.l25_deployer.backups.keys import BackupKey
from drystone.l25_deployer.backups.places import HOME_NAMED, HOME_UNPACKED, RECOVERY_WRITTEN
from drystone.l25_deployer.backups.returning import pending, pending_file
from drystone.l25_deployer.backups.sealing import SUFFIX, BackupCipher, SealedReader
from drystone.l25_deployer.backups.seals import Seals
from drystone.l25_deployer.backups.store import (
    MANIFEST,
    make_folder,
    read_manifest,
    require_known,
    require_summed,
    require_whole,
)
from drystone.l25_deployer.backups.whole_domain import HOME, Recovering, Whole
from drystone.l25_deployer.local.resources.port import Owner

RECOVERING, RECOVERED = "recovering.json", "recovered.json"
_UNPACKING = ".recovering"


class HomeNotEmpty(Conflict):
    """A recovery begins in an empty home, so that nothing is overwritten."""


def read_whole(folder: Path, tell: Callable[[str], None]) -> Whole:
    """Read every byte of a whole backup and return what it says of itself.

    Args:
        folder: The backup.
        tell: Hears what is read now.

    Raises:
        NoSuchBackup: There is none.
        BackupUnknown: Another version of the platform wrote it.
        BackupDamaged: A file of it is not what was written; the message names it.
    """
    try:
        found = (folder / MANIFEST).read_bytes()
    except OSError as e:
        raise NoSuchBackup(
            f"there is no backup of a platform in {folder}; `drystone backup --platform` makes one"
        ) from e
    require_known(folder, found)
    try:
        whole = msgspec.json.decode(found, type=Whole)
    except msgspec.MsgspecError as e:
        raise BackupDamaged(
            f"{folder / MANIFEST} is not of a whole platform, or damaged: {e}; take another backup"
        ) from e
    require_summed(folder, whole.parts, found)
    tell("records")
    require_whole(folder, whole.parts)
    for kept in whole.resources:
        tell(f"{kept.resource} of {kept.service}")
        inside = folder / kept.folder
        require_whole(inside, read_manifest(inside).parts)
    return whole


def under_way(home: Path) -> Recovering | None:
    """Return the recovery that has begun in a home, and has not come to its end."""
    found = read_if_exists(home / RECOVERING)
    return None if found is None else msgspec.json.decode(found, type=Recovering)


def begin(
    home: Path, folder: Path, whole: Whole, now: datetime, key: BackupKey | None = None
) -> Recovering:
    """Make a home of a backup, or go on with that; the platform can be started in it then.

    Args:
        home: The new home, empty or not there.
        folder: The backup.
        whole: What it says of itself.
        now: The time.
        key: What opens it, where it is sealed; a recovery that has come far enough does without.

    Raises:
        HomeNotEmpty: There is something else.
        BackupSealed: The key does not open it, or there is none; nothing was changed.
        OSError: There is no room.
    """
    known = under_way(home)
    if known is None:
        if home.exists() and any(home.iterdir()):
            raise HomeNotEmpty(
                f"{home} is not empty: a recovery begins with nothing; choose another home, or move what is there away"
            )
    elif known.backup != whole.id:
        raise HomeNotEmpty(
            f"{home} is being recovered from {known.backup}: go on with that one (--from {known.folder}), or choose"
            " another home"
        )
    elif (home / FORMAT_FILE).exists():
        return known
    cipher = None
    if whole.seal is not None:
        cipher = Seals(home, key).cipher(whole.seal, whole.about, folder)
    if known is None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = Recovering(whole.id, str(folder), now)
        write_atomically(home / RECOVERING, msgspec.json.encode(known))
        RECOVERY_WRITTEN.reach()
    _unpack(home, folder, whole, known, cipher)
    return known


def _unpack(
    home: Path, folder: Path, whole: Whole, known: Recovering, cipher: BackupCipher | None
) -> None:
    from drystone.l25_deployer.local.resources import folders  # noqa: PLC0415 - with tarfile

    for left in home.iterdir():
        if left.name != RECOVERING:
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    draft = home / _UNPACKING
    if cipher is None:
        folders.unpack(folder / HOME, draft)
    else:
        reading = SealedReader(cipher.pieces(folder, HOME))
        folders.unpack_from(cast("IO[bytes]", reading), draft)
    for kept in whole.resources:
        owner = Owner(kept.environment, kept.service, kept.resource)
        path = pending_file(draft, owner)
        make_folder(path.parent)
        written = pending(draft, (folder / kept.folder).resolve(), known.since, "recovery")
        write_atomically(path, msgspec.json.encode(written))
    for part, inside in whole.states.items():
        make_folder((draft / inside).parent)
        if cipher is None:
            shutil.copyfile(folder / part, draft / inside)
        else:
            (draft / inside).unlink(missing_ok=True)
            cipher.open_file(folder, part.removesuffix(SUFFIX), draft / inside)
        (draft / inside).chmod(0o600)
    HOME_UNPACKED.reach()
    last = draft / FORMAT_FILE
    for entry in sorted(draft.iterdir(), key=lambda path: path == last):
        if entry == last:
            sync_file_system(home)
        entry.rename(home / entry.name)
    draft.rmdir()
    sync_file_system(home)
    HOME_NAMED.reach()


def conclude(home: Path, report: bytes) -> None:
    """Keep the report of a recovery that came to its end."""
    write_atomically(home / RECOVERED, report)
    (home / RECOVERING).unlink(missing_ok=True)
