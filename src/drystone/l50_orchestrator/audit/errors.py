"""What can be wrong with the audit log."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Invalid, PlatformError, Unavailable


class EntryUnfit(Invalid):
    """An entry of the audit log cannot say this."""


class SecretInEntry(Invalid):
    """Something that looks like a secret was about to be written into the audit log."""


class HeadsUnreadable(PlatformError):
    """The file with the heads of the audit log cannot be read."""


class NothingRestored(Conflict):
    """The audit log agrees with its heads, so there is no restored database to accept."""


class NotMended(Conflict):
    """The audit log is broken in a way that accepting a restored database does not explain."""


class DatabaseIsOlder(Unavailable):
    """The database is an older copy than what the home remembers of it."""
