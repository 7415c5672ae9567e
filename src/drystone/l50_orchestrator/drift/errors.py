"""What can go wrong when what serves is brought back to what should."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict


class NothingDrifted(Conflict):
    """What serves is what should."""


class OnlyAdopted(Conflict):
    """Nothing on record could be brought back, so that what serves can be adopted alone."""
