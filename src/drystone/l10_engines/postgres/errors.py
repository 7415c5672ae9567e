"""What a client of a database has to tell apart."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, PlatformError, Unavailable


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not answer, or has no room to work; the same may succeed later."""


class StatementRefused(PlatformError):
    """PostgreSQL refused a statement of the platform."""


class MigrationsDiverged(Conflict):
    """The tables were made by another version of the platform, which this one does not know."""
