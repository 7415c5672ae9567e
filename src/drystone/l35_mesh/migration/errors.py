"""What can be wrong with a migration."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Invalid, NotFound, PlatformError, Unavailable


class NoMigration(NotFound):
    """The service does not move."""


class MovesAlready(Conflict):
    """The service moves to another address already."""


class TargetUnfit(Invalid):
    """A service cannot move to this address."""


class TargetSilent(Unavailable):
    """Nobody listens at the address to which the service is to move."""


class ShareUnfit(Invalid):
    """The share, a rule or what clients stay by cannot be."""


class NotAtAnEnd(Conflict):
    """The service is between two sides; give it to one of them first."""


class RecordUnreadable(PlatformError):
    """The record of a migration cannot be read; it was damaged or written by a newer version."""


class NoData(NotFound):
    """The service has no data of this name that can be moved."""


class DataUnfit(Conflict):
    """The data cannot be moved as they are, or not there."""


class DataDiverged(Conflict):
    """The two ends do not hold the same."""


class NotesUnreadable(PlatformError):
    """What a move of data has written down cannot be read."""


class NothingCompared(NotFound):
    """Both sides of the service are not compared, and were not."""


class IgnoredUnfit(Invalid):
    """This can be ignored neither in a document nor among headers."""
