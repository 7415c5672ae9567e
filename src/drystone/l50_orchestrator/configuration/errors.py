"""What can be wrong with configuration in files."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Invalid


class FilesRefused(Invalid):
    """The files have mistakes; the message shows all of them."""


class RemovalNotConfirmed(Conflict):
    """Something would be removed, and the words that confirm it were not given."""


class ApplyStopped(Conflict):
    """A step failed; what was done before stays, and applying again goes on."""


class AppliedElsewhere(Conflict):
    """Somebody else has been applying files for a long time."""
