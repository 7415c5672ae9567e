"""What can go wrong when calls are counted."""

from __future__ import annotations

from drystone.l00_kernel.errors import Denied, NotFound, Unavailable


class LimitNotFound(NotFound):
    """No limit of this name is counted in one place for this service."""


class NotYourLimit(Denied):
    """A service may only ask for limits of its own."""


class NobodyCounts(Unavailable):
    """What was used cannot be looked up at the moment."""
