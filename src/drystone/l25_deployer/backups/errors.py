"""What can be wrong with a backup."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Invalid, NotFound, PlatformError


class NoSuchBackup(NotFound):
    """There is no such backup."""


class NothingToBackUp(NotFound):
    """The service has no data of this name."""


class BackupDamaged(PlatformError):
    """A backup is not what was written; nothing was changed."""


class BackupUnknown(Invalid):
    """A backup has a format that this version of the platform does not know."""


class BackupWrong(PlatformError):
    """What a backup gives back is not what it was made of; nothing was changed."""


class RestoreNotConfirmed(Conflict):
    """A restore puts a copy in the place of data that is in use; the name of the resource confirms it."""


class BackupSealed(Conflict):
    """A backup is sealed with a key that is not here; nothing was changed."""


class NoSuchKey(Invalid):
    """This is no key of backups."""


class KeysDamaged(PlatformError):
    """The file with the keys of the backups cannot be read."""


class PlanUnfit(Invalid):
    """Backups of the platform cannot be planned so."""
