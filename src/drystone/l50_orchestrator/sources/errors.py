"""What can go wrong with a source that comes from afar."""

from __future__ import annotations

from drystone.l00_kernel.errors import Invalid, NotFound, TooMany


class SourceRefused(Invalid):
    """This source cannot be taken."""


class SourceUnknown(NotFound):
    """Nobody sent this source for this service, or it was too long ago; send it again."""


class TooMuchSent(TooMany):
    """Too much was sent for this service that no source is made of; try again in some minutes."""
