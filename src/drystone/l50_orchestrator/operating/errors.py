"""What can go wrong when services are operated by what one may do."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, TooMany


class OperatedElsewhere(Conflict):
    """The environment is another platform's: operate its services there."""


class TooManyStreams(TooMany):
    """Too many streams are read at once; close one and try again."""
