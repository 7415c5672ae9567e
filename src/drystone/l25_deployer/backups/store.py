"""Where backups lie: a folder each, whole or not there.

::

    <root>/services/<environment>/<service>/<resource>/<id>/   parts, manifest.json and SHA256SUMS
    <root>/services/…/<resource>/.draft-<id>/                  one that is being made, or was cut short
    <root>/services/…/<resource>/trials.jsonl                  what became of trials to restore
    <root>/services/…/<resource>/trouble.json                  why the last attempt failed
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import append_lines, sync_file, sync_folder
from drystone.l00_kernel.shortage import needs_room
from drystone.l25_deployer.backups.domain import FORMAT, READABLE, Manifest, Part, Trial
from drystone.l25_deployer.backups.errors import BackupDamaged, BackupUnknown, NoSuchBackup
from drystone.l25_deployer.backups.places import PARTS_WRITTEN, PUBLISHED, VERIFIED
from drystone.l25_deployer.local.resources.port import Owner

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
"""Of every file, the manifest among them, as ``sha256sum --check`` reads it."""

DRAFT = ".draft-"
_TRIALS, _TROUBLE = "trials.jsonl", "trouble.json"
_ID = re.compile(r"[0-9]{8}t[0-9]{6}z-[0-9a-f]{4}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Trouble(msgspec.Struct, frozen=True):
    """Why the last attempt to make a backup, or to prove one, failed.

    Attributes:
        at: When.
        what: ``backup`` or ``restore test``.
        text: Why.
    """

    at: datetime
    what: str
    text: str


class BackupStore:
    """The backups of one home.

    Args:
        root: The folder that holds them; made when the first backup is.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, owner: Owner) -> Path:
        """Return the folder of a resource's backups.

        Raises:
            NoSuchBackup: A name could lead out of it.
        """
        for name in (owner.environment, owner.service, owner.resource):
            if not _NAME.fullmatch(name):
                raise NoSuchBackup(
                    f"{name!r} is no name of an environment, a service or a resource"
                )
        return self.root / "services" / owner.path

    def owners(self, environment: str, service: str) -> list[Owner]:
        """Return the resources of a service of which there are backups, also those that are gone, by name."""
        folder = self.folder(Owner(environment, service, "x")).parent
        names = sorted(path.name for path in folder.glob("*") if _NAME.fullmatch(path.name))
        return [Owner(environment, service, name) for name in names]

    def place(self, owner: Owner, id_: str) -> Path:
        """Return the folder of one backup.

        Raises:
            NoSuchBackup: There is none.
        """
        folder = self.folder(owner) / id_
        if not _ID.fullmatch(id_) or not (folder / MANIFEST).exists():
            known = [one.id for one in self.all(owner)[:3]]
            raise NoSuchBackup(
                f"there is no backup {id_!r} of '{owner.resource}' of {owner.service} in {owner.environment};"
                f" {'the latest are: ' + ', '.join(known) if known else 'there is none at all'}"
            )
        return folder

    def has(self, owner: Owner, id_: str) -> bool:
        """Tell whether there is such a backup."""
        return (self.folder(owner) / id_ / MANIFEST).exists()

    def all(self, owner: Owner) -> list[Manifest]:
        """Return every backup of a resource that can be read, the latest first."""
        found = []
        for path in self.folder(owner).glob(f"*/{MANIFEST}"):
            if _ID.fullmatch(path.parent.name):
                try:
                    found.append(read_manifest(path.parent))
                except (BackupDamaged, BackupUnknown):
                    continue
        return sorted(found, key=lambda one: (one.at, one.id), reverse=True)

    def unreadable(self, owner: Owner) -> list[str]:
        """Say which backups of a resource cannot be read, and why."""
        said = []
        for path in sorted(self.folder(owner).glob(f"*/{MANIFEST}")):
            try:
                read_manifest(path.parent)
            except (BackupDamaged, BackupUnknown) as e:
                said.append(str(e))
        return said

    def remove(self, owner: Owner, id_: str) -> None:
        """Remove a backup; one that is half removed is no backup any more."""
        folder = self.place(owner, id_)
        gone = folder.with_name(f"{DRAFT}{id_}")
        folder.rename(gone)
        shutil.rmtree(gone)

    def clean(self) -> None:
        """Remove what was cut short; nobody may be making a backup."""
        for pattern in (f"services/*/*/*/{DRAFT}*", f"platform/{DRAFT}*"):
            for draft in self.root.glob(pattern):
                shutil.rmtree(draft, ignore_errors=True)

    def trials(self, owner: Owner) -> list[Trial]:
        """Return what became of trials to restore, the latest first."""
        return list(reversed(list(_lines(self.folder(owner) / _TRIALS))))

    def add_trial(self, owner: Owner, trial: Trial) -> None:
        """Keep what became of a trial."""
        folder = self.folder(owner)
        with needs_room(folder):
            make_folder(folder)
        append_lines(folder / _TRIALS, msgspec.json.encode(trial) + b"\n")

    def trouble(self, owner: Owner) -> Trouble | None:
        """Return why the last attempt failed; None when it did not."""
        try:
            return msgspec.json.decode((self.folder(owner) / _TROUBLE).read_bytes(), type=Trouble)
        except (OSError, msgspec.MsgspecError):
            return None

    def note_trouble(self, owner: Owner, trouble: Trouble | None) -> None:
        """Write down why an attempt failed, or that the last one did not."""
        path = self.folder(owner) / _TROUBLE
        if trouble is None:
            path.unlink(missing_ok=True)
            return
        make_folder(path.parent)
        path.write_bytes(msgspec.json.encode(trouble))


@asynccontextmanager
async def drafted(place: Path) -> AsyncIterator[Path]:
    """Give an empty folder for what becomes a backup, and remove it unless it was published.

    Args:
        place: Where the backup is to lie.
    """
    draft = place.with_name(f"{DRAFT}{place.name}")
    with needs_room(place.parent):
        make_folder(place.parent)
        draft.mkdir(mode=0o700)
    try:
        yield draft
    finally:
        if draft.exists():
            await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, closed to other users."""
    for each in (*reversed(folder.parents), folder):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)


def publish(draft: Path, place: Path, manifest: Manifest) -> None:
    """Write what a backup is, force all of it to the disk and give it its name.

    Raises:
        DiskFull: There is no room for it.
    """
    written = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    publish_as(draft, place, written, manifest.parts)


def publish_as(draft: Path, place: Path, manifest: bytes, parts: Iterable[Part]) -> None:
    """Write a manifest of any kind and the sums of all files, and give the folder its name."""
    with needs_room(place.parent):
        PARTS_WRITTEN.reach()
        for folder, _, names in os.walk(draft):
            for name in names:
                _keep(Path(folder, name))
        for name, content in ((MANIFEST, manifest), (SUMS, _sums(parts, manifest))):
            (draft / name).write_bytes(content)
            _keep(draft / name)
        sync_folder(draft)
        draft.rename(place)
        PUBLISHED.reach()
        sync_folder(place.parent)


def _sums(parts: Iterable[Part], manifest: bytes) -> bytes:
    lines = [f"{part.sha256}  {part.name}\n" for part in parts]
    lines.append(f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n")
    return "".join(lines).encode()


def _keep(path: Path) -> None:
    path.chmod(0o600)
    sync_file(path)


def parts_of(folder: Path) -> tuple[Part, ...]:
    """Read every file of a folder and say what it is, by name."""
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return tuple(part_of(folder, str(name)) for name in names)


def part_of(folder: Path, name: str) -> Part:
    """Read one file of a folder and say what it is."""
    with (folder / name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return Part(name, file.tell(), digest.hexdigest())


def read_manifest(folder: Path) -> Manifest:
    """Return what a backup says of itself.

    Raises:
        NoSuchBackup: There is none.
        BackupUnknown: A newer platform wrote it.
        BackupDamaged: It cannot be read.
    """
    try:
        found = (folder / MANIFEST).read_bytes()
    except OSError as e:
        raise NoSuchBackup(f"there is no backup in {folder}") from e
    require_known(folder, found)
    try:
        manifest = msgspec.json.decode(found, type=Manifest)
    except msgspec.MsgspecError as e:
        raise BackupDamaged(f"{folder / MANIFEST} cannot be read: {e}; take another backup") from e
    require_summed(folder, manifest.parts, found)
    return manifest


class _Format(msgspec.Struct):
    format: int


def require_known(folder: Path, manifest: bytes) -> None:
    """Refuse a manifest of a format that is not known here.

    Raises:
        BackupUnknown: It is of another one.
        BackupDamaged: It cannot be read.
    """
    try:
        found = msgspec.json.decode(manifest, type=_Format).format
    except msgspec.MsgspecError as e:
        raise BackupDamaged(f"{folder / MANIFEST} cannot be read: {e}; take another backup") from e
    if found not in READABLE:
        raise BackupUnknown(
            f"{folder} has format {found}, and this version of the platform knows format {FORMAT}:"
            " use the version that wrote it, or a newer one"
        )


def require_summed(folder: Path, parts: Iterable[Part], manifest: bytes) -> None:
    """Compare a manifest with the sums beside it.

    Raises:
        BackupDamaged: One of them is not what was written.
    """
    try:
        found = (folder / SUMS).read_bytes()
    except OSError as e:
        raise BackupDamaged(f"{folder / SUMS} cannot be read; take another backup") from e
    if found != _sums(parts, manifest):
        raise BackupDamaged(
            f"{folder / MANIFEST} or {SUMS} beside it is not what was written: they do not fit each other; nothing was"
            " changed, take another backup"
        )


def require_whole(folder: Path, parts: Iterable[Part]) -> None:
    """Read every file of a backup again and compare it with what was written.

    Raises:
        BackupDamaged: One is not what was written; the message names it.
    """
    for part in parts:
        try:
            found = part_of(folder, part.name)
        except OSError as e:
            raise BackupDamaged(
                f"{folder / part.name} cannot be read ({e.strerror}): the backup is damaged; take another one"
            ) from e
        if found != part:
            how = (
                f"it has {found.size} bytes in place of {part.size}"
                if found.size != part.size
                else "its SHA-256 is another one"
            )
            raise BackupDamaged(
                f"{folder / part.name} is not what was written: {how}; nothing was changed, take another backup"
            )
    VERIFIED.reach()


def _lines(path: Path) -> Iterator[Trial]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=Trial)
        except msgspec.MsgspecError:
            continue  # cut short by a crash
