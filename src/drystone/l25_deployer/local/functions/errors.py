"""What can go wrong with a call of a function, beyond what the function itself says."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Invalid, NotFound, Unavailable


class FunctionNotFound(NotFound):
    """The service has no such function in the release that serves."""


class TooManyCalls(Unavailable):
    """As many calls of the function run as may run at once."""


class CallRefused(Invalid):
    """The call is not one that a function can be given."""


class FunctionNotReady(Conflict):
    """The release of the function does not serve yet."""
