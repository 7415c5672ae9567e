"""What can go wrong with a target that is another platform."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Unavailable


class TargetUnready(Unavailable):
    """The other platform cannot be asked now; its releases stay open and go on when it can."""


class TargetElsewhere(Conflict):
    """The environment is bound to yet another platform; a target carries out its own environments alone."""
